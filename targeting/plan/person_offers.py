"""What each person is worth and costs on a plan's curves, for `targeting.assign` and for packages.

What is assumed, because it is all that a plan can know:

* a person's impressions cost what the segment's curve says at that intensity, a_ij(x N_i) / N_i for x yuan a
  person: a person is a segment of one, as when segments were formed. So the price rises for those who are
  shown more, and with intensity 1 for everybody the packages *are* the plan. (Holding the price of the plan's
  next impression instead would let a package buy a crowd of showings to few people at the price of few
  showings to a crowd.) Beyond the spend that the logs have seen this is as far from data as the curve is;
* follow rates and values are the person's scores times the evidence of the cell (`models.audience.cells`),
  the same numbers whose means the plan was made with;
* granted impressions, which nobody can direct, count on neither side.

Must not import the optimiser.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from models.errors import CampaignError, DataError
from models.supply.curves import FloatArray
from targeting.allocation.outcomes import openness
from targeting.plan.decided import DecidedPlan
from targeting.plan.plan_settings import SETTINGS

OFFER_COLUMNS = (
    "user_id", "placement", "package", "segment", "fan_kind", "worth", "cost_cny", "impressions",
    "live_entries", "new_fans",
)  # fmt: skip
CELL = ["segment", "placement"]


def offers_of(plan: DecidedPlan, *, intensities: Sequence[float] = SETTINGS.intensities) -> pl.DataFrame:
    """What each eligible person is worth and costs on this plan's curves, for `targeting.assign`.

    For x yuan a person: impressions n = (a(x N) - a(0)) / N, new_fans = 1 - exp(-n h), live_entries = n x
    entry rate, and worth by objective: g new_fans (new_fan_gmv), new_fans, live_entries, or kept share
    x g new_fans - x (profit). x = intensity x the plan's spend per person of the segment; where the
    plan spends nothing, of its whole spend per person of the audience.

    Args:
        plan: made for people, in one slot.
        intensities: multiples of what the plan spends on a person of the same segment and placement.

    Returns:
        A row per person, placement and intensity (`package`): `OFFER_COLUMNS`.
    """
    wanted = sorted({float(m) for m in intensities})
    if not wanted or not all(np.isfinite(m) and m > 0 for m in wanted):
        raise CampaignError(f"packages: intensities are {tuple(intensities)}, expected finite numbers > 0")
    rated = rated_people(plan)
    market = plan.market
    share = np.where(
        plan.solution.spend_cny > 0,
        plan.solution.spend_cny / market.users,
        plan.spend_cny / rated["user_id"].n_unique(),
    )
    parts = []
    for intensity in wanted:
        cells = market.cells.select(CELL).with_columns(
            package=pl.lit(f"x{intensity:g}"),
            cost_cny=pl.Series(share * intensity),
            impressions=pl.Series(impressions_each(plan, share * intensity)),
        )
        parts.append(rated.join(cells, on=CELL, how="inner", maintain_order="left"))
    n = pl.col("impressions")
    table = pl.concat(parts).with_columns(
        live_entries=n * pl.col("entry"), new_fans=1.0 - (-n * pl.col("hazard")).exp()
    )
    gmv = pl.col("gmv_per_fan_cny") * pl.col("new_fans")
    return table.with_columns(worth=objective_of(plan, gmv)).select(OFFER_COLUMNS)


def impressions_each(plan: DecidedPlan, per_person_cny: FloatArray) -> FloatArray:
    """(n_cells,) bought impressions a person, when every person of a segment gets this much money."""
    market = plan.market
    bought = market.supply.value(per_person_cny * market.users) - market.supply.value(np.zeros(len(market)))
    return bought / market.users


def objective_of(plan: DecidedPlan, gmv: pl.Expr) -> pl.Expr:
    """What the brief counts, from GMV and the columns new_fans, live_entries and cost_cny."""
    campaign = plan.campaign
    if campaign.objective == "profit" and campaign.economics is not None:
        return campaign.economics.kept_share * gmv - pl.col("cost_cny")
    counted = {"new_fans": pl.col("new_fans"), "live_entries": pl.col("live_entries")}
    return counted.get(campaign.objective, gmv)


def rated_people(plan: DecidedPlan) -> pl.DataFrame:
    """Eligible people x placements: user_id, segment, placement, fan_kind, hazard, gmv_per_fan_cny, entry."""
    if plan.audience is None or plan.audience.scores.is_empty():
        raise DataError(
            "packages: this plan knows no people (it was made from curves or a console's report, or saved "
            "without scores); plan with Planner.plan(campaign, audience)"
        )
    market = plan.market
    slots = market.cells["slot"].n_unique()
    if slots > 1:
        raise CampaignError(f"packages: the plan has {slots} slots, people are chosen for one; plan without")
    # A live room is as full as the plan makes it, whoever of its people is chosen.
    opened = openness(market, market.supply.value(plan.solution.spend_cny))
    cells = market.cells.select(*CELL, "fan_kind").with_columns(
        cell_hazard=pl.Series(market.hazard * opened),
        cell_gmv=pl.Series(market.gmv_per_fan_cny),
        cell_entry=pl.Series(market.entry),
    )
    people = plan.audience.scores.join(plan.audience.segments, on="user_id", how="inner").join(
        cells, on=CELL, how="inner", maintain_order="left"
    )
    if people.is_empty():
        raise DataError("packages: nobody is scored for a segment and placement of this plan")
    hazard, gmv = pl.col("p_follow"), pl.col("gmv_per_fan_cny")
    mean = hazard.mean().over(CELL)
    value = (hazard * gmv).sum().over(CELL) / hazard.sum().over(CELL)
    entry = pl.col("p_enter") if "p_enter" in people.columns else pl.lit(None, dtype=pl.Float64)
    return people.select(
        "user_id",
        *CELL,
        "fan_kind",
        # The evidence of the cell: what the plan believes over the mean of the scores.
        hazard=hazard * pl.when(mean > 0).then(pl.col("cell_hazard") / mean).otherwise(1.0),
        gmv_per_fan_cny=gmv * pl.when(value > 0).then(pl.col("cell_gmv") / value).otherwise(1.0),
        entry=entry.fill_null(pl.col("cell_entry")),
    )
