"""Monotone maps of a log rate. In: events, log rates, priors. Out: the map, averaged over the priors.

A rate that was learned from some rows is asked to speak for others: out of fold, under a coin, in another
placement. What changes on the way is a shift and a slope,

    f'(x) = c + a + s (f(x) - c) + sum_k d_k |f(x) - t_k|_+,      a ~ N(a0, sd_a^2),  s ~ N(s0, sd_s^2),

and perhaps bends d_k ~ N(0, sd_d^2 r_k) at knots t_k that each speak for a stretch r_k: the slope walks at
random along the path (a smoothing spline of degree one), as a log-linear rate needs where people have a floor
or a ceiling. A `MapPrior` is one hypothesis on all that ("nothing changes", "nobody differs", "anything
goes"); several are averaged by how well they explain the rows (`evidence`), so a few events neither invent
differences nor deny them.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.rates.evidence import posterior_weights
from models.rates.likelihood import HazardRows, hazard_gradient
from models.rates.scoring import Regression, scoring_steps
from models.rates.settings import RATES, MapPrior


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


def fit_affine(rows: HazardRows, log_rate: np.ndarray, prior: MapPrior) -> LogRateMap:
    """Maximum a posteriori shift and slope of a log rate by damped Fisher scoring.

    The centre is the information-weighted mean of the log rate, which makes the two estimates nearly
    independent: with k events the shift has standard error about 1/sqrt(k).

    Args:
        rows: Events to agree with.
        log_rate: Log rate of each row before the map, (n,).
        prior: Hypothesis; its bends are left away.
    """
    if rows.y.size == 0:
        return LogRateMap(shift=prior.shift, slope=prior.slope)
    path = _Path.of(rows, log_rate, bent=False)
    (shift, slope), _ = _fit(rows, path, log_rate, prior)
    return LogRateMap(path.centre, float(shift), float(slope))


@dataclass(frozen=True)
class MapFits:
    """A map fitted under each of several priors, with how well each prior explains the rows.

    Attributes:
        path: How the map depends on what was fitted.
        theta: Shift, slope and bends of each prior.
        log_evidence: Log marginal likelihood of each prior up to a common constant, (n_priors,).
    """

    path: _Path
    theta: tuple[np.ndarray, ...]
    log_evidence: np.ndarray

    def average(self, odds: np.ndarray | None = None) -> LogRateMap:
        """The maps, weighted by evidence and by the `odds` before the rows, (n_priors,) (default: equal)."""
        weight = posterior_weights(self.log_evidence, odds=odds)
        shift, slope = (float(weight @ [theta[part] for theta in self.theta]) for part in (0, 1))
        straight = LogRateMap(self.path.centre, shift, slope)
        if self.path.knots.size == 0:
            return straight
        most = self.path.knots.size + 2
        bends = weight @ [np.pad(theta[2:], (0, most - theta.size)) for theta in self.theta]
        return self.path.bent(straight, bends)


def fit_maps(rows: HazardRows, log_rate: np.ndarray, priors: Sequence[MapPrior]) -> MapFits:
    """Fit the map of at least one row under each prior (see `average_maps`)."""
    path = _Path.of(rows, log_rate, bent=any(prior.bend_sd > 0 for prior in priors))
    fits = [_fit(rows, path if prior.bend_sd > 0 else path.straight, log_rate, prior) for prior in priors]
    return MapFits(path, tuple(theta for theta, _ in fits), np.array([evidence for _, evidence in fits]))


def average_maps(
    rows: HazardRows, log_rate: np.ndarray, priors: Sequence[MapPrior], *, odds: np.ndarray | None = None
) -> LogRateMap:
    """Map averaged over priors, each weighted by its marginal likelihood.

    Args:
        rows: Events to agree with; without any the map changes nothing.
        log_rate: Log rate of each row before the map, (n,).
        priors: Hypotheses.
        odds: Of the priors before the rows speak, (n_priors,); default: equal.
    """
    return fit_maps(rows, log_rate, priors).average(odds) if rows.y.size else LogRateMap()


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
        knots = np.unique(log_rate[order][np.searchsorted(share, RATES.knot_shares)])
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

    def prior_sd(self, prior: MapPrior) -> np.ndarray:
        """Deviations of shift, slope and bends, (2 + n_knots,): the slope walks at random along the path."""
        return np.concatenate([[prior.shift_sd, prior.slope_sd], prior.bend_sd * np.sqrt(self.reach)])

    def bent(self, straight: LogRateMap, bends: np.ndarray) -> LogRateMap:
        """The straight map with the bends, made increasing; beyond the ends it goes on with its slope."""
        at = np.unique(np.concatenate([self.ends[:1], self.knots, self.ends[1:]]))
        x = straight.apply(at)
        y = x + self.design(at)[:, 2:] @ bends
        steps = np.maximum(np.diff(y), RATES.slope_range[0] * np.diff(at))
        middle = int(np.searchsorted(at, self.centre))
        y = y[middle] + np.concatenate([[0.0], np.cumsum(steps)]) - steps[:middle].sum()
        return LogRateMap(
            straight.centre, straight.shift, straight.slope, tuple(x.tolist()), tuple(y.tolist())
        )


def _fit(rows: HazardRows, path: _Path, log_rate: np.ndarray, prior: MapPrior) -> tuple[np.ndarray, float]:
    """Shift, slope and bends of most posterior density, and the Laplace approximation of the prior's log
    marginal likelihood up to a constant that priors share.
    """
    sd = path.prior_sd(prior)
    mean = np.zeros(sd.size)
    mean[:2] = prior.shift, prior.slope
    problem = Regression(rows, path.design(log_rate), mean, sd**-2, offset=path.centre)
    theta = _within_limits(mean.copy())
    for trial, gained in scoring_steps(
        problem, theta, most=RATES.map_steps, fresh=RATES.map_steps, shortest=1e-6, within=_within_limits
    ):
        if gained < RATES.map_tolerance_nats:
            break
        theta = trial
    f = problem.log_rate(theta)
    _, information = rows.gradient(f)
    spread = 0.5 * float(np.linalg.slogdet(problem.curvature(information))[1])
    return theta, -problem.loss(theta, f) - float(np.log(sd).sum()) - spread


def _within_limits(theta: np.ndarray) -> np.ndarray:
    """Shift and slope kept inside their hard limits."""
    theta[0] = np.clip(theta[0], -RATES.shift_limit, RATES.shift_limit)
    theta[1] = np.clip(theta[1], *RATES.slope_range)
    return theta
