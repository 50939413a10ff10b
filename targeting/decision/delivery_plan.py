"""Plans for merchants without user-level logs: learned from an advertising console's report.

Ends in `decide` like every plan; what a report cannot speak of (impressions, fans, GMV) is null in the plan
instead of guessed. A segment is whatever the report calls so. It must not import the optimiser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time

import numpy as np
import polars as pl

from models.contracts import Conformed, as_frame, conform, fingerprint
from models.contracts.quarantine import REJECT_CEILING, refuse_many
from models.contracts.words import respelt
from models.errors import DataError
from models.supply.day_parts import DayParts, fit_day_parts, reported_rows
from models.supply.delivery_report import DeliveryModel, fit_delivery
from targeting.campaign import Campaign, parse_campaign
from targeting.campaign.season import season_warnings
from targeting.decision.decide import decide
from targeting.decision.verbs import Plan
from targeting.market import delivery_market, part_warnings
from targeting.plan.provenance import Provenance, versions


def plan_delivery(
    delivery: object,
    *,
    campaign: Campaign | Mapping[str, object],
    rng: np.random.Generator,
    n_draws: int = 200,
    last_plan: object = None,
    rejected_rows: int = 0,
    max_rejected_share: float = REJECT_CEILING,
    gap_tol: float = 1e-6,
    time_limit_s: float = 60.0,
) -> Plan:
    """The plan of a brief learned from a console's report.

    Args:
        delivery: contract table `delivery`: a raw frame (polars, pandas, Arrow), or what `conform` gave.
        campaign: the brief.
        rng: for the draws behind the 80 % intervals.
        n_draws: how many.
        last_plan: table segment, placement, spend_cny of the plan before.
        rejected_rows: rows that were quarantined before this call; those found here are added.
        max_rejected_share: largest share of bad rows of a raw report.
        gap_tol, time_limit_s: when the optimiser may stop.

    Raises:
        DataError: the report has too many bad rows, or no outcome that the brief's objective counts.
        CampaignError, InfeasibleError: the brief is wrong or cannot be met.
    """
    brief = campaign if isinstance(campaign, Campaign) else parse_campaign(campaign)
    conformed = _report(delivery)
    placed = conformed.good.with_columns(respelt(conformed.good["placement"], brief.placements))
    rows = _rows_of(placed, conformed, brief)
    _refuse_many(conformed, ceiling=max_rejected_share)
    brief, unpaid = _of_paid(rows, brief)
    model = fit_delivery(rows, rng=rng, n_draws=n_draws)
    _refuse_uncounted(brief, _unknown(model))
    spent = rows.group_by("segment", "placement").agg(pl.col("cost_cny").sum().alias("spend_cny"))
    parts = fit_day_parts(reported_rows(rows, units=model.basis, fans=model.fan_measure))
    said = (*conformed.warnings, *_left_out(placed, brief), *unpaid, *model.warnings)
    told = _provenance(conformed, model, (*said, *_when_warnings(rows, parts, brief)))
    return decide(
        campaign=brief,
        market=delivery_market(model, campaign=brief, parts=parts),
        provenance=replace(told, rejected_rows=told.rejected_rows + rejected_rows),
        last_plan=last_plan,
        history=spent.sort("segment", "placement"),
        gap_tol=gap_tol,
        time_limit_s=time_limit_s,
    )


def _when_warnings(rows: pl.DataFrame, parts: DayParts, brief: Campaign) -> tuple[str, ...]:
    """What is said of hours, weekdays and the season that the report did not see."""
    last = datetime.combine(rows["date"].max(), time.max)  # type: ignore[arg-type]
    return *part_warnings(parts, campaign=brief), *season_warnings(brief, known_by=last)


def _provenance(report: Conformed, model: DeliveryModel, said: tuple[str, ...]) -> Provenance:
    return Provenance(
        claims={"kind": model.claims, "why": _why(model)},
        fingerprints={"delivery": fingerprint(report.good)},
        versions=versions(),
        rejected_rows=report.rejected.height,
        unknown=_unknown(model),
        warnings=said,
    )


def _why(model: DeliveryModel) -> str:
    counted = model.fan_measure in ("new_fans", None)
    return model.why if counted else f"{model.why}; {model.fan_measure} stand for new fans"


def _rows_of(placed: pl.DataFrame, conformed: Conformed, campaign: Campaign) -> pl.DataFrame:
    """Good rows of the brief's placements.

    Raises:
        DataError: there is none.
    """
    rows = placed.filter(pl.col("placement").is_in(list(campaign.placements)))
    if rows.is_empty():
        wanted = ", ".join(campaign.placements)
        found = ", ".join(conformed.good["placement"].unique().sort().to_list()) or "none"
        without = conformed.rejected.filter(pl.col("reason").str.contains("expected at least one of")).height
        hint = (
            f"; {without} rows have no outcome: where only a total per date is known, no report can be"
            " planned from; the response curves of a media-mix model can: targeting plan --curves"
            if without
            else ""
        )
        raise DataError(f"delivery: no row of the brief's placements {wanted}; found {found}{hint}")
    return rows


def _refuse_many(report: Conformed, *, ceiling: float) -> None:
    refuse_many(report.origin.source, report.good.height, report.rejected, ceiling=ceiling)


def _report(delivery: object) -> Conformed:
    """The report after its contract, once: ads that differ in a column we drop would look alike."""
    if isinstance(delivery, Conformed):
        return delivery
    return conform(as_frame(delivery, source="delivery"), "delivery", source="delivery")


def _of_paid(rows: pl.DataFrame, brief: Campaign) -> tuple[Campaign, tuple[str, ...]]:
    """The brief without placements that the report has and nobody paid for, and a word on them."""
    paid = rows.filter(pl.col("cost_cny") > 0)["placement"].unique()
    idle = [name for name in rows["placement"].unique().sort() if name not in paid]
    kept = tuple(name for name in brief.placements if name not in idle)
    if not idle or not kept or paid.is_empty():
        return brief, ()
    said = f"delivery: nothing was ever spent in {', '.join(idle)}, which gets nothing"
    return brief.model_copy(update={"placements": kept}), (said,)


def _left_out(placed: pl.DataFrame, brief: Campaign) -> tuple[str, ...]:
    """What is said of rows in placements that the brief does not buy."""
    others = placed.filter(~pl.col("placement").is_in(list(brief.placements)))
    if others.is_empty():
        return ()
    names = ", ".join(others["placement"].unique().sort().to_list())
    return (
        f"delivery: {others.height} of {placed.height} rows are of placements that the brief does not buy:"
        f" {names}",
    )


def _unknown(model: DeliveryModel) -> tuple[str, ...]:
    """What a report's curves cannot speak of."""
    known = {
        "impressions": model.basis == "impressions",
        "new_fans": model.fan_measure is not None,
        "new_fan_gmv_cny": model.has_gmv,
    }
    return tuple(name for name, is_known in known.items() if not is_known)


def _refuse_uncounted(campaign: Campaign, unknown: Sequence[str]) -> None:
    needed = {"new_fans": "new_fans", "new_fan_gmv": "new_fan_gmv_cny", "profit": "new_fan_gmv_cny"}
    column = needed.get(campaign.objective)
    if column is not None and column in unknown:
        want = {"new_fans": "new_fans or orders", "new_fan_gmv_cny": "gmv_cny"}[column]
        raise DataError(
            f"delivery: objective {campaign.objective} needs column {want}, which the report does not have "
            f"above 0; add it or change the objective"
        )
