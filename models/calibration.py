"""Makes predicted rates mean what they say: monotone maps of a log rate, and the tables that prove it.

Two maps, chosen by evidence. Few events: a shift and a slope, averaged over two views: the shape is right up
to a slope around one, or nobody differs from anybody and the shape is noise. Many events: the same, then an
isotonic curve through bins of equal information, kept only if it lowers the held-out loss. Maps are monotone,
so they never reorder people; they extend beyond their knots with slope one, so they never flatten the best
people.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.likelihood import HazardRows, constant_log_rate, fold_of, hazard_gradient, hazard_loss
from models.rate_maps import LogRateMap, View, average_views, chain

VIEWS = (View(shift_sd=1.0, slope_sd=0.5), View(shift_sd=1.0, slope_sd=0.05, slope=0.0))
"""The shape holds, more or less; nobody differs. With 60 buyers a shape that cross-validation let pass is
noise often enough that only out-of-fold rows may say which."""

ISOTONIC_EVENTS = 150
"""Fewer events than this cannot support a curve."""
EVENTS_PER_BIN, ISOTONIC_BINS = 25, 20
"""An isotonic bin stands on this many events; at most so many bins."""


def fit_isotonic(rows: HazardRows, log_rate: np.ndarray) -> LogRateMap:
    """Isotonic curve through bins of equal information; each bin's rate is its own maximum likelihood.

    Returns:
        A map with a knot per `EVENTS_PER_BIN` events, at most `ISOTONIC_BINS`; pooled neighbours share one
        level.
    """
    from sklearn.isotonic import IsotonicRegression

    bins = int(np.clip(rows.events // EVENTS_PER_BIN, 1, ISOTONIC_BINS))
    _, information = hazard_gradient(rows, log_rate)
    order = np.argsort(log_rate, kind="stable")
    cumulative = np.cumsum(information[order])
    label = np.minimum((cumulative / cumulative[-1] * bins).astype(int), bins - 1)
    x, y, size = [], [], []
    for k in np.unique(label):
        members = order[label == k]
        weight = information[members]
        x.append(float(np.average(log_rate[members], weights=weight)))
        y.append(constant_log_rate(rows.take(members)))
        size.append(float(weight.sum()))
    level = IsotonicRegression().fit_transform(np.array(x), np.array(y), sample_weight=np.array(size))
    kept = np.concatenate([[True], np.diff(x) > 1e-9])
    return LogRateMap(0.0, 0.0, 1.0, tuple(np.array(x)[kept].tolist()), tuple(level[kept].tolist()))


def fit_calibration(rows: HazardRows, log_rate: np.ndarray, *, seed: int) -> tuple[LogRateMap, ...]:
    """Calibrate out-of-fold log rates: two numbers always, an isotonic curve where it lowers the
    cross-fitted loss.

    Args:
        rows: Held-out or out-of-fold rows.
        log_rate: Their uncalibrated log rates.
        seed: Seed of the two halves on which the curves are compared.
    """
    affine = average_views(rows, log_rate, VIEWS)
    if rows.events < ISOTONIC_EVENTS or np.ptp(log_rate) < 1e-9:
        return (affine,)
    half = fold_of(rows.user, 2, seed)
    plain = curved = 0.0
    for k in (0, 1):
        fit, check = half != k, half == k
        first = average_views(rows.take(fit), log_rate[fit], VIEWS)
        second = fit_isotonic(rows.take(fit), first.apply(log_rate[fit]))
        plain += float(hazard_loss(rows.take(check), first.apply(log_rate[check])).sum())
        curved += float(hazard_loss(rows.take(check), chain(log_rate[check], (first, second))).sum())
    if curved < plain:
        return affine, fit_isotonic(rows, affine.apply(log_rate))
    return (affine,)


@dataclass(frozen=True)
class Reliability:
    """Predicted against observed in groups of equal expected events, for a chart and two numbers.

    Attributes:
        predicted: Expected events per group, (n_groups,).
        actual: Observed events per group.
        rows: Rows per group.
        ece: Expected calibration error of the event probability: mean |predicted - actual| weighted by rows.
    """

    predicted: tuple[float, ...]
    actual: tuple[float, ...]
    rows: tuple[int, ...]
    ece: float

    @property
    def ratios(self) -> np.ndarray:
        """Predicted / actual per group (infinite where nothing happened)."""
        actual = np.array(self.actual)
        return np.where(actual > 0, np.array(self.predicted) / np.maximum(actual, 1e-12), np.inf)

    def to_json(self) -> dict[str, Any]:
        """Plain dict for JSON."""
        return {
            "predicted": list(self.predicted),
            "actual": list(self.actual),
            "rows": list(self.rows),
            "ece": self.ece,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Reliability:
        """Inverse of `to_json`."""
        return cls(tuple(value["predicted"]), tuple(value["actual"]), tuple(value["rows"]), value["ece"])


def reliability(
    *, probability: np.ndarray, y: np.ndarray, score: np.ndarray, groups: int = 10
) -> Reliability:
    """Group rows by score into `groups` groups of equal expected events and compare with what happened.

    Args:
        probability: Predicted event probability of each row, (n,).
        y: 1.0 where the event happened.
        score: What the rows are sorted by (the rate per unit of exposure).
        groups: Number of groups; fewer when fewer than five events are expected in each.

    >>> half, turns = np.full(100, 0.5), np.tile([0.0, 1.0], 50)
    >>> table = reliability(probability=half, y=turns, score=np.arange(100.0), groups=5)
    >>> table.predicted, table.actual, table.ece
    ((10.0, 10.0, 10.0, 10.0, 10.0), (10.0, 10.0, 10.0, 10.0, 10.0), 0.0)
    """
    groups = max(1, min(groups, int(probability.sum() // 5)))
    order = np.argsort(score, kind="stable")
    cumulative = np.cumsum(probability[order])
    total = max(float(cumulative[-1]) if cumulative.size else 0.0, 1e-12)
    label = np.minimum(np.ceil(cumulative / total * groups - 1e-9).astype(int) - 1, groups - 1).clip(0)
    predicted = np.bincount(label, probability[order], groups)
    actual = np.bincount(label, y[order], groups)
    size = np.bincount(label, minlength=groups)
    ece = float(np.abs(predicted - actual).sum() / max(size.sum(), 1))
    return Reliability(tuple(predicted.tolist()), tuple(actual.tolist()), tuple(size.tolist()), ece)
