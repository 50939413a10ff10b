"""Carry-over, saturation, trend and season of a media mix regression, and how plausible each is.

Shapes are drawn by a Gibbs sampler over small grids: a channel's shape given all others has the weight
exp(-BIC / 2), as have the trend and the season. Must not import mlflow, lightgbm, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product

import numpy as np

CARRY_OVER = tuple(k / 10 for k in range(10))
"""Share of the effect that is left for the next date."""
HALF_SPEND = tuple(0.25 * 2 ** (k / 2) for k in range(13))
"""Spend of half saturation over the mean spend, 0.25 to 16 (next to linear). Steps of 1.4: with steps of 2
and little noise the intervals missed a truth between two of them."""
GRID = tuple(product(CARRY_OVER, HALF_SPEND))
TREND_DEGREES, HARMONICS = (1, 2), (1, 2, 3)
DEMAND = tuple(product(TREND_DEGREES, HARMONICS))
YEAR_DAYS = 365.25
BURN_IN = 50
BASE = "level"

Shapes = tuple[int, ...]
"""Position in `DEMAND`, then one in `GRID` per channel."""


@dataclass(frozen=True)
class Design:
    """Columns of one regression.

    Attributes:
        media: One per channel, (n, channels).
        demand: Group -> its columns, (n, k); `level` is the constant.
    """

    media: np.ndarray
    demand: Mapping[str, np.ndarray]

    @property
    def drivers(self) -> tuple[str, ...]:
        """Names of the groups that move demand."""
        return tuple(name for name in self.demand if name != BASE)


@dataclass(frozen=True)
class DrawnShapes:
    """Draws of the sampler, and the columns they stand for.

    Attributes:
        shapes: One per draw.
        features: Per channel, its column at each position of `GRID`, (n, grid).
        groups: Per position of `DEMAND`, the groups of columns.
    """

    shapes: tuple[Shapes, ...]
    features: tuple[np.ndarray, ...]
    groups: tuple[Mapping[str, np.ndarray], ...]

    def design(self, shapes: Shapes) -> Design:
        """Columns of one draw."""
        media = [f[:, k] for f, k in zip(self.features, shapes[1:], strict=True)]
        return Design(np.column_stack(media), self.groups[shapes[0]])


def carried_over(spend: np.ndarray, share: float) -> np.ndarray:
    """a(t) = (1 - share) spend(t) + share a(t - 1), started at the mean spend, (n,).

    >>> carried_over(np.array([4.0, 0.0, 2.0]), 0.5).tolist()
    [3.0, 1.5, 1.75]
    """
    carried, last = np.empty(spend.size), float(spend.mean())
    for t, now in enumerate(spend):
        last = (1 - share) * now + share * last
        carried[t] = last
    return carried


def media_features(spend: np.ndarray) -> np.ndarray:
    """The channel's column at each position of `GRID`, (n, grid)."""
    mean = float(spend.mean())
    by_share = {share: carried_over(spend, share) for share in CARRY_OVER}
    return np.column_stack([by_share[share] / (by_share[share] + half * mean) for share, half in GRID])


def demand_groups(
    dates: Sequence[date], controls: Mapping[str, np.ndarray]
) -> tuple[Mapping[str, np.ndarray], ...]:
    """Level, trend, season and controls at each position of `DEMAND`.

    The season needs more than a year to be told from the trend: with less there is none. Daily dates get the
    day of the week beside it.
    """
    day = np.array([(d - dates[0]).days for d in dates], dtype=float)
    time = 2 * day / day[-1] - 1
    phase = 2 * np.pi * np.array([d.timetuple().tm_yday for d in dates]) / YEAR_DAYS
    known = {name: values[:, None] for name, values in controls.items() if np.ptp(values) > 0}
    weekday = np.eye(7)[[d.weekday() for d in dates]][:, 1:]
    if day[1] == 1:
        known["day of the week"] = weekday
    found = []
    for degree, harmonics in DEMAND:
        groups = {
            BASE: np.ones((day.size, 1)),
            "trend": np.column_stack([time**k for k in range(1, degree + 1)]),
        }
        if day[-1] > YEAR_DAYS:
            waves = [wave(k * phase) for k in range(1, harmonics + 1) for wave in (np.sin, np.cos)]
            groups["season"] = np.column_stack(waves)
        found.append({**groups, **known})
    return tuple(found)


def choose_shapes(
    sales: np.ndarray,
    *,
    spend: Mapping[str, np.ndarray],
    groups: tuple[Mapping[str, np.ndarray], ...],
    rng: np.random.Generator,
    draws: int,
) -> DrawnShapes:
    """Draw shapes with the weight exp(-BIC / 2), one coordinate given the others at a time.

    Args:
        sales: (n,).
        spend: Channel -> (n,).
        groups: From `demand_groups`.
        rng: Of the sampler.
        draws: How many are kept.
    """
    features = tuple(media_features(values) for values in spend.values())
    demand = [np.column_stack(list(g.values())) for g in groups]
    now = [len(demand) - 1, *[len(GRID) // 2] * len(features)]
    kept: list[Shapes] = []
    for sweep in range(BURN_IN + draws):
        media = np.column_stack([f[:, k] for f, k in zip(features, now[1:], strict=True)])
        now[0] = _draw(_bic_of_demand(sales, media, demand), rng)
        for j, candidates in enumerate(features):
            others = [f[:, k] for i, (f, k) in enumerate(zip(features, now[1:], strict=True)) if i != j]
            rest = np.column_stack([demand[now[0]], *others])
            now[1 + j] = _draw(_bic_of_channel(sales, candidates, rest), rng)
        if sweep >= BURN_IN:
            kept.append(tuple(now))
    return DrawnShapes(tuple(kept), features, groups)


def _draw(bic: np.ndarray, rng: np.random.Generator) -> int:
    weight = np.exp(-0.5 * (bic - bic.min()))
    return int(rng.choice(bic.size, p=weight / weight.sum()))


def _bic_of_demand(sales: np.ndarray, media: np.ndarray, demand: Sequence[np.ndarray]) -> np.ndarray:
    n, found = sales.size, []
    for columns in demand:
        x = np.column_stack([columns, media])
        residual = sales - x @ np.linalg.lstsq(x, sales, rcond=None)[0]
        found.append(n * np.log(float(residual @ residual) / n) + x.shape[1] * np.log(n))
    return np.asarray(found)


def _bic_of_channel(sales: np.ndarray, candidates: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """All candidates at once: by Frisch, Waugh & Lovell only what `rest` leaves of them counts, (grid,)."""
    basis = np.linalg.qr(rest)[0]
    y = sales - basis @ (basis.T @ sales)
    x = candidates - basis @ (basis.T @ candidates)
    square = np.maximum((x**2).sum(axis=0), 1e-300)
    left = np.maximum(y @ y - (x.T @ y) ** 2 / square, 1e-300)
    return np.asarray(sales.size * np.log(left / sales.size))
