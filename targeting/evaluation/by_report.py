"""What a finished campaign really did, from the console's report of it: for plans and merchants without logs.

A report counts what the console attributes, in the console's own window: it can be held against the promise
cell by cell, but who would have followed anyway, what came later and who still follows it cannot say, and no
number here pretends to. Frames in, frames out. It must not import estimators or the optimiser.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from models.contracts.unit_names import spelled_out
from models.errors import DataError
from targeting.evaluation import reasons
from targeting.evaluation.beside import FIGURES, beside, promised_cells, with_cost_per_fan
from targeting.evaluation.evaluation import Evaluation
from targeting.evaluation.plan_drift import curve_drift
from targeting.evaluation.totals import totals
from targeting.plan.decided import DecidedPlan
from targeting.plan.person_offers import CELL

ORDERS_STAND_IN = "orders stand for new fans"
"""How a plan's claim says that its fans are orders (`targeting.decision.delivery_plan`)."""


def evaluate_delivery(
    plan: DecidedPlan,
    delivery: pl.DataFrame,
    *,
    campaign_id: str | None = None,
    as_of: datetime | None = None,
) -> Evaluation:
    """Judge a plan by a later delivery report.

    Args:
        plan: any plan; its segments and placements are found by name in the report.
        delivery: contract table `delivery`.
        campaign_id: whose rows to judge; default: the brief's.
        as_of: rows of later dates are not known; default: all are.

    Raises:
        DataError: the report has no row of the campaign, none of the plan's cells, or nothing that the plan
            promised.
    """
    known = delivery if as_of is None else delivery.filter(pl.col("date") <= as_of.date())
    known = known.with_columns(
        segment=spelled_out(known["segment"], plan.allocation["segment"].unique()),
        campaign_id=spelled_out(known["campaign_id"], [plan.campaign.campaign_id]),
    )
    rows, about_rows = _campaign_rows(plan, known, campaign_id or plan.campaign.campaign_id)
    measures, about_fans = _measures(plan, rows)
    cells = _cells(plan, rows, measures)
    chain = ("spend_cny", *measures)
    cells = with_cost_per_fan(reasons.with_reasons(cells, chain=chain, final=f"realised_{chain[-1]}"))
    summed = {x: float(cells[f"realised_{x}"].sum()) for x in chain}
    return Evaluation(
        source="delivery",
        cells=cells,
        totals=totals(
            plan, spend_cny=summed["spend_cny"], fans=summed.get("fans"), gmv_cny=summed.get("gmv_cny")
        ),
        reasons=reasons.summary(cells),
        windows=pl.DataFrame(),
        retention=pl.DataFrame(),
        maturity=1.0,
        drift=curve_drift(plan, cells, basis=next(iter(measures))),
        experiment=None,
        notes=(*about_rows, *about_fans, *_notes(plan, cells)),
    )


def _campaign_rows(
    plan: DecidedPlan, delivery: pl.DataFrame, campaign_id: str
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Rows of the campaign, else those of its days, else all of a report without ids; and what was taken."""
    rows = delivery.filter(pl.col("campaign_id") == campaign_id)
    if rows.height:
        return rows, ()
    start = plan.campaign.starts_at
    if start is not None:
        stop = start + timedelta(days=plan.campaign.days)
        rows = delivery.filter((pl.col("date") >= start.date()) & (pl.col("date") < stop.date()))
        told = f"no row of the report carries campaign_id {campaign_id}: the campaign's days are judged"
    elif delivery["campaign_id"].null_count() == delivery.height:
        rows, told = (
            delivery,
            "the report names no campaign and the brief no start: all of its rows are judged",
        )
    if rows.is_empty():
        first, last = delivery["date"].min(), delivery["date"].max()
        found = ", ".join(delivery["campaign_id"].drop_nulls().unique().sort().to_list()[:5]) or "none"
        raise DataError(
            f"delivery: no row of campaign_id {campaign_id!r} or of the campaign's days; campaigns found:"
            f" {found}; dates {first!s} to {last!s}; give the report that covers the campaign"
        )
    return rows, (told,)


def _measures(plan: DecidedPlan, rows: pl.DataFrame) -> tuple[dict[str, str], tuple[str, ...]]:
    """Link of the chain -> column of the report, for what was promised and is reported; and notes."""
    fans, notes = "new_fans", []
    if ORDERS_STAND_IN in plan.claims.get("why", ""):
        fans = "orders"
        notes.append("the plan counted orders as new fans, so orders are compared")
    found, missing = {}, []
    for link, column in {"impressions": "impressions", "fans": fans, "gmv_cny": "gmv_cny"}.items():
        if FIGURES[link] in plan.provenance.unknown:
            continue
        gaps = rows[column].null_count()
        if gaps == rows.height:
            missing.append(column)
            continue
        found[link] = column
        if gaps:
            notes.append(f"{column} is empty in {gaps} of {rows.height} rows: taken as 0")
    if missing:
        notes.append(f"the report has no {' and no '.join(missing)}: that part of the promise is not judged")
    if not found and not missing:
        raise DataError("plan: promises live entries only, which a report is not yet held against")
    if not found:
        raise DataError(
            f"delivery: has none of {', '.join(missing)}, which the plan promised; export them as well"
        )
    return found, tuple(notes)


def _cells(plan: DecidedPlan, rows: pl.DataFrame, measures: dict[str, str]) -> pl.DataFrame:
    """Promised beside realised, per segment x placement, cells that only one side has included."""
    promised = promised_cells(plan, ("spend_cny", *measures))
    came = rows.group_by(CELL).agg(
        pl.col("cost_cny").sum().alias("realised_spend_cny"),
        *[pl.col(c).sum().cast(pl.Float64).alias(f"realised_{link}") for link, c in measures.items()],
    )
    if promised.join(came, on=CELL, how="inner").is_empty():
        theirs, ours = (
            "; ".join(f"{s}, {p}" for s, p in f.select(CELL).head(3).rows()) for f in (came, promised)
        )
        raise DataError(
            f"delivery: none of its cells ({theirs}) is one of the plan's ({ours}); use its names"
        )
    return beside(promised, came)


def _notes(plan: DecidedPlan, cells: pl.DataFrame) -> tuple[str, ...]:
    known = plan.allocation.select(CELL).unique()
    outside = cells.join(known, on=CELL, how="anti")
    notes = [
        "a report counts what the console attributes in its own window: windows, retention and who would have"
        " followed anyway need user logs"
    ]
    if outside.height:
        cost = float(outside["realised_spend_cny"].sum())
        notes.insert(0, f"{cost:,.0f} yuan went to {outside.height} cells outside the plan")
    return tuple(notes)
