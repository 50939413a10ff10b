"""Monotone maps of a log rate, fitted under one view of the world or averaged over several.

A rate that was learned from some rows is asked to speak for others: out of fold, under a coin, in another
placement. What changes on the way is a shift and a slope,

    f'(x) = c + a + s (f(x) - c) + sum_k d_k |f(x) - t_k|_+,      a ~ N(a0, sd_a^2),  s ~ N(s0, sd_s^2),

and perhaps bends d_k ~ N(0, sd_d^2 r_k) at knots t_k that each speak for a stretch r_k: the slope walks at
random along the path (a smoothing spline of degree one), as a log-linear rate needs where people have a floor
or a ceiling. A *view* is a prior on all that ("nothing changes", "nobody differs", "anything goes"). Where
the rows decide between views, the view that explains them takes over; where they cannot, the answer is an
average, so a few events neither invent differences nor deny them.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.rates.likelihood import HazardRows, hazard_gradient, hazard_loss

SLOPE_RANGE = (0.01, 2.5)
"""Hard limits of a slope: a map stays increasing."""
SHIFT_LIMIT = 5.0
RATE_LIMIT = 40.0
"""A step that went too far is taken back before exp overflows."""
KNOT_SHARES = (0.01, 0.03, 0.08, 0.17, 0.3, 0.45, 0.6, 0.75, 0.87, 0.95)
"""Where a map may bend: at these shares of the information. Closer together at the low end, where half of the
people hold a twentieth of the events."""
MAX_STEPS = 50


@dataclass(frozen=True)
class LogRateMap:
    """Monotone map of a log rate.

    Attributes:
        centre: Log rate where the shift `a` applies.
        shift: a.
        slope: s > 0.
        knots_x: Knots of the bent part after shift and slope, increasing (empty: straight).
        knots_y: Their images, non-decreasing.
    """

    centre: float = 0.0
    shift: float = 0.0
    slope: float = 1.0
    knots_x: tuple[float, ...] = ()
    knots_y: tuple[float, ...] = ()

    def apply(self, log_rate: np.ndarray) -> np.ndarray:
        """Mapped log rate, same shape."""
        x = self.centre + self.shift + self.slope * (log_rate - self.centre)
        if not self.knots_x:
            return x
        inside = np.interp(x, self.knots_x, self.knots_y)
        return inside + np.minimum(x - self.knots_x[0], 0.0) + np.maximum(x - self.knots_x[-1], 0.0)


def chain(log_rate: np.ndarray, maps: tuple[LogRateMap, ...]) -> np.ndarray:
    """Apply maps from left to right."""
    for one in maps:
        log_rate = one.apply(log_rate)
    return log_rate


@dataclass(frozen=True)
class View:
    """A view of how a rate changes: independent normal priors of shift and slope.

    Attributes:
        shift_sd: Deviation of the shift, log units.
        slope_sd: Deviation of the slope.
        shift: Mean of the shift.
        slope: Mean of the slope.
        bend_sd: Deviation of the slope's change over one log unit; 0: the map is straight.
    """

    shift_sd: float
    slope_sd: float
    shift: float = 0.0
    slope: float = 1.0
    bend_sd: float = 0.0


def fit_affine(rows: HazardRows, log_rate: np.ndarray, view: View) -> LogRateMap:
    """Maximum a posteriori shift and slope of a log rate by damped Fisher scoring.

    The centre is the information-weighted mean of the log rate, which makes the two estimates nearly
    independent: with k events the shift has standard error about 1/sqrt(k).

    Args:
        rows: Events to agree with.
        log_rate: Log rate of each row before the map, (n,).
        view: Prior; its bends are left away.
    """
    if rows.y.size == 0:
        return LogRateMap(shift=view.shift, slope=view.slope)
    path = _Path.of(rows, log_rate, bent=False)
    (shift, slope), _ = _fit(rows, path, log_rate, view)
    return LogRateMap(path.centre, float(shift), float(slope))


@dataclass(frozen=True)
class ViewFits:
    """A map fitted under each of several views, with how well each view explains the rows.

    Attributes:
        path: How the map depends on what was fitted.
        theta: Shift, slope and bends of each view.
        log_evidence: Log marginal likelihood of each view up to a common constant, (n_views,).
    """

    path: _Path
    theta: tuple[np.ndarray, ...]
    log_evidence: np.ndarray

    def average(self, odds: np.ndarray | None = None) -> LogRateMap:
        """The views' maps, weighted by evidence and by prior `odds`, (n_views,) (default: equal)."""
        weight = np.exp(self.log_evidence - self.log_evidence.max())
        weight = weight if odds is None else weight * odds
        weight /= weight.sum()
        shift, slope = (float(weight @ [theta[part] for theta in self.theta]) for part in (0, 1))
        straight = LogRateMap(self.path.centre, shift, slope)
        if self.path.knots.size == 0:
            return straight
        most = self.path.knots.size + 2
        bends = weight @ [np.pad(theta[2:], (0, most - theta.size)) for theta in self.theta]
        return self.path.bent(straight, bends)


def fit_views(rows: HazardRows, log_rate: np.ndarray, views: Sequence[View]) -> ViewFits:
    """Fit the map of at least one row under each view (see `average_views`)."""
    path = _Path.of(rows, log_rate, bent=any(view.bend_sd > 0 for view in views))
    fits = [_fit(rows, path if view.bend_sd > 0 else path.straight, log_rate, view) for view in views]
    return ViewFits(path, tuple(theta for theta, _ in fits), np.array([evidence for _, evidence in fits]))


