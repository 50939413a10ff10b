"""What was bought, unit by unit. In: rows of campaign x placement x day x segment. Out: arrays and priors.

It must not import anything above `models.supply`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from models.arrays import FloatArray, IntArray
from models.errors import DataError
from models.supply.pressure import Counts
from models.supply.price import LOG_BEND_OF_ONE
from models.supply.settings import SUPPLY

KEYS = ("date", "campaign_id", "segment", "placement")
_SUMS = ("reached", "pairs", "crowd")
PRESSURE = (*_SUMS, "ever", "ever_pairs")


@dataclass(frozen=True)
class Units:
    """Paid units: o indexes units, c cells (segments x placements, placements fastest), j placements.

    Attributes:
        spend_cny, got: (n_units,) both as delivered; spend > 0, got >= 0.
        people: (n_units,) whom the money was spread over.
        cell, day, campaign: (n_units,) indices; those of each placement are numbered apart.
        size: (n_cells,) people of the cell, or what it delivered at most where people are not known.
        segment, placement: (n_cells,) indices.
        bend_log, ceiling_log: (n_placements,) prior mean of log bend, largest log capacity.
        price_offset: (n_cells,) log price of a cell against its placement's that is known beforehand: where
            `size` comes from the cell's own delivery its price must too, or a good cell would pass for a
            saturated one.
        transfer_sds: what may differ between the units and everybody at once (`SupplySettings.transfer_sds`).
        dispersion: variance over mean of what is counted, to start from.
    """

    spend_cny: FloatArray
    got: FloatArray
    people: FloatArray
    cell: IntArray
    day: IntArray
    campaign: IntArray
    size: FloatArray
    segment: IntArray
    placement: IntArray
    bend_log: FloatArray
    ceiling_log: FloatArray
    price_offset: FloatArray
    transfer_sds: tuple[float, float, float, float]
    dispersion: float


def paid_units(daily: pl.DataFrame, *, outcome: str, placements: tuple[str, ...] | None) -> pl.DataFrame:
    """Rows with cost, summed per unit and ordered; checks the numbers.

    Returns:
        `KEYS`, cost_cny, `outcome`, coin (money set at random), and `PRESSURE`, null where unknown.
    """
    for name in ("date", "segment", "placement", "cost_cny", outcome):
        if name not in daily.columns:
            raise DataError(
                f"delivery: column {name!r} is missing; "
                f"expected date, segment, placement, cost_cny, {outcome}"
            )
    known = daily.filter(pl.col(outcome).is_not_null() & pl.col("cost_cny").is_not_null())
    if placements is not None:
        known = known.filter(pl.col("placement").is_in(placements))
    for name in ("cost_cny", outcome):
        bad = known.filter(~pl.col(name).cast(pl.Float64).is_finite() | (pl.col(name) < 0))
        if bad.height:
            raise DataError(
                f"delivery: {name} is {bad[name][0]} on {bad['date'][0]}; expected a finite number >= 0"
            )
    absent = {"campaign_id": pl.lit(""), "randomized_share": pl.lit(0.0)} | {
        name: pl.lit(None, dtype=pl.Float64) for name in (*PRESSURE, "most")
    }
    filled = known.with_columns(e.alias(n) for n, e in absent.items() if n not in known.columns)
    coin = (pl.col("randomized_share").fill_null(0.0) >= 0.5).alias("coin")
    sums = [pl.col(name).cast(pl.Float64).sum() for name in ("cost_cny", outcome)]
    told = [
        pl.when(pl.col(n).is_not_null().all()).then(pl.sum(n) if n in _SUMS else pl.max(n)).alias(n)
        for n in (*PRESSURE, "most")
    ]
    paid = (
        filled.with_columns(pl.col("campaign_id").fill_null(""), coin)
        .group_by(*KEYS, "coin")
        .agg(*sums, *told)
        .filter(pl.col("cost_cny") > 0)
        .sort(*KEYS, "coin")
    )
    if paid.height == 0:
        raise DataError("cost_cny: no row has a cost above 0; expected paid impressions to learn prices from")
    return paid


def build_units(
    paid: pl.DataFrame,
    *,
    segments: tuple[str, ...],
    placements: tuple[str, ...],
    users: Mapping[str, float] | None,
    outcome: str,
    apart: bool = False,
) -> Units:
    """Index the units, find their audiences and set the priors.

    Args:
        paid: what `paid_units` gives, with delivery in every placement.
        segments, placements: the cells.
        users: people of each segment, where known.
        outcome: what the money bought.
        apart: rows of one cell and day are of campaigns that share its people evenly.
    """
    segment_of, placement_of = (x.ravel() for x in np.indices((len(segments), len(placements))))
    place = _numbered(paid["placement"], placements)
    cell = _numbered(paid["segment"], segments) * len(placements) + place
    n_cells, n_places = len(segment_of), len(placements)
    spend, got = paid["cost_cny"].to_numpy(), paid[outcome].to_numpy()
    together = _ranked(paid, "date", "segment", "placement")
    money = np.asarray(np.bincount(together, spend)[together], dtype=float)
    unit = 2.0 * float(got[got > 0].mean()) if outcome == "gmv_cny" else 1.0
    rate, own = _rates(spend, got, cell=cell, placement_of=placement_of, events=SUPPLY.cell_events * unit)
    most = own * _largest(money, cell, n_cells)
    counted = outcome == "impressions" and paid["pairs"].null_count() == 0
    size = np.where(most > 0, most, np.median(most[most > 0]))
    if users is not None:
        size = np.array([max(float(users[s]), 1.0) for s in segments])[segment_of]
    limit = np.full(n_places, np.inf)
    if counted:
        known = size if users is not None else np.full(n_cells, np.inf)
        people, limit = _addressed(paid, got, place=place, size=known[cell], together=together)
    else:
        people = size[cell] * (1.0 / np.bincount(together)[together] if apart else spend / money)
    if users is None and counted:
        size = _audience_sizes(people, money, together=together, cell=cell, n_cells=n_cells)
    pressure = own[cell] * (spend / people if counted else money / size[cell])
    high = np.array([_high(pressure[place == j], spend[place == j]) for j in range(n_places)])
    absolute = users is not None or counted
    most_a_day = SUPPLY.most_a_day if absolute and outcome == "impressions" else np.inf
    capacity, ceiling = _capacities(high, absolute=absolute, most_a_day=most_a_day, limit=limit)
    return Units(
        spend_cny=spend,
        got=got,
        people=people,
        cell=cell,
        day=_ranked(paid, "date", "placement"),
        campaign=_ranked(paid, "campaign_id", "coin", "placement"),
        size=size,
        segment=segment_of,
        placement=placement_of,
        bend_log=LOG_BEND_OF_ONE - capacity,
        ceiling_log=np.maximum(ceiling, capacity),
        price_offset=np.zeros(n_cells) if absolute else np.log(rate[placement_of] / own),
        transfer_sds=SUPPLY.transfer_sds[0 if counted else 1 if users is not None else 3 if apart else 2],
        dispersion=unit,
    )


def _addressed(
    paid: pl.DataFrame,
    shown: FloatArray,
    *,
    place: IntArray,
    size: FloatArray,
    together: IntArray,
) -> tuple[FloatArray, FloatArray]:
    """People whom each unit's money was spread over, and the most showings a day of each placement."""
    limit = np.full(int(place.max()) + 1, np.inf)
    if np.isfinite(size).all():
        limit = _caps(paid, shown, place=place, size=size, together=together)
    counts = _counts(paid, shown, place=place).unlimited(np.isfinite(limit[place]))
    return counts.audiences(size), limit


