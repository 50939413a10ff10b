"""Response of the platform to money. In: money and delivery per day and cell. Out: one-day curves and draws.

Logged spend and delivery become one pooled, concave `CurveSet` for one day (`models.supply.fit`), with draws
for the intervals and the largest spend each curve was learned from. A segment's curve is everybody in it at
one pressure; it is kept per user, so that the same response serves an audience of another size. It must not
import targeting, and it knows nothing about what a follow is worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import TypeAdapter

from models.arrays import FloatArray
from models.errors import DataError
from models.events.daily_delivery import DAILY_SCHEMA, daily_delivery
from models.stored import Array, Rows, read, written
from models.supply.curves import CurveSet
from models.supply.fit import SupplyFit, fit_supply
from models.supply.price import mean_curve
from models.supply.settings import SUPPLY
from models.supply.units import Units, build_units, paid_units

__all__ = ["DAILY_SCHEMA", "ResponseModel", "daily_delivery", "fit_response"]

_CELL_SCHEMA = {
    "segment": pl.String,
    "placement": pl.String,
    "size": pl.Float64,
    "observed_max_cny": pl.Float64,
    "days": pl.Int64,
    "seen": pl.Boolean,
}


@dataclass(frozen=True)
class ResponseModel:
    """One-day supply curves of every cell.

    Attributes:
        cells: segment, placement, size (users, or a scale where users are unknown), observed_max_cny (largest
            logged daily spend, 0 where none), days (paid days seen), seen (false = pooled prediction only).
        log_price_draws, log_capacity_draws: (n_draws, n_cells) (see `models.supply.price`).
        per_user: whether `size` counts users, so that curves can be rescaled to other audiences.
        diagnostics: noise, scatter of days, how many units were used.
    """

    cells: Annotated[pl.DataFrame, Rows(_CELL_SCHEMA)]
    log_price_draws: Array
    log_capacity_draws: Array
    per_user: bool
    diagnostics: Mapping[str, float | str] = field(default_factory=dict)

    def curves(self, users: Mapping[str, float] | None = None) -> CurveSet:
        """Curves of one day in the order of `cells`, for the fitted audience or `users` per segment.

        They are the means of the draws: what the money buys in expectation.
        """
        top, scale, shape = mean_curve(self.log_price_draws, self.log_capacity_draws)
        size = self._size(users)
        return CurveSet.of("lomax", top=size * top, scale_cny=size * scale, shape=shape)

    def draws(self, users: Mapping[str, float] | None = None) -> CurveSet:
        """The draws, parameters of shape (n_draws, n_cells), jointly drawn across cells."""
        top = self._size(users) * np.exp(self.log_capacity_draws)
        return CurveSet.of("lomax", top=top, scale_cny=top * np.exp(self.log_price_draws))

    def observed_max_cny(self, users: Mapping[str, float] | None = None) -> FloatArray:
        """Largest logged spend of one day (n_cells,), in proportion to the audience."""
        ratio = self._size(users) / self.cells["size"].to_numpy()
        return np.asarray(self.cells["observed_max_cny"].to_numpy() * ratio)

    @property
    def day_scatter(self) -> tuple[float, float]:
        """Deviation of the log of a day's delivery around the curve: of all cells together, of one apart."""
        together, apart = (self.diagnostics.get(key, 0.0) for key in ("scatter of days", "noise"))
        return float(together), float(apart)

    def take(self, index: NDArray[np.int64]) -> ResponseModel:
        """The cells at `index`, in that order."""
        return replace(
            self,
            cells=self.cells[index.tolist()],
            log_price_draws=self.log_price_draws[:, index],
            log_capacity_draws=self.log_capacity_draws[:, index],
        )

    def to_json(self) -> str:
        """The model as JSON text."""
        return written(_STORED, self)

    @classmethod
    def from_json(cls, text: str) -> ResponseModel:
        """The model that `to_json` wrote.

        Raises:
            DataError: it is not such a text, or its arrays do not fit its cells.
        """
        found = read(_STORED, text, source="response.json", what="supply response")
        shape = len(found.log_price_draws), found.cells.height
        for key in ("log_price_draws", "log_capacity_draws"):
            if getattr(found, key).shape != shape:
                raise DataError(
                    f"response.json: {key} has shape {getattr(found, key).shape}, expected {shape} as its"
                    " cells; train again"
                )
        return found

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


_STORED = TypeAdapter(ResponseModel)


