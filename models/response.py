"""Response of the platform to money: how many impressions s yuan a day buy in each segment x placement.

Logged daily spend and delivery become one pooled, concave `CurveSet` for one day (see `models.supply` for the
statistics), with draws for the intervals and the largest spend each curve was learned from. The shape is kept per
user, so that the same response serves an audience of another size. It must not import targeting, and it knows
nothing about what a follow is worth.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.curves import FAMILIES, CurveSet
from models.errors import DataError
from models.supply import (
    CAPACITY_OVER_OBSERVED,
    CAPACITY_SD,
    SUPPLY_FAMILIES,
    Fit,
    Panel,
    draw_supply,
    fit_supply,
)
from models.supply_choice import Choice, choose_family

FloatArray = NDArray[np.float64]
DAILY_SCHEMA = {
    "date": pl.Date,
    "segment": pl.String,
    "placement": pl.String,
    "cost_cny": pl.Float64,
    "impressions": pl.Float64,
    "entries": pl.Float64,
    "new_fans": pl.Float64,
    "reached": pl.Float64,
    "randomized_share": pl.Float64,
}
# No user is shown one merchant more often than this a day, whatever is paid, unless the logs say otherwise.
CAP_PER_USER_DAY = 20.0


@dataclass(frozen=True)
class ResponseModel:
    """One-day supply curves of every cell.

    Attributes:
        cells: segment, placement, size (users, or a scale where users are unknown), observed_max_cny (largest
            logged daily spend, 0 where none), days (paid days seen), seen (false = pooled prediction only).
        family: one of `models.supply.SUPPLY_FAMILIES`.
        log_price, log_capacity: (n_cells,) point estimates (see `models.supply`).
        log_price_draws, log_capacity_draws: (n_draws, n_cells).
        reference_log: (n_cells,) log spend per size where the price of `power` holds.
        halfway_log: (n_cells,) log capacity at which the elasticity of `power` is 1/2.
        per_user: whether `size` counts users, so that curves can be rescaled to other audiences.
        diagnostics: losses of the families, spreads, day effects, how many rows were used.
    """

    cells: pl.DataFrame
    family: str
    log_price: FloatArray
    log_capacity: FloatArray
    log_price_draws: FloatArray
    log_capacity_draws: FloatArray
    reference_log: FloatArray
    halfway_log: FloatArray
    per_user: bool
    diagnostics: Mapping[str, float | str] = field(default_factory=dict)

    def curves(self, users: Mapping[str, float] | None = None) -> CurveSet:
        """Curves of one day in the order of `cells`, for the fitted audience or `users` per segment."""
        return self._curve_set(self.log_price, self.log_capacity, self._size(users))

    def draws(self, users: Mapping[str, float] | None = None) -> CurveSet:
        """The draws, parameters of shape (n_draws, n_cells), jointly drawn across cells."""
        return self._curve_set(self.log_price_draws, self.log_capacity_draws, self._size(users))

    def observed_max_cny(self, users: Mapping[str, float] | None = None) -> FloatArray:
        """Largest logged spend of one day (n_cells,), in proportion to the audience."""
        ratio = self._size(users) / self.cells["size"].to_numpy()
        return self.cells["observed_max_cny"].to_numpy() * ratio

    def take(self, index: NDArray[np.int64]) -> ResponseModel:
        """The cells at `index`, in that order."""
        return replace(
            self,
            cells=self.cells[index.tolist()],
            log_price=self.log_price[index],
            log_capacity=self.log_capacity[index],
            log_price_draws=self.log_price_draws[:, index],
            log_capacity_draws=self.log_capacity_draws[:, index],
            reference_log=self.reference_log[index],
            halfway_log=self.halfway_log[index],
        )

    def to_json(self) -> str:
        """The model as JSON text."""
        return json.dumps(
            {
                "cells": self.cells.to_dicts(),
                "family": self.family,
                "per_user": self.per_user,
                "diagnostics": dict(self.diagnostics),
                **{name: getattr(self, name).tolist() for name in _ARRAYS},
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> ResponseModel:
        """The model that `to_json` wrote."""
        raw = json.loads(text)
        return cls(
            cells=pl.DataFrame(raw["cells"], schema=_CELL_SCHEMA),
            family=raw["family"],
            per_user=raw["per_user"],
            diagnostics=raw["diagnostics"],
            **{name: np.asarray(raw[name], dtype=np.float64) for name in _ARRAYS},
        )

    def _size(self, users: Mapping[str, float] | None) -> FloatArray:
        size = self.cells["size"].to_numpy()
        if users is None:
            return size
        if not self.per_user:
            raise DataError(
                "response: curves fitted without user counts cannot be rescaled to another audience"
            )
        absent = [s for s in self.cells["segment"].to_list() if s not in users]
        if absent:
            raise DataError(f"response: no user count for segment {absent[0]!r}; give one for every segment")
        return np.array([float(users[s]) for s in self.cells["segment"].to_list()])

    def _curve_set(self, log_price: FloatArray, log_capacity: FloatArray, size: FloatArray) -> CurveSet:
        shape = np.ones_like(log_price)
        if self.family == "power":
            shape = 1.0 / (1.0 + np.exp(-(log_capacity - self.halfway_log)))
            scale = np.broadcast_to(size * np.exp(self.reference_log), log_price.shape).copy()
            top = scale * np.exp(-log_price)
        else:
            top = size * np.exp(log_capacity)
            scale = top * np.exp(log_price)
        family = np.full(len(size), FAMILIES.index(self.family), dtype=np.int8)
        return CurveSet(family=family, top=top, scale_cny=scale, shape=shape, base=np.zeros_like(top))


_ARRAYS = (
    "log_price",
    "log_capacity",
    "log_price_draws",
    "log_capacity_draws",
    "reference_log",
    "halfway_log",
)
_CELL_SCHEMA = {
    "segment": pl.String,
    "placement": pl.String,
    "size": pl.Float64,
    "observed_max_cny": pl.Float64,
    "days": pl.Int64,
    "seen": pl.Boolean,
}


def daily_delivery(exposures: pl.DataFrame, assignment: pl.DataFrame) -> pl.DataFrame:
    """What was paid and delivered per day and cell, from user-level logs.

    Args:
        exposures: contract table `exposures`; held-out rows (placement `none` or no impressions) are left out.
        assignment: user_id, segment; users without a segment are left out (give `Segmenter.assign(scores,
            everyone=True)` so that users who have become fans since still count).

    Returns:
        `DAILY_SCHEMA`: sums per date x segment x placement; `randomized_share` of the cost (of the impressions where
        the cost is 0), `reached` different users. Ordered by date, segment, placement.
    """
    shown = exposures.filter((pl.col("placement") != "none") & (pl.col("impressions") > 0))
    coin = pl.col("randomized").fill_null(False).cast(pl.Float64)
    entered = (
        pl.when(pl.col("entered_live").is_not_null().any()).then(
            pl.col("entered_live").cast(pl.Float64).sum()
        )
        if "entered_live" in exposures.columns
        else pl.lit(None, dtype=pl.Float64)
    )
    cost, impressions = pl.col("cost_cny").sum(), pl.col("impressions").cast(pl.Float64).sum()
    return (
        shown.join(assignment.select("user_id", "segment"), on="user_id", how="inner")
        .group_by(pl.col("exposed_at").dt.date().alias("date"), "segment", "placement")
        .agg(
            cost.alias("cost_cny"),
            impressions.alias("impressions"),
            entered.alias("entries"),
            pl.col("followed").cast(pl.Float64).sum().alias("new_fans"),
            pl.col("user_id").n_unique().cast(pl.Float64).alias("reached"),
            pl.when(cost > 0)
            .then((coin * pl.col("cost_cny")).sum() / cost)
            .otherwise((coin * pl.col("impressions")).sum() / impressions)
            .alias("randomized_share"),
        )
        .select([pl.col(name).cast(kind) for name, kind in DAILY_SCHEMA.items()])
        .sort("date", "segment", "placement")
    )


def fit_response(
    daily: pl.DataFrame,
    *,
    users_by_segment: Mapping[str, float] | None,
    rng: np.random.Generator,
    n_draws: int = 200,
    placements: tuple[str, ...] | None = None,
    outcome: str = "impressions",
    elasticity: tuple[float, float] | None = None,
    dispersion: float | None = None,
    family: str | None = None,
) -> ResponseModel:
    """Fit the one-day supply curves.

    Args:
        daily: date, segment, placement, cost_cny, `outcome`; randomized_share and reached where known.
        users_by_segment: users of each segment the money was spent on; None where unknown (no rescaling then).
        n_draws: joint draws of all curves.
        placements: cells are every segment x these; default those in `daily`.
        outcome: what the money buys (column of `daily`).
        elasticity: (mean, standard deviation) of d log y / d log s at the largest logged spend, a prior that replaces
            the default "four times what was delivered", for data in which spend never varies within a cell.
        dispersion: variance over mean of `outcome`, where too few repeated days could teach it.
        family: skip the choice by cross-validation.

    Raises:
        DataError: no paid delivery at all, or none in one of `placements`, or values that are not finite.
    """
    paid = _paid(daily, outcome=outcome, placements=placements)
    names = placements or tuple(sorted(paid["placement"].unique().to_list()))
    segments = tuple(users_by_segment) if users_by_segment is not None else _ordered(paid["segment"])
    paid = paid.filter(pl.col("segment").is_in(segments))
    for placement in names:
        if paid.filter(pl.col("placement") == placement)[outcome].sum() <= 0:
            raise DataError(
                f"delivery: placement {placement!r} has no paid {outcome}; expected at least one day with cost and "
                "delivery; log such a day or take the placement out of the brief"
            )
    panel = _panel(
        paid,
        segments=segments,
        placements=names,
        users=users_by_segment,
        outcome=outcome,
        elasticity=elasticity,
        dispersion=dispersion,
    )
    choice = choose_family(panel) if family is None else Choice(family, {family: 0.0}, 0.3)
    fit = fit_supply(panel, family=choice.family)
    drawn = draw_supply(panel, fit, rng=rng, n_draws=n_draws, extra_sd=choice.extra_sd)
    place = panel.placement
    return ResponseModel(
        cells=_cells(panel, segments=segments, placements=names),
        family=choice.family,
        log_price=fit.log_price[0],
        log_capacity=fit.log_capacity[0],
        log_price_draws=drawn.log_price,
        log_capacity_draws=drawn.log_capacity,
        reference_log=panel.reference_log[place],
        halfway_log=(panel.capacity_log - np.log(CAPACITY_OVER_OBSERVED))[place],
        per_user=users_by_segment is not None,
        diagnostics=_diagnostics(panel, fit, choice),
    )


def _ordered(column: pl.Series) -> tuple[str, ...]:
    return tuple(sorted(column.unique().to_list()))


def _paid(daily: pl.DataFrame, *, outcome: str, placements: tuple[str, ...] | None) -> pl.DataFrame:
    """Rows with cost, summed per date and cell, ordered; checks the numbers."""
    for name in ("date", "segment", "placement", "cost_cny", outcome):
        if name not in daily.columns:
            raise DataError(
                f"delivery: column {name!r} is missing; expected date, segment, placement, cost_cny, {outcome}"
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
        raise DataError("delivery: no row has a cost above 0; expected paid impressions to learn prices from")
    return paid


def _panel(
    paid: pl.DataFrame,
    *,
    segments: tuple[str, ...],
    placements: tuple[str, ...],
    users: Mapping[str, float] | None,
    outcome: str,
    elasticity: tuple[float, float] | None,
    dispersion: float | None,
) -> Panel:
    n_cells = len(segments) * len(placements)
    segment_of = np.repeat(np.arange(len(segments)), len(placements))
    placement_of = np.tile(np.arange(len(placements)), len(segments))
    row_segment = (
        paid["segment"]
        .replace_strict({s: i for i, s in enumerate(segments)}, return_dtype=pl.Int64)
        .to_numpy()
    )
    row_place = paid["placement"].replace_strict(
        {p: i for i, p in enumerate(placements)}, return_dtype=pl.Int64
    )
    place = row_place.to_numpy()
    cell = row_segment * len(placements) + place
    day = paid["date"].rank("dense").to_numpy().astype(np.int64) - 1
    spend, got = paid["cost_cny"].to_numpy(), paid[outcome].to_numpy()
    rate = np.bincount(place, got, len(placements)) / np.bincount(place, spend, len(placements))
    most = np.zeros(n_cells)
    np.maximum.at(most, cell, spend)
    # A cell's own rate, shrunk to its placement's as if by three more events.
    events = 3.0 * (dispersion or 1.0)
    own = (np.bincount(cell, got, n_cells) + events) / (
        np.bincount(cell, spend, n_cells) + events / rate[placement_of]
    )
    delivered = most * own
    offset = np.zeros(n_cells)
    if users is None:
        offset = np.log(rate[placement_of] / own)
        size = np.where(delivered > 0, delivered, np.median(delivered[delivered > 0]))
    else:
        size = np.array([max(float(users[s]), 1.0) for s in segments])[segment_of]
    seen = delivered > 0
    per_size = np.where(seen, delivered, np.nan) / size
    capacity = np.empty(len(placements))
    reference = np.empty(len(placements))
    for j in range(len(placements)):
        capacity[j] = np.log(np.nanquantile(per_size[placement_of == j], 0.75) * CAPACITY_OVER_OBSERVED)
        reference[j] = np.average(np.log(spend / size[cell])[place == j], weights=np.sqrt(spend[place == j]))
    ceiling = np.full(len(placements), np.inf)
    if users is not None and outcome == "impressions":
        often = _often(paid, outcome=outcome)
        ceiling = np.maximum(np.log(often), capacity)
    else:
        ceiling = capacity + 4.0 * CAPACITY_SD
    centre, spread = capacity, CAPACITY_SD
    if elasticity is not None:  # hill at the largest logged spend: elasticity 1 / (1 + u)
        mean = np.clip(elasticity[0], 0.05, 0.95)
        centre = capacity - np.log(CAPACITY_OVER_OBSERVED) - np.log((1.0 - mean) / mean)
        spread = float(np.clip(elasticity[1] / (mean * (1.0 - mean)), 0.2, 1.5))
    return Panel(
        spend_cny=spend,
        got=got,
        cell=cell,
        day=day,
        period=place * (int(day.max()) + 1) + day,
        control=_control(spend, paid["coin"].fill_nan(0.0).to_numpy(), cell, n_cells),
        size=size,
        segment=segment_of,
        placement=placement_of,
        capacity_log=centre,
        capacity_ceiling_log=np.maximum(ceiling, centre),
        reference_log=reference,
        price_offset=offset,
        capacity_sd=spread,
        dispersion=dispersion,
    )


def _often(paid: pl.DataFrame, *, outcome: str) -> float:
    """Most impressions per user and day believed possible: three times the usual frequency of a reached user."""
    reached = paid.filter(pl.col("reached") > 0)
    if reached.height == 0:
        return CAP_PER_USER_DAY
    frequency = float(reached[outcome].sum() / reached["reached"].sum())
    return max(CAP_PER_USER_DAY, 3.0 * frequency)


def _control(spend: FloatArray, coin: FloatArray, cell: NDArray[np.int64], n_cells: int) -> FloatArray:
    """Log spend against the cell's mean on rows whose spend nobody randomised.

    Used only where randomised rows can carry the curve (10 of them): the difference in slope between the two kinds
    of rows is then credited to demand and kept out of the curve. Without them it would only cost precision.
    """
    random = coin >= 0.5
    if random.sum() < 10 or random.all():
        return np.zeros(len(spend))
    log_spend = np.log(spend)
    mean = np.bincount(cell, log_spend, n_cells) / np.maximum(np.bincount(cell, minlength=n_cells), 1)
    return np.where(random, 0.0, log_spend - mean[cell])


def _cells(panel: Panel, *, segments: tuple[str, ...], placements: tuple[str, ...]) -> pl.DataFrame:
    n_cells = len(panel.size)
    most = np.zeros(n_cells)
    np.maximum.at(most, panel.cell, panel.spend_cny)
    days = np.bincount(panel.cell, minlength=n_cells)
    return pl.DataFrame(
        {
            "segment": [segments[i] for i in panel.segment],
            "placement": [placements[j] for j in panel.placement],
            "size": panel.size,
            "observed_max_cny": most,
            "days": days.astype(np.int64),
            "seen": days > 0,
        },
        schema=_CELL_SCHEMA,
    )


def _diagnostics(panel: Panel, fit: Fit, choice: Choice) -> dict[str, float | str]:
    spread = fit.spread
    return {
        "family": choice.family,
        **{f"loss_{name}": float(loss) for name, loss in choice.losses.items()},
        "sd_price_between_cells": spread.price,
        "sd_capacity_between_cells": spread.capacity,
        "sd_price_between_days": spread.period,
        "sd_noise": spread.noise,
        "dispersion": spread.dispersion,
        "lean_of_spend_on_demand": float(fit.lean[0]),
        "cell_days": float(len(panel.got)),
        "families_tried": ", ".join(n for n in SUPPLY_FAMILIES if n in choice.losses),
    }
