"""The decision behind the page: the opened plan's market under a changed brief. It needs no page."""

from __future__ import annotations

from pipelines.app.choices import Choice, changed_brief
from targeting.decision.again import decide_again
from targeting.decision.verbs import Plan
from targeting.words import Words

SECONDS = 5.0
"""For one answer; a person waits no longer, and the gap that is left is told."""


def what_if(plan: Plan, choice: Choice, words: Words | None = None) -> Plan:
    """The best plan on the opened plan's market under a changed brief; the opened plan is its "last plan".

    Raises:
        CampaignError, InfeasibleError: the changed brief contradicts itself.
    """
    return decide_again(plan, changed_brief(plan.campaign, choice, words), time_limit_s=SECONDS)
