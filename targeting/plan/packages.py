"""From a plan to lists of people: what showing a person more or less is worth, and whom to upload.

A merchant who can upload audience packages (人群包) need not buy whole segments. A package is a list of
people in one placement with one intensity: a multiple of what the plan spends on a person of that segment.
`person_offers` says what is assumed of a person.

Must not import the optimiser of plans.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from models.escaping.tables import for_cells
from targeting.assignment import assign
from targeting.assignment.assigned import Certified
from targeting.plan.decided import UNITS, DecidedPlan
from targeting.plan.person_offers import CELL, impressions_each, objective_of, offers_of, rated_people
from targeting.plan.plan_settings import SETTINGS
from targeting.printing import printed

_BESIDE = "\x1f"  # between a person and a placement who are chosen apart
_INDEX = {
    "placement": pl.String, "package": pl.String, "file": pl.String, "people": pl.Int64,
    "impressions": pl.Float64, "cost_cny": pl.Float64,
}  # fmt: skip
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

    chosen: pl.DataFrame
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

    def write(self, folder: Path | str) -> pl.DataFrame:
        """Write each list as a CSV of its own, and `packages.csv`, which says what is in which.

        A file is there whole or not at all; lists of the same number are replaced. For hashed ids, chunks and
        least sizes use `targeting export`.

        Returns:
            placement, package, file, people, impressions, cost_cny; one row per list.

        Raises:
            OSError: the folder cannot be written.
        """
        below, rows = Path(folder), []
        below.mkdir(parents=True, exist_ok=True)
        for number, ((placement, package), people) in enumerate(self.people.items(), start=1):
            name = f"package-{number:03d}.csv"
            _put(people, below / name)
            sums = float(people["impressions"].sum()), float(people["cost_cny"].sum())
            rows.append((placement, package, name, people.height, *sums))
        index = pl.DataFrame(rows, schema=_INDEX, orient="row")
        _put(index, below / "packages.csv")
        return index

    def __str__(self) -> str:
        """The gain, and people and money by package."""
        gain = "" if self.gain is None else f" ({self.gain:+.1%})"
        by = self.chosen.group_by("placement", "package").agg(
            pl.len().alias("people"), pl.col("impressions").sum(), pl.col("cost_cny").sum()
        )
        table = printed(by.sort("placement", "package"))
        return (
            f"Chosen people {self.value:,.0f}, whole segments {self.segments_value:,.0f} {self.unit}{gain}; "
            f"at most {self.upper_bound:,.0f} by choosing people; {self.spend_cny:,.2f} CNY\n{table}"
        )

    __repr__ = __str__


def _put(table: pl.DataFrame, path: Path) -> None:
    """A CSV that Excel opens as UTF-8, complete before it has its name."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_bytes(b"\xef\xbb\xbf" + for_cells(table).write_csv().encode())
    unfinished.replace(path)


def packages_of(
    plan: DecidedPlan,
    *,
    intensities: Sequence[float] = SETTINGS.intensities,
    exclusive: bool = False,
    limits: Sequence[Mapping[str, object]] = (),
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


def _as_planned(plan: DecidedPlan) -> pl.DataFrame:
    """Everybody with the segment's mean: user_id, placement, impressions, cost_cny."""
    market = plan.market
    each = plan.solution.spend_cny / market.users
    cells = market.cells.select(CELL).with_columns(
        impressions=pl.Series(impressions_each(plan, each)), cost_cny=pl.Series(each)
    )
    shown = rated_people(plan).join(cells, on=CELL, how="left")
    return shown.select("user_id", "placement", "impressions", "cost_cny")


def _together(plan: DecidedPlan, shown: pl.DataFrame) -> float:
    """The objective of (user_id, placement, impressions, cost_cny), placements competing for a person.

    DESIGN 4.2: z = sum_j n_j h_j, fans 1 - exp(-z), GMV sum_j g_j n_j h_j (1 - exp(-z)) / z.
    """
    n, hazard, z = pl.col("impressions"), pl.col("hazard"), pl.col("z")
    each = (
        shown.join(rated_people(plan), on=["user_id", "placement"], how="left")
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
    return float(whole.select(objective_of(plan, pl.col("gz") * kept).sum()).item())
