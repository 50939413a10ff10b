"""The supply fit's input. In: money and delivery per day and cell. Out: arrays, the prior of every placement.

It must not import anything above `models.supply`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from models.arrays import FloatArray, IntArray
from models.errors import DataError
from models.supply.settings import SUPPLY


@dataclass(frozen=True)
class Panel:
    """Paid cell-days: o indexes observations, c cells, j placements, k placement-days.

    Attributes:
        spend_cny, got: (n_obs,) both as delivered; spend > 0, got >= 0.
        cell, day, period: (n_obs,) indices; period numbers placement x day.
        control: (n_obs,) log spend against the cell's mean where the spend was not randomised, else 0.
        size: (n_cells,) users, or what the cell delivered at most where users are not known.
        segment, placement: (n_cells,) indices.
        capacity_log: (n_placements,) prior mean of log tau.
        capacity_ceiling_log: (n_placements,) largest log tau possible.
        reference_log: (n_placements,) typical log spend per size, where `power` has its price.
        price_offset: (n_cells,) log price of a cell against its placement's that is known beforehand: where
            `size` comes from the cell's own delivery its price must too, or a good cell would pass for a
            saturated one.
        capacity_sd: prior sd of log tau of a placement.
        dispersion: phi where it is known; None to learn it with sigma, which needs repeated days.
    """

    spend_cny: FloatArray
    got: FloatArray
    cell: IntArray
    day: IntArray
    period: IntArray
    control: FloatArray
    size: FloatArray
    segment: IntArray
    placement: IntArray
    capacity_log: FloatArray
    capacity_ceiling_log: FloatArray
    reference_log: FloatArray
    price_offset: FloatArray
    capacity_sd: float = SUPPLY.capacity_sd
    dispersion: float | None = None


def paid_days(daily: pl.DataFrame, *, outcome: str, placements: tuple[str, ...] | None) -> pl.DataFrame:
    """Rows with cost, summed per date and cell, ordered; checks the numbers."""
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
    coin = pl.col("randomized_share") if "randomized_share" in daily.columns else pl.lit(0.0)
    reached = pl.col("reached") if "reached" in daily.columns else pl.lit(None, dtype=pl.Float64)
    paid = (
        known.with_columns(coin.fill_null(0.0).alias("_coin"), reached.alias("_reached"))
        .group_by("date", "segment", "placement")
        .agg(
            pl.col("cost_cny").cast(pl.Float64).sum(),
            pl.col(outcome).cast(pl.Float64).sum(),
            ((pl.col("_coin") * pl.col("cost_cny")).sum() / pl.col("cost_cny").sum()).alias("coin"),
            pl.col("_reached").sum().alias("reached"),
        )
        .filter(pl.col("cost_cny") > 0)
        .sort("date", "segment", "placement")
    )
    if paid.height == 0:
        raise DataError("cost_cny: no row has a cost above 0; expected paid impressions to learn prices from")
    return paid


def build_panel(
    paid: pl.DataFrame,
    *,
    segments: tuple[str, ...],
    placements: tuple[str, ...],
    users: Mapping[str, float] | None,
    outcome: str,
    elasticity: tuple[float, float] | None,
    dispersion: float | None,
) -> Panel:
    """Index the paid days and set the priors; cells are segments x placements, placements fastest.

    Arguments as in `models.supply.response.fit_response`; `paid` with delivery in every placement.
    """
    segment_of, placement_of = (x.ravel() for x in np.indices((len(segments), len(placements))))
    place = _numbered(paid["placement"], placements)
    cell = _numbered(paid["segment"], segments) * len(placements) + place
    day = paid["date"].rank("dense").to_numpy().astype(np.int64) - 1
    spend, got = paid["cost_cny"].to_numpy(), paid[outcome].to_numpy()
    delivered, offset = _delivered(spend, got, cell=cell, placement_of=placement_of, dispersion=dispersion)
    if users is None:
        size, ceiling = np.where(delivered > 0, delivered, np.median(delivered[delivered > 0])), np.inf
    else:
        size = np.array([max(float(users[s]), 1.0) for s in segments])[segment_of]
        offset, ceiling = np.zeros_like(offset), _ceiling_log(paid, outcome=outcome)
    per_size = np.where(delivered > 0, delivered, np.nan) / size
    log_spend, weight = np.log(spend / size[cell]), np.sqrt(spend)
    places = range(len(placements))
    most = [np.nanquantile(per_size[placement_of == j], SUPPLY.capacity_quantile) for j in places]
    reference = [np.average(log_spend[place == j], weights=weight[place == j]) for j in places]
    capacity, spread = _capacity_prior(np.log(most), elasticity)
    # So many deviations beyond the prior nothing is learned any more: supply is linear there.
    beyond = capacity + SUPPLY.ceiling_deviations * SUPPLY.capacity_sd
    return Panel(
        spend_cny=spend,
        got=got,
        cell=cell,
        day=day,
        period=place * (int(day.max()) + 1) + day,
        control=_control(spend, paid["coin"].fill_nan(0.0).to_numpy(), cell, len(size)),
        size=size,
        segment=segment_of,
        placement=placement_of,
        capacity_log=capacity,
        capacity_ceiling_log=np.maximum(np.minimum(ceiling, beyond), capacity),
        reference_log=np.array(reference),
        price_offset=offset,
        capacity_sd=spread,
        dispersion=dispersion,
    )


def _numbered(column: pl.Series, names: tuple[str, ...]) -> IntArray:
    return column.replace_strict({name: i for i, name in enumerate(names)}, return_dtype=pl.Int64).to_numpy()


def _delivered(
    spend: FloatArray, got: FloatArray, *, cell: IntArray, placement_of: IntArray, dispersion: float | None
) -> tuple[FloatArray, FloatArray]:
    """Most a cell delivered on a day (at its own rate, shrunk), and its log price against its placement's."""
    n_cells, n_placements = len(placement_of), int(placement_of.max()) + 1
    place = placement_of[cell]
    rate = np.bincount(place, got, n_placements) / np.bincount(place, spend, n_placements)
    most = np.zeros(n_cells)
    np.maximum.at(most, cell, spend)
    # A cell's own rate, shrunk to its placement's as if by more events.
    events = SUPPLY.cell_events * (dispersion or 1.0)
    paid = np.bincount(cell, spend, n_cells) + events / rate[placement_of]
    own = (np.bincount(cell, got, n_cells) + events) / paid
    return most * own, np.log(rate[placement_of] / own)


