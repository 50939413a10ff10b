"""From a plan to lists of people: what showing a person more or less is worth, and whom to upload.

A merchant who can upload audience packages (人群包) need not buy whole segments. A package is a list of
people in one placement with one intensity: a multiple of what the plan spends on a person of that segment.
What this assumes, because it is all that a plan can know:

* a person's impressions cost what the segment's curve says at that intensity, a_ij(x N_i) / N_i for x yuan a
  person: a person is a segment of one, as when segments were formed. So the price rises for those who are
  shown more, and with intensity 1 for everybody the packages *are* the plan. (Holding the price of the plan's
  next impression instead would let a package buy a crowd of showings to few people at the price of few
  showings to a crowd.) Beyond the spend that the logs have seen this is as far from data as the curve is;
* follow rates and values are the person's scores times the evidence of the cell (`models.audience.cells`),
  the same numbers whose means the plan was made with;
* granted impressions, which nobody can direct, count on neither side.

Must not import the optimiser of plans.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from models.errors import CampaignError, DataError
from targeting.assignment import assign
from targeting.assignment.result import Certified
from targeting.plan.decided import UNITS, DecidedPlan
from targeting.printing import printed

INTENSITIES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Money on a person of a package, as multiples of what the plan spends on a person of the segment."""
OFFER_COLUMNS = (
    "user_id", "placement", "package", "segment", "fan_kind", "worth", "cost_cny", "impressions",
    "live_entries", "new_fans",
)  # fmt: skip
_CELL = ["segment", "placement"]
_BESIDE = "\x1f"  # between a person and a placement who are chosen apart
_LISTED = ("user_id", "segment", "impressions", "worth", "cost_cny")


@dataclass(frozen=True, repr=False)
class Packages(Certified):
    """Whom to show where and how much, person by person, with the plan's money.

    Attributes:
        chosen: one row per person and placement chosen: user_id, placement, package, segment, impressions,
            worth (of this placement alone), cost_cny.
        value: the brief's objective of all of it; placements compete for a person who is in two.
        upper_bound: no packages of these intensities within the limits are worth more.
        segments_value: that of the plan itself by the same people's scores: whole segments, everybody in one
            as much as everybody else.
        limits: one row per limit with what is used and its price, as in `Assignment`.
        unit: of the objective, in words.
    """

    segments_value: float
    unit: str

    @property
    def gain(self) -> float | None:
        """Choosing people over buying whole segments: value / segments_value - 1; None where that is 0."""
        return self.value / self.segments_value - 1.0 if self.segments_value > 0 else None

    @property
    def people(self) -> Mapping[tuple[str, ...], pl.DataFrame]:
        """(placement, package) -> user_id, segment, impressions, worth, cost_cny: the lists to upload."""
        lists = self.chosen.partition_by("placement", "package", as_dict=True)
        return {(str(k[0]), str(k[1])): lists[k].select(_LISTED) for k in sorted(lists)}

    def __str__(self) -> str:
        """The gain, and people and money by package."""
        gain = "" if self.gain is None else f" ({self.gain:+.1%})"
        by = self.chosen.group_by("placement", "package").agg(
            pl.len().alias("people"), pl.col("impressions").sum(), pl.col("cost_cny").sum()
        )
        table = printed(by.sort("placement", "package"), rows=40)
        return (
            f"Chosen people {self.value:,.0f}, whole segments {self.segments_value:,.0f} {self.unit}{gain}; "
            f"at most {self.upper_bound:,.0f} by choosing people; {self.spend_cny:,.2f} CNY\n{table}"
        )

    __repr__ = __str__


def packages_of(
    plan: DecidedPlan,
    *,
    intensities: Sequence[float] = INTENSITIES,
    exclusive: bool = False,
    limits: Sequence[Mapping[str, Any]] = (),
    gap_tol: float = 1e-6,
) -> Packages:
    """Lists of people to upload with this plan's money, and what that gains over whole segments.

    Args:
        plan: made for people, in one slot.
        intensities: as in `offers_of`.
        exclusive: whether a person may be in the packages of one placement only.
        limits: as in `targeting.assign`, beside each placement's spend as planned and the brief's
            live_capacity. The brief's other constraints speak of segments and are not looked at.
        gap_tol: as in `targeting.assign`.

    Raises:
        DataError: the plan knows no people.
        CampaignError: it has several slots, or an argument is wrong.
    """
    offers = offers_of(plan, intensities=intensities)
    unit = pl.col("user_id") if exclusive else pl.concat_str("user_id", "placement", separator=_BESIDE)
    spend = plan.allocation.group_by("placement").agg(pl.col("spend_cny").sum()).sort("placement").rows()
    money = [
        {"kind": "bounds", "name": f"{where} as planned", "placement": where, "max_cny": cny}
        for where, cny in spend
    ]
    # The brief's live capacity holds in any case: a taste for live rooms is a reason to be chosen.
    brief = [c for c in plan.campaign.constraints if c.kind == "live_capacity"]
    found = assign(
        offers.with_columns(user_id=unit),
        budget_cny=plan.spend_cny,
        limits=[*money, *brief, *limits],
        gap_tol=gap_tol,
    )
    keys = ["user_id", "placement", "package"]
    chosen = found.chosen.select(
        pl.col("user_id").str.split(_BESIDE).list.first(), "placement", "package"
    ).join(offers, on=keys, how="left", maintain_order="left")
    return Packages(
        chosen=chosen.select(*keys, *_LISTED[1:]),
        value=_together(plan, chosen.select(*keys[:2], "impressions", "cost_cny")),
        upper_bound=found.upper_bound,
        segments_value=_together(plan, _as_planned(plan)),
        limits=found.limits,
        unit=UNITS[plan.campaign.objective],
    )


