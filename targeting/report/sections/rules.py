"""Every rule of the brief: what it asks, whether there is room in it, what it costs."""

from __future__ import annotations

from collections.abc import Sequence

from targeting.plan.decided import DecidedPlan
from targeting.plan.rules import Rule, rules_of
from targeting.report import rule_words
from targeting.report.section import Reader, Section
from targeting.words import Words


def section(plan: DecidedPlan, reader: Reader) -> Section | None:
    """A line for the budget and for each rule, in the brief's order."""
    return Section("rules", {"rows": rows(plan, reader.words, rules_of(plan))})


def rows(plan: DecidedPlan, w: Words, found: Sequence[Rule]) -> list[dict[str, object]]:
    """name, asks, at_limit, state, cost of each rule."""
    return [
        {
            "name": rule_words.rule_name(w, rule.kind, rule.name),
            "asks": rule_words.asks(plan, w, rule),
            "at_limit": rule.at_limit,
            "state": rule_words.state(plan, w, rule),
            "cost": rule_words.cost(plan, w, rule),
        }
        for rule in found
    ]
