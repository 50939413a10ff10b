"""Puts a plan's sections on one page.

Each section is prepared in `sections` as text, figures and pictures; the templates hold no logic but "is
there any". It must not decide or recompute anything.
"""

from __future__ import annotations

from collections.abc import Callable

from models.escaping.media import for_html
from targeting.plan.budgets import Budgets
from targeting.plan.decided import DecidedPlan
from targeting.report import verdict
from targeting.report.section import Reader, Section, other_budgets
from targeting.report.sections import (
    budget,
    console,
    curves,
    fans,
    figures,
    learning,
    money,
    origin,
    programmes,
    promise,
    rivals,
    rules,
)
from targeting.report.template import filled
from targeting.words import Words, words_in

SECTIONS: tuple[Callable[[DecidedPlan, Reader], Section | None], ...] = (
    figures.section, budget.section, money.section, rules.section, rivals.section, curves.section,
    console.section, learning.section, promise.section, programmes.section, fans.section, origin.section,
)  # fmt: skip


def render(plan: DecidedPlan, language: str = "en", *, budgets: Budgets | None = None) -> str:
    """The merchant's report: one self-contained page.

    Args:
        plan: what was decided.
        language: `en` or `zh`.
        budgets: the plan's other budgets, where they are known already.

    Raises:
        CampaignError: no such language.
    """
    words = words_in(language)
    reader = Reader(words, budgets or other_budgets(plan))
    made = (make(plan, reader) for make in SECTIONS)
    context = {
        "w": words,
        "title": words.page_title.format(campaign=plan.campaign.campaign_id),
        "campaign_id": plan.campaign.campaign_id,
        "headline": verdict.headline(plan, words),
        "rest": verdict.rest(plan, words, reader.budgets),
        "period": _period(plan, words),
        "sections": [section for section in made if section is not None],
    }
    return filled("targeting.report", context)


def notebook(plan: DecidedPlan) -> str:
    """Headline and funded units, for a notebook."""
    words = words_in("en")
    lines = "".join(
        f"<tr><td>{for_html(segment)}</td><td>{for_html(placement)}</td>"
        f"<td style='text-align:right'>{spend}</td><td style='text-align:right'>{gmv}</td></tr>"
        for segment, placement, spend, gmv in money.notebook_rows(plan, words)
    )
    head = "<tr><th>segment</th><th>placement</th><th>spend</th><th>expected GMV</th></tr>"
    said = f"{verdict.headline(plan, words)} {verdict.certificate(plan, words)}"
    return f"<p>{for_html(said)}</p><table>{head}{lines}</table>"


def _period(plan: DecidedPlan, w: Words) -> str:
    campaign = plan.campaign
    days = w.days_one if campaign.days == 1 else w.days_many.format(days=campaign.days)
    start = (
        ""
        if campaign.starts_at is None
        else w.period_from.format(start=f"{campaign.starts_at:%Y-%m-%d %H:%M}")
    )
    return w.period.format(start=start, days=days, horizon=campaign.horizon_days)