def _capacity_prior(most: FloatArray, elasticity: tuple[float, float] | None) -> tuple[FloatArray, float]:
    """Prior mean and sd of log capacity, from the most delivered or from an elasticity at the most spent."""
    if elasticity is None:
        return most + np.log(SUPPLY.capacity_over_observed), SUPPLY.capacity_sd
    mean = float(np.clip(elasticity[0], 0.05, 0.95))
    # Hill: elasticity at spend s is 1 / (1 + u), u = s / (size tau p).
    spread = float(np.clip(elasticity[1] / (mean * (1.0 - mean)), 0.2, 1.5))
    return most - np.log((1.0 - mean) / mean), spread


def _ceiling_log(paid: pl.DataFrame, *, outcome: str) -> float:
    """Log of the most impressions a user sees on a day: a multiple of a reached user's usual frequency."""
    if outcome != "impressions":
        return np.inf
    reached = paid.filter(pl.col("reached") > 0)
    if reached.height == 0:
        return float(np.log(SUPPLY.most_a_day))
    frequency = float(reached[outcome].sum()) / float(reached["reached"].sum())
    return float(np.log(max(SUPPLY.most_a_day, SUPPLY.usual_times * frequency)))


def _control(spend: FloatArray, coin: FloatArray, cell: IntArray, n_cells: int) -> FloatArray:
    """Log spend against the cell's mean on rows whose spend nobody randomised.

    Used only where randomised rows can carry the curve (`randomised_days`): the difference in slope between
    the two kinds of rows is then credited to demand and kept out of the curve. Without them it would only
    cost precision.
    """
    random = coin >= 0.5
    if random.sum() < SUPPLY.randomised_days or random.all():
        return np.zeros(len(spend))
    log_spend = np.log(spend)
    mean = np.bincount(cell, log_spend, n_cells) / np.maximum(np.bincount(cell, minlength=n_cells), 1)
    return np.where(random, 0.0, log_spend - mean[cell])
