"""What to test next, within the money that is worth spending on learning."""

from __future__ import annotations

import polars as pl

from targeting.allocation.whatif.sensitivity import SCHEMA, affordable_probes
from targeting.plan import questions
from targeting.plan.decided import DecidedPlan
from targeting.report.report_settings import SETTINGS
from targeting.report.saying import amount_of, unit_name
from targeting.report.section import Reader, Section


def section(plan: DecidedPlan, reader: Reader) -> Section | None:
    """The tests that pay and fit into a tenth of the budget together, and what they cost together."""
    w, information = reader.words, information_of(plan)
    paying = information.filter(pl.col("worth_probing"))
    if paying.is_empty():
        return None
    tests = affordable_probes(information, budget_cny=plan.budget_cny).head(SETTINGS.experiments)
    if tests.is_empty():
        cheapest = paying.sort("probe_cny").row(0, named=True)
        money = w.yuan(cheapest["probe_cny"])
        said = w.tests_none.format(money=money, unit=unit_name(plan, w, cheapest))
        return Section("learning", {"lead": said, "tests": ()})
    together = float(tests["probe_cny"].sum())
    return Section(
        "learning",
        {
            "lead": w.tests_lead.format(money=w.yuan(together), share=w.share(together / plan.budget_cny)),
            "tests": [
                (
                    unit_name(plan, w, r),
                    w.test_text.format(probe=w.yuan(r["probe_cny"]), worth=amount_of(plan, w, r["evpi"])),
                )
                for r in tests.to_dicts()
            ],
        },
    )


def information_of(plan: DecidedPlan) -> pl.DataFrame:
    """`Plan.experiments`, without rows where there is no uncertainty to speak of or too much to compute."""
    cheapest = any(c.kind == "target" for c in plan.campaign.constraints)
    if plan.market.draws is None or len(plan.market) > SETTINGS.most_cells or cheapest:
        return pl.DataFrame(schema=SCHEMA)
    return questions.experiments(plan)