def offers_of(plan: DecidedPlan, *, intensities: Sequence[float] = INTENSITIES) -> pl.DataFrame:
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
    rated = _rated(plan)
    market = plan.market
    share = np.where(
        plan.solution.spend_cny > 0,
        plan.solution.spend_cny / market.users,
        plan.spend_cny / rated["user_id"].n_unique(),
    )
    parts = []
    for intensity in wanted:
        cells = market.cells.select(_CELL).with_columns(
            package=pl.lit(f"x{intensity:g}"),
            cost_cny=pl.Series(share * intensity),
            impressions=pl.Series(_impressions(plan, share * intensity)),
        )
        parts.append(rated.join(cells, on=_CELL, how="inner", maintain_order="left"))
    n = pl.col("impressions")
    table = pl.concat(parts).with_columns(
        live_entries=n * pl.col("entry"), new_fans=1.0 - (-n * pl.col("hazard")).exp()
    )
    gmv = pl.col("gmv_per_fan_cny") * pl.col("new_fans")
    return table.with_columns(worth=_objective(plan, gmv)).select(OFFER_COLUMNS)


def _impressions(plan: DecidedPlan, per_person_cny: np.ndarray[Any, np.dtype[np.float64]]) -> Any:
    """(n_cells,) bought impressions a person, when every person of a segment gets this much money."""
    market = plan.market
    bought = market.supply.value(per_person_cny * market.users) - market.supply.value(np.zeros(len(market)))
    return bought / market.users


def _objective(plan: DecidedPlan, gmv: pl.Expr) -> pl.Expr:
    """What the brief counts, from GMV and the columns new_fans, live_entries and cost_cny."""
    campaign = plan.campaign
    if campaign.objective == "profit" and campaign.economics is not None:
        return campaign.economics.kept_share * gmv - pl.col("cost_cny")
    counted = {"new_fans": pl.col("new_fans"), "live_entries": pl.col("live_entries")}
    return counted.get(campaign.objective, gmv)


def _rated(plan: DecidedPlan) -> pl.DataFrame:
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
    cells = market.cells.select(*_CELL, "fan_kind").with_columns(
        cell_hazard=pl.Series(market.hazard),
        cell_gmv=pl.Series(market.gmv_per_fan_cny),
        cell_entry=pl.Series(market.entry),
    )
    people = plan.audience.scores.join(plan.audience.segments, on="user_id", how="inner").join(
        cells, on=_CELL, how="inner", maintain_order="left"
    )
    if people.is_empty():
        raise DataError("packages: nobody is scored for a segment and placement of this plan")
    hazard, gmv = pl.col("p_follow"), pl.col("gmv_per_fan_cny")
    mean = hazard.mean().over(_CELL)
    value = (hazard * gmv).sum().over(_CELL) / hazard.sum().over(_CELL)
    entry = pl.col("p_enter") if "p_enter" in people.columns else pl.lit(None, dtype=pl.Float64)
    return people.select(
        "user_id",
        *_CELL,
        "fan_kind",
        # The evidence of the cell: what the plan believes over the mean of the scores.
        hazard=hazard * pl.when(mean > 0).then(pl.col("cell_hazard") / mean).otherwise(1.0),
        gmv_per_fan_cny=gmv * pl.when(value > 0).then(pl.col("cell_gmv") / value).otherwise(1.0),
        entry=entry.fill_null(pl.col("cell_entry")),
    )


def _as_planned(plan: DecidedPlan) -> pl.DataFrame:
    """Everybody with the segment's mean: user_id, placement, impressions, cost_cny."""
    market = plan.market
    each = plan.solution.spend_cny / market.users
    cells = market.cells.select(_CELL).with_columns(
        impressions=pl.Series(_impressions(plan, each)), cost_cny=pl.Series(each)
    )
    shown = _rated(plan).join(cells, on=_CELL, how="left")
    return shown.select("user_id", "placement", "impressions", "cost_cny")


def _together(plan: DecidedPlan, shown: pl.DataFrame) -> float:
    """The objective of (user_id, placement, impressions, cost_cny), placements competing for a person.

    DESIGN 4.2: z = sum_j n_j h_j, fans 1 - exp(-z), GMV sum_j g_j n_j h_j (1 - exp(-z)) / z.
    """
    n, hazard, z = pl.col("impressions"), pl.col("hazard"), pl.col("z")
    each = (
        shown.join(_rated(plan), on=["user_id", "placement"], how="left")
        .group_by("user_id", maintain_order=True)
        .agg(
            z=(n * hazard).sum(),
            gz=(n * hazard * pl.col("gmv_per_fan_cny")).sum(),
            live_entries=(n * pl.col("entry")).sum(),
            cost_cny=pl.col("cost_cny").sum(),
        )
    )
    kept = pl.when(z.abs() > 1e-12).then((1.0 - (-z).exp()) / z).otherwise(1.0)
    whole = each.with_columns(new_fans=z * kept)
    return float(whole.select(_objective(plan, pl.col("gz") * kept).sum()).item())
