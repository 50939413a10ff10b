"""Response of the platform to money. In: money and delivery per day and cell. Out: one-day curves and draws.

Logged daily spend and delivery become one pooled, concave `CurveSet` for one day (see `models.supply` for the
statistics), with draws for the intervals and the largest spend each curve was learned from. The shape is kept
per user, so that the same response serves an audience of another size. It must not import targeting, and it
knows nothing about what a follow is worth.
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
from models.supply.curve_draws import draw_supply
from models.supply.curves import FAMILIES, CurveSet
from models.supply.family_choice import Choice, choose_family
from models.supply.panel import Panel, build_panel, paid_days
from models.supply.pooled_fit import SupplyFit, fit_supply
from models.supply.price_shapes import SUPPLY_FAMILIES
from models.supply.settings import SUPPLY

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
        family: one of `models.supply.SUPPLY_FAMILIES`.
        log_price, log_capacity: (n_cells,) point estimates (see `models.supply`).
        log_price_draws, log_capacity_draws: (n_draws, n_cells).
        reference_log: (n_cells,) log spend per size where the price of `power` holds.
        halfway_log: (n_cells,) log capacity at which the elasticity of `power` is 1/2.
        per_user: whether `size` counts users, so that curves can be rescaled to other audiences.
        diagnostics: losses of the families, spreads, day effects, how many rows were used.
    """

    cells: Annotated[pl.DataFrame, Rows(_CELL_SCHEMA)]
    family: str
    log_price: Array
    log_capacity: Array
    log_price_draws: Array
    log_capacity_draws: Array
    reference_log: Array
    halfway_log: Array
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
        return np.asarray(self.cells["observed_max_cny"].to_numpy() * ratio)

    @property
    def day_scatter(self) -> tuple[float, float]:
        """Deviation of the log of a day's delivery around the curve: of all cells together, of one apart."""
        together, apart = (self.diagnostics.get(key, 0.0) for key in ("sd_price_between_days", "sd_noise"))
        return float(together), float(apart)

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
        return written(_STORED, self)

    @classmethod
    def from_json(cls, text: str) -> ResponseModel:
        """The model that `to_json` wrote."""
        return read(_STORED, text, source="response.json", what="supply response")

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


_STORED = TypeAdapter(ResponseModel)


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
        users_by_segment: users of each segment the money was spent on; None where unknown (no rescaling
            then).
        n_draws: joint draws of all curves.
        placements: cells are every segment x these; default those in `daily`.
        outcome: what the money buys (column of `daily`).
        elasticity: (mean, standard deviation) of d log y / d log s at the largest logged spend, a prior that
            replaces the default "four times what was delivered", for data in which spend never varies within
            a cell.
        dispersion: variance over mean of `outcome`, where too few repeated days could teach it.
        family: skip the choice by cross-validation.

    Raises:
        DataError: no paid delivery at all, or none in one of `placements`, or values that are not finite.
    """
    paid = paid_days(daily, outcome=outcome, placements=placements)
    names = placements or _ordered(paid["placement"])
    segments = tuple(users_by_segment) if users_by_segment is not None else _ordered(paid["segment"])
    paid = paid.filter(pl.col("segment").is_in(segments))
    _require_delivery(paid, names, outcome=outcome)
    panel = build_panel(
        paid, segments=segments, placements=names, users=users_by_segment, outcome=outcome,
        elasticity=elasticity, dispersion=dispersion,
    )  # fmt: skip
    choice = choose_family(panel) if family is None else Choice(family, {family: 0.0}, 0.3)
    fit = fit_supply(panel, family=choice.family)
    drawn = draw_supply(panel, fit, rng=rng, n_draws=n_draws, extra_sd=choice.extra_sd)
    cells = _cells(panel, segments=segments, placements=names)
    return _model(panel, fit, drawn, cells=cells, choice=choice, per_user=users_by_segment is not None)


def _require_delivery(paid: pl.DataFrame, placements: tuple[str, ...], *, outcome: str) -> None:
    for placement in placements:
        if paid.filter(pl.col("placement") == placement)[outcome].sum() <= 0:
            raise DataError(
                f"placement {placement!r}: has no paid {outcome}; expected a day with cost and "
                "delivery; log such a day or take the placement out of the brief"
            )


def _model(
    panel: Panel, fit: SupplyFit, drawn: SupplyFit, *, cells: pl.DataFrame, choice: Choice, per_user: bool
) -> ResponseModel:
    place = panel.placement
    return ResponseModel(
        cells=cells,
        family=choice.family,
        log_price=fit.log_price[0],
        log_capacity=fit.log_capacity[0],
        log_price_draws=drawn.log_price,
        log_capacity_draws=drawn.log_capacity,
        reference_log=panel.reference_log[place],
        halfway_log=(panel.capacity_log - np.log(SUPPLY.capacity_over_observed))[place],
        per_user=per_user,
        diagnostics=_diagnostics(panel, fit, choice),
    )


def _ordered(column: pl.Series) -> tuple[str, ...]:
    return tuple(sorted(column.unique().to_list()))


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


def _diagnostics(panel: Panel, fit: SupplyFit, choice: Choice) -> dict[str, float | str]:
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