def _counts(paid: pl.DataFrame, shown: FloatArray, *, place: IntArray) -> Counts:
    """What is counted of every unit, and which units belong together."""
    return Counts(
        shown=shown,
        **{name: paid[name].fill_null(np.nan).to_numpy() for name in PRESSURE},
        group=_ranked(paid, "campaign_id", "coin", "segment", "placement"),
        buy=_ranked(paid, "campaign_id", "coin", "placement", "date"),
        market=_ranked(paid, "placement", "date"),
        place=place,
    )


def _capacities(
    high: FloatArray, *, absolute: bool, most_a_day: float, limit: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(n_placements,) prior mean and largest log capacity, from the `high` pressures that were seen."""
    capacity = np.log(np.maximum(SUPPLY.capacity_over_observed * high, SUPPLY.usual_a_day * absolute))
    # So many deviations beyond the prior nothing is learned any more: supply is linear there.
    ceiling = np.minimum(
        capacity + 4.0 * SUPPLY.bend_sd, np.log(np.maximum(most_a_day, SUPPLY.usual_times * high))
    )
    return np.minimum(capacity, np.log(limit)), np.minimum(ceiling, np.log(limit))


def _numbered(column: pl.Series, names: tuple[str, ...]) -> IntArray:
    return column.replace_strict({name: i for i, name in enumerate(names)}, return_dtype=pl.Int64).to_numpy()


def _ranked(paid: pl.DataFrame, *names: str) -> IntArray:
    """Equal numbers from 0 for equal values of the columns."""
    return paid.select(pl.struct(names).rank("dense").cast(pl.Int64) - 1).to_series().to_numpy()


def _largest(values: FloatArray, group: IntArray, n: int) -> FloatArray:
    out = np.zeros(n)
    np.maximum.at(out, group, values)
    return out


def _rates(
    spend: FloatArray, got: FloatArray, *, cell: IntArray, placement_of: IntArray, events: float
) -> tuple[FloatArray, FloatArray]:
    """Units a yuan of each placement, and of each cell shrunk to it as if by `events` more."""
    n_cells, n_places = len(placement_of), int(placement_of.max()) + 1
    place = placement_of[cell]
    rate = np.bincount(place, got, n_places) / np.bincount(place, spend, n_places)
    paid = np.bincount(cell, spend, n_cells) + events / rate[placement_of]
    return rate, (np.bincount(cell, got, n_cells) + events) / paid


def _audience_sizes(
    people: FloatArray, money: FloatArray, *, together: IntArray, cell: IntArray, n_cells: int
) -> FloatArray:
    """People of each cell (n_cells,): its days' audiences, weighed by money; the median where it has none."""
    day = np.bincount(together, people)[together]
    paid = np.bincount(cell, money, n_cells)
    mean = np.bincount(cell, money * day, n_cells) / np.maximum(paid, 1e-12)
    return np.where(paid > 0, mean, np.median(mean[paid > 0]))


def _caps(
    paid: pl.DataFrame, shown: FloatArray, *, place: IntArray, size: FloatArray, together: IntArray
) -> FloatArray:
    """Most impressions a day that the platform lets a person have, (n_placements,); inf where no limit shows.

    Were a day's impressions spread over the whole segment by chance, as evenly as can be, so many people
    would have more than the most that anybody had. Where that is `capped_people` or more, it is a limit.
    """
    from scipy.stats import poisson

    if paid["most"].null_count():
        return np.full(int(place.max()) + 1, np.inf)
    most = _largest(paid["most"].to_numpy(), place, int(place.max()) + 1)
    first = np.unique(together, return_index=True)[1]
    pressure = np.bincount(together, shown) / size[first]
    beyond = size[first] * poisson.sf(most[place[first]], pressure)
    return np.where(np.bincount(place[first], beyond) >= SUPPLY.capped_people, most, np.inf)


def _high(pressure: FloatArray, spend: FloatArray) -> float:
    """The pressure below which the share `pressure_quantile` of the money was spent."""
    order = np.argsort(pressure)
    spent = np.cumsum(spend[order])
    return float(pressure[order][np.searchsorted(spent, SUPPLY.pressure_quantile * spent[-1])])
