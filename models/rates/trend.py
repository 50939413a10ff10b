"""Drift of rates over the logged days. In: events observed and expected by age. Out: where they stand today.

Videos wear out, a shop becomes known, seasons come and go, and whoever follows easily has followed already.
Averaged over the window, a rate is that of its middle; a plan needs that of its end. With O events on a day
of a placement and E expected by a rate that knows no days,

    y = log((O + 1/2) / (E + 1/2)) = a + g(day) + e,     Var(e) = 1 / (E + 1/2) + tau^2,

g is nothing, a line over the window, or a smooth wave (a Gaussian process with a Matern kernel of 3/2;
Rasmussen & Williams 2006, 4.2.1), of each placement apart or of nearly all alike, because a season is one for
all of them; tau is the days' own luck (festivals, ranking), half of it common to a day, beside which weekdays
may differ, alike in all placements. All these hypotheses are averaged by how well they explain the days. A
line alone took a wave that had passed for one that lasts.

It must not import anything above numpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.arrays import FloatArray
from models.rates.evidence import posterior_weights
from models.rates.settings import RATES


@dataclass(frozen=True)
class Trend:
    """How a rate moved.

    Attributes:
        now: Log of the rate on the last day with rows over its average of all rows; not carried beyond it.
        sd: Posterior deviation of `now`.
        age_days: Days before `as_of` at which `level` is known, the last day first; none: no drift.
        level: Log of the rate at that age over that of the last day.
    """

    now: float = 0.0
    sd: float = 0.0
    age_days: tuple[float, ...] = ()
    level: tuple[float, ...] = ()

    def at(self, age_days: FloatArray) -> FloatArray:
        """Log of the rate at an age over that of the last day with rows, same shape."""
        if not self.age_days:
            return np.zeros(age_days.shape)
        return np.asarray(np.interp(age_days, self.age_days, self.level))


NO_TREND = Trend()


@dataclass(frozen=True)
class Days:
    """What came and what was expected, summed over days (over as many as it takes to have `most_days`).

    Attributes:
        age_days: Middle of each, (n,), ascending.
        observed, expected: Events.
    """

    age_days: FloatArray
    observed: FloatArray
    expected: FloatArray

    @classmethod
    def of(cls, *, age_days: FloatArray, observed: FloatArray, expected: FloatArray) -> Days:
        """The sums of rows: age in days, events (organic ones taken off), events that a rate without days
        expects; each (n_rows,).
        """
        day = np.floor(age_days)
        width = np.ceil((np.ptp(day) + 1.0) / RATES.most_days) if len(day) else 1.0
        bins = np.floor(day / width).astype(np.int64)
        first = bins.min(initial=0)
        found = np.flatnonzero(np.bincount(bins - first))
        seen, due = (np.bincount(bins - first, x)[found].astype(np.float64) for x in (observed, expected))
        return cls((found + first + 0.5) * width, seen, due)

    @property
    def tell(self) -> bool:
        """Whether there are days and events enough to draw anything through."""
        return len(self.age_days) >= RATES.min_days and self.expected.sum() > 0 and self.observed.sum() > 0


@dataclass(frozen=True)
class _Cells:
    """Days of all placements, one after the other: (n,) each."""

    y: FloatArray
    counted: FloatArray
    age: FloatArray
    place: FloatArray


def fit_trends(days: Mapping[str, Days]) -> dict[str, Trend]:
    """The trend of observed over expected events of each placement; none where `Days.tell` is false."""
    told = {name: one for name, one in days.items() if one.tell}
    if not told:
        return dict.fromkeys(days, NO_TREND)
    due = [one.observed.sum() / one.expected.sum() * one.expected + 0.5 for one in told.values()]
    seen = [np.maximum(one.observed, 0.0) + 0.5 for one in told.values()]
    cells = _Cells(
        y=np.concatenate([np.log(o / e) for o, e in zip(seen, due, strict=True)]),
        counted=1.0 / np.concatenate(due),
        age=np.concatenate([one.age_days for one in told.values()]),
        place=np.repeat(np.arange(float(len(told))), [len(one.age_days) for one in told.values()]),
    )
    paths = _paths(cells)
    noises = _noises(cells)
    fits = [_fit(cells.y, path, noise) for path in paths for noise in noises]
    odds = np.repeat([len(paths) - 1.0, *np.ones(len(paths) - 1)], len(noises))
    weight = posterior_weights(np.array([evidence for *_, evidence in fits]), odds=odds)
    path = np.einsum("k,kn->n", weight, np.array([mean for mean, *_ in fits]))
    covariance = sum(
        w * (inside + np.outer(mean - path, mean - path))
        for w, (mean, inside, _) in zip(weight, fits, strict=True)
    )
    found = dict.fromkeys(days, NO_TREND)
    for j, name in enumerate(told):
        mine = np.flatnonzero(cells.place == j)
        share = due[j] / due[j].sum()
        since = path[mine] - path[mine[0]]
        over = np.eye(len(mine))[0] - share
        found[name] = Trend(
            now=float(-np.log(share @ np.exp(since))),
            sd=float(np.sqrt(max(over @ np.asarray(covariance)[np.ix_(mine, mine)] @ over, 0.0))),
            age_days=tuple(cells.age[mine].tolist()),
            level=tuple(since.tolist()),
        )
    return found


def _paths(cells: _Cells) -> list[FloatArray]:
    """Covariance of g under each hypothesis, (n, n): none; a line and a wave, apart or alike."""
    position = (cells.age - cells.age.min()) / (np.ptp(cells.age) + 1.0) - 0.5
    apart = np.sqrt(3.0) * np.abs(cells.age[:, None] - cells.age) / RATES.wave_days
    line = RATES.drift_sd**2 * np.outer(position, position)
    wave = RATES.wave_sd**2 * (1.0 + apart) * np.exp(-apart)
    own = cells.place[:, None] == cells.place
    moves = [shape * np.where(own, 1.0, alike) for shape in (line, wave) for alike in RATES.drift_alike]
    return [np.zeros_like(line), *moves]


def _noises(cells: _Cells) -> list[FloatArray]:
    """Covariance of y around g under each hypothesis, (n, n): levels, counts, the luck of days, weekdays."""
    same_day = cells.age[:, None] == cells.age
    level = 1.0 * (cells.place[:, None] == cells.place) + np.diag(cells.counted)
    luck = 0.5 * np.eye(len(cells.y)) + 0.5 * same_day
    weekday = np.floor(cells.age) % 7.0
    alike = 1.0 * (weekday[:, None] == weekday)
    return [level + tau**2 * luck + sd**2 * alike for tau in RATES.day_luck for sd in RATES.weekday_luck]


def _fit(y: FloatArray, path: FloatArray, noise: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Posterior mean and covariance of g on the days, and the log evidence up to a constant."""
    lower = np.linalg.cholesky(path + noise)
    half = np.linalg.solve(lower, np.column_stack([path, y]))
    explained, z = half[:, :-1], half[:, -1]
    evidence = -0.5 * float(z @ z) - float(np.log(np.diag(lower)).sum())
    return explained.T @ z, path - explained.T @ explained, evidence