def average_views(
    rows: HazardRows, log_rate: np.ndarray, views: Sequence[View], *, odds: np.ndarray | None = None
) -> LogRateMap:
    """Map averaged over views, each weighted by its marginal likelihood.

    Args:
        rows: Events to agree with; without any the map changes nothing.
        log_rate: Log rate of each row before the map, (n,).
        views: Priors.
        odds: Of the views before the rows speak, (n_views,); default: equal.
    """
    return fit_views(rows, log_rate, views).average(odds) if rows.y.size else LogRateMap()


@dataclass(frozen=True)
class _Path:
    """How a mapped log rate depends on what is fitted: f' = c + a + s (f - c) + sum_k d_k |f - t_k|_+.

    Each knot t_k bends the path *away* from the centre (|.|_+ counts from the knot outwards), so that shift
    and slope stay those at the centre.

    Attributes:
        centre: c.
        knots: t_k, (n_knots,), increasing; none on a straight path.
        reach: Length of path that a knot speaks for, (n_knots,).
        ends: Least and greatest log rate seen.
    """

    centre: float
    knots: np.ndarray
    reach: np.ndarray
    ends: tuple[float, float]

    @classmethod
    def of(cls, rows: HazardRows, log_rate: np.ndarray, *, bent: bool) -> _Path:
        """The path of these rows; knots at equal shares of their information."""
        _, information = hazard_gradient(rows, log_rate)
        centre = float(np.average(log_rate, weights=information))
        ends = float(log_rate.min()), float(log_rate.max())
        none = np.empty(0)
        if not bent or ends[1] - ends[0] < 1e-9:
            return cls(centre, none, none, ends)
        order = np.argsort(log_rate, kind="stable")
        share = np.cumsum(information[order]) / information.sum()
        knots = np.unique(log_rate[order][np.searchsorted(share, KNOT_SHARES)])
        edges = np.concatenate([ends[:1], 0.5 * (knots[1:] + knots[:-1]), ends[1:]])
        return cls(centre, knots, np.diff(edges), ends)

    @property
    def straight(self) -> _Path:
        """The same without knots."""
        return _Path(self.centre, np.empty(0), np.empty(0), self.ends)

    def design(self, log_rate: np.ndarray) -> np.ndarray:
        """Columns of shift, slope and bends, (n, 2 + n_knots)."""
        x = log_rate - self.centre
        outward = np.where(self.knots >= self.centre, 1.0, -1.0)
        beyond = np.maximum(outward * (log_rate[:, None] - self.knots), 0.0)
        return np.column_stack([np.ones_like(x), x, beyond])

    def prior_sd(self, view: View) -> np.ndarray:
        """Deviations of shift, slope and bends, (2 + n_knots,): the slope walks at random along the path."""
        return np.concatenate([[view.shift_sd, view.slope_sd], view.bend_sd * np.sqrt(self.reach)])

    def bent(self, straight: LogRateMap, bends: np.ndarray) -> LogRateMap:
        """The straight map with the bends, made increasing; beyond the ends it goes on with its slope."""
        at = np.unique(np.concatenate([self.ends[:1], self.knots, self.ends[1:]]))
        x = straight.apply(at)
        y = x + self.design(at)[:, 2:] @ bends
        steps = np.maximum(np.diff(y), SLOPE_RANGE[0] * np.diff(at))
        middle = int(np.searchsorted(at, self.centre))
        y = y[middle] + np.concatenate([[0.0], np.cumsum(steps)]) - steps[:middle].sum()
        return LogRateMap(
            straight.centre, straight.shift, straight.slope, tuple(x.tolist()), tuple(y.tolist())
        )


def _fit(rows: HazardRows, path: _Path, log_rate: np.ndarray, view: View) -> tuple[np.ndarray, float]:
    """Shift, slope and bends of most posterior density, and the Laplace approximation of the view's log
    marginal likelihood up to a constant that views share."""
    design, sd = path.design(log_rate), path.prior_sd(view)
    mean = np.zeros(sd.size)
    mean[:2] = view.shift, np.clip(view.slope, *SLOPE_RANGE)
    theta = mean.copy()
    mean[1] = view.slope

    def mapped(at: np.ndarray) -> np.ndarray:
        return np.clip(path.centre + design @ at, -RATE_LIMIT, RATE_LIMIT)

    def objective(at: np.ndarray) -> float:
        return float(hazard_loss(rows, mapped(at)).sum()) + 0.5 * float((((at - mean) / sd) ** 2).sum())

    def curvature(information: np.ndarray) -> np.ndarray:
        return np.asarray((design * information[:, None]).T @ design + np.diag(sd**-2))

    value = objective(theta)
    for _ in range(MAX_STEPS):
        gradient, information = hazard_gradient(rows, mapped(theta))
        step = np.linalg.solve(curvature(information), design.T @ gradient + (theta - mean) / sd**2)
        factor = 1.0
        while factor > 1e-6:
            trial = _within_limits(theta - factor * step)
            trial_value = objective(trial)
            if trial_value <= value:
                break
            factor /= 2
        if factor <= 1e-6 or value - trial_value < 1e-9:
            break
        theta, value = trial, trial_value
    _, information = hazard_gradient(rows, mapped(theta))
    spread = 0.5 * float(np.linalg.slogdet(curvature(information))[1])
    return theta, -value - float(np.log(sd).sum()) - spread


def _within_limits(theta: np.ndarray) -> np.ndarray:
    """Shift and slope kept inside their hard limits."""
    theta[0] = np.clip(theta[0], -SHIFT_LIMIT, SHIFT_LIMIT)
    theta[1] = np.clip(theta[1], *SLOPE_RANGE)
    return theta