def fit_response(
    daily: pl.DataFrame,
    *,
    users_by_segment: Mapping[str, float] | None,
    rng: np.random.Generator,
    n_draws: int = 200,
    placements: tuple[str, ...] | None = None,
    outcome: str = "impressions",
    apart: bool = False,
) -> ResponseModel:
    """Fit the one-day supply curves.

    Args:
        daily: date, segment, placement, cost_cny, `outcome`; campaign_id, randomized_share, reached, pairs
            and crowd (see `models.supply.pressure`) where known. Where pairs are not, money is taken to be
            spread over everybody in the segment.
        users_by_segment: users of each segment the money was spent on; None where unknown (no rescaling
            then).
        n_draws: joint draws of all curves.
        placements: cells are every segment x these; default those in `daily`.
        outcome: what the money buys (column of `daily`).
        apart: campaigns of one cell and day share its people evenly instead of all addressing all of them:
            for data in which money never varies from day to day.

    Raises:
        DataError: no paid delivery at all, or none in one of `placements`, or values that are not finite.
    """
    paid = paid_units(daily, outcome=outcome, placements=placements)
    names = placements or _ordered(paid["placement"])
    segments = tuple(users_by_segment) if users_by_segment is not None else _ordered(paid["segment"])
    paid = paid.filter(pl.col("segment").is_in(segments))
    _require_delivery(paid, names, outcome=outcome)
    units = build_units(
        _chosen_by_money(paid),
        segments=segments,
        placements=names,
        users=users_by_segment,
        outcome=outcome,
        apart=apart,
    )
    fit = fit_supply(units, rng=rng, n_draws=n_draws)
    cells = _cells(paid, units, segments=segments, placements=names)
    return _model(fit, cells=cells, per_user=users_by_segment is not None, units=len(units.got))


def _chosen_by_money(paid: pl.DataFrame) -> pl.DataFrame:
    """The units whose money tells what money buys, as far as a coin tells them apart.

    Logs: without those whose *people* a coin chose, where others have most of a placement's money: an
    experiment shows everybody in it at least once, so how often they were shown is no pressure that money
    made. Reports know no people, and their coin set the money: where it set enough of every placement's, the
    rest, which may have followed demand, is left out.
    """
    if paid["ever"].null_count() == 0:
        money = pl.col("cost_cny").sum().over("placement")
        by_coin = pl.col("cost_cny").filter("coin").sum().over("placement")
        return paid.filter(~(pl.col("coin") & (by_coin < 0.5 * money)))
    enough = pl.col("coin").sum().over("placement") >= SUPPLY.randomised_units
    decided = paid.filter(enough.all() & pl.col("coin"))
    return decided if decided.height else paid


def _require_delivery(paid: pl.DataFrame, placements: tuple[str, ...], *, outcome: str) -> None:
    for placement in placements:
        if paid.filter(pl.col("placement") == placement)[outcome].sum() <= 0:
            raise DataError(
                f"placement {placement!r}: has no paid {outcome}; expected a day with cost and "
                "delivery; log such a day or take the placement out of the brief"
            )


def _model(fit: SupplyFit, *, cells: pl.DataFrame, per_user: bool, units: int) -> ResponseModel:
    return ResponseModel(
        cells=cells,
        log_price_draws=fit.draws.log_price,
        log_capacity_draws=fit.draws.log_capacity,
        per_user=per_user,
        diagnostics={
            "noise": fit.noise,
            "dispersion": fit.dispersion,
            "scatter of days": fit.days,
            "units": float(units),
        },
    )


def _ordered(column: pl.Series) -> tuple[str, ...]:
    return tuple(sorted(column.unique().to_list()))


def _cells(
    paid: pl.DataFrame, units: Units, *, segments: tuple[str, ...], placements: tuple[str, ...]
) -> pl.DataFrame:
    """`_CELL_SCHEMA`: what is known of each cell."""
    keys = ["segment", "placement"]
    days = paid.group_by("date", *keys).agg(pl.col("cost_cny").sum())
    seen = days.group_by(keys).agg(
        pl.col("cost_cny").max().alias("observed_max_cny"), pl.len().cast(pl.Int64).alias("days")
    )
    return (
        pl.DataFrame(
            {
                "segment": [segments[i] for i in units.segment],
                "placement": [placements[j] for j in units.placement],
                "size": units.size,
            }
        )
        .join(seen, on=keys, how="left", maintain_order="left")
        .with_columns(pl.col("observed_max_cny", "days").fill_null(0), seen=pl.col("days").is_not_null())
        .select([pl.col(name).cast(kind) for name, kind in _CELL_SCHEMA.items()])
    )
