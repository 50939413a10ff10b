"""From daily delivery to the arrays that the supply fit works on, with the prior of every placement.

It must not import anything above `models.supply`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.errors import DataError
from models.supply.fit import CAPACITY_OVER_OBSERVED, CAPACITY_SD, Panel

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
# No user is shown one merchant more often than this a day, whatever is paid, unless the logs say otherwise.
CAP_PER_USER_DAY = 20.0


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

    Arguments as in `models.supply.response.fit_response`; `paid` from `paid_days`, with delivery in every
    placement.
    """
    segment_of = np.repeat(np.arange(len(segments)), len(placements))
    placement_of = np.tile(np.arange(len(placements)), len(segments))
    place = _numbered(paid["placement"], placements)
    cell = _numbered(paid["segment"], segments) * len(placements) + place
    day = paid["date"].rank("dense").to_numpy().astype(np.int64) - 1
    spend, got = paid["cost_cny"].to_numpy(), paid[outcome].to_numpy()
    delivered, offset = _delivered(spend, got, cell=cell, placement_of=placement_of, dispersion=dispersion)
    if users is None:
        size = np.where(delivered > 0, delivered, np.median(delivered[delivered > 0]))
        ceiling = np.inf
    else:
        size = np.array([max(float(users[s]), 1.0) for s in segments])[segment_of]
        offset = np.zeros_like(offset)
        ceiling = np.log(_often(paid, outcome=outcome)) if outcome == "impressions" else np.inf
    per_size = np.where(delivered > 0, delivered, np.nan) / size
    log_spend, weight = np.log(spend / size[cell]), np.sqrt(spend)
    most, reference = np.empty(len(placements)), np.empty(len(placements))
    for j in range(len(placements)):
        most[j] = np.log(np.nanquantile(per_size[placement_of == j], 0.75))
        reference[j] = np.average(log_spend[place == j], weights=weight[place == j])
    capacity, spread = _capacity_prior(most, elasticity)
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
        # Four standard deviations beyond the prior nothing is learned any more: supply is linear there.
        capacity_ceiling_log=np.maximum(np.minimum(ceiling, capacity + 4.0 * CAPACITY_SD), capacity),
        reference_log=reference,
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
    # A cell's own rate, shrunk to its placement's as if by three more events.
    events = 3.0 * (dispersion or 1.0)
    paid = np.bincount(cell, spend, n_cells) + events / rate[placement_of]
    own = (np.bincount(cell, got, n_cells) + events) / paid
    return most * own, np.log(rate[placement_of] / own)


def _capacity_prior(most: FloatArray, elasticity: tuple[float, float] | None) -> tuple[FloatArray, float]:
    """Prior mean and sd of log capacity, from the most delivered or from an elasticity at the most spent."""
    if elasticity is None:
        return most + np.log(CAPACITY_OVER_OBSERVED), CAPACITY_SD
    mean = float(np.clip(elasticity[0], 0.05, 0.95))
    # Hill: elasticity at spend s is 1 / (1 + u), u = s / (size tau p).
    spread = float(np.clip(elasticity[1] / (mean * (1.0 - mean)), 0.2, 1.5))
    return most - np.log((1.0 - mean) / mean), spread


def _often(paid: pl.DataFrame, *, outcome: str) -> float:
    """Most impressions per user and day believed possible: thrice the usual frequency of a reached user."""
    reached = paid.filter(pl.col("reached") > 0)
    if reached.height == 0:
        return CAP_PER_USER_DAY
    frequency = float(reached[outcome].sum()) / float(reached["reached"].sum())
    return max(CAP_PER_USER_DAY, 3.0 * frequency)


def _control(spend: FloatArray, coin: FloatArray, cell: IntArray, n_cells: int) -> FloatArray:
    """Log spend against the cell's mean on rows whose spend nobody randomised.

    Used only where randomised rows can carry the curve (10 of them): the difference in slope between the two
    kinds of rows is then credited to demand and kept out of the curve. Without them it would only cost
    precision.
    """
    random = coin >= 0.5
    if random.sum() < 10 or random.all():
        return np.zeros(len(spend))
    log_spend = np.log(spend)
    mean = np.bincount(cell, log_spend, n_cells) / np.maximum(np.bincount(cell, minlength=n_cells), 1)
    return np.where(random, 0.0, log_spend - mean[cell])
