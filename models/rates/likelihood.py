"""What the rates are fitted to. In: outcomes, exposures, log rates. Out: loss, gradient and information.

Every event of the funnel (organic follow, follow after being shown, entering the live room, first kept order)
is one model,

    P(event) = 1 - exp(-lambda),   lambda = b + w exp(f(x)),

with an exposure w > 0 (impressions, user-days, or the share of the delay curve already observed) and a known
baseline b >= 0 (organic hazard). Per row the log-likelihood is y log(1 - exp(-lambda)) - (1 - y) lambda.
With u = w exp(f) and p = 1 - exp(-lambda):

    gradient of the loss     dL/df  = u (1 - y / p)
    Fisher information       E[g^2] = u^2 / (exp(lambda) - 1)     (= u, the expected events, if b = 0, u
    small)

so an L2 penalty and a least information per leaf are numbers of events. The observed Hessian can be
negative when b > 0; the Fisher information cannot, hence Fisher scoring everywhere. The
proportional-hazards reading: w = Lambda0(t)/Lambda0(H) makes a follower seen for t < H days censored, not a
non-buyer.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.rates.settings import RATES


@dataclass(frozen=True)
class HazardRows:
    """Rows of one event model; arrays of shape (n,).

    Attributes:
        user: Row of the user matrix.
        y: 1.0 if the event happened.
        w: Exposure offset, > 0.
        b: Known baseline hazard of the row, >= 0.
        weight: Likelihood weight (1 where nothing is known).
    """

    user: np.ndarray
    y: np.ndarray
    w: np.ndarray
    b: np.ndarray
    weight: np.ndarray

    @property
    def events(self) -> float:
        """Number of events, unweighted."""
        return float(self.y.sum())

    def constant(self) -> float:
        """Constant log rate of maximum likelihood."""
        return constant_log_rate(self)

    def loss(self, f: np.ndarray) -> np.ndarray:
        """Negative log-likelihood per row at log rates f, (n,)."""
        return hazard_loss(self, f)

    def gradient(self, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradient and Fisher information per row at log rates f, each (n,)."""
        return hazard_gradient(self, f)

    def take(self, mask: np.ndarray | slice) -> HazardRows:
        """Rows under a boolean mask, an index or a slice."""
        return HazardRows(self.user[mask], self.y[mask], self.w[mask], self.b[mask], self.weight[mask])

    def thinned(self, seed: int) -> HazardRows:
        """At most `most_events` rows with the event and `most_quiet` without, weighted for all of them.

        The likelihood keeps its expectation (case-control sampling with known rates), while the work stays
        bounded: with 40,000 events a rate is known to 0.5 % anyway, and rows without the event carry only
        exposure.
        """
        rng = np.random.default_rng(seed)
        chosen, weight = [], self.weight.copy()
        for group, most in (
            (np.flatnonzero(self.y > 0), RATES.most_events),
            (np.flatnonzero(self.y == 0), RATES.most_quiet),
        ):
            if group.size > most:
                weight[group] *= group.size / most
                group = rng.choice(group, most, replace=False)
            chosen.append(group)
        index = np.sort(np.concatenate(chosen))
        return HazardRows(self.user[index], self.y[index], self.w[index], self.b[index], weight[index])


@dataclass(frozen=True)
class AmountRows:
    """Log amounts of buyers; arrays of shape (n,). Squared error on the log scale, in units of the
    variance: robust to a heavy tail.

    Attributes:
        user: Row of the user matrix.
        y: Natural logarithm of the amount in CNY.
        weight: Weight (less for buyers seen for a part of the horizon).
        scale: Standard deviation of y that turns the loss into nats.
    """

    user: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    scale: float

    @property
    def events(self) -> float:
        """Number of amounts."""
        return float(self.y.size)

    def constant(self) -> float:
        """Weighted mean of the log amount."""
        return float(np.average(self.y, weights=self.weight)) if self.y.size else 0.0

    def loss(self, f: np.ndarray) -> np.ndarray:
        """Half the squared error per row in units of the variance, (n,)."""
        return np.asarray(0.5 * self.weight * ((self.y - f) / self.scale) ** 2)

    def gradient(self, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradient and information per row, each (n,)."""
        information = self.weight / self.scale**2
        return information * (f - self.y), information

    def thinned(self, seed: int) -> AmountRows:
        """At most `most_quiet` of them."""
        if self.y.size <= RATES.most_quiet:
            return self
        chosen = np.random.default_rng(seed).choice(self.y.size, RATES.most_quiet, replace=False)
        return self.take(np.sort(chosen))

    def take(self, mask: np.ndarray | slice) -> AmountRows:
        """Rows under a boolean mask, an index or a slice."""
        return AmountRows(self.user[mask], self.y[mask], self.weight[mask], self.scale)


Rows = HazardRows | AmountRows


def hazard_loss(rows: HazardRows, log_rate: np.ndarray) -> np.ndarray:
    """Negative log-likelihood per row (weighted), shape (n,)."""
    lam = rows.b + rows.w * np.exp(log_rate)
    log_p = np.log(np.maximum(-np.expm1(-lam), 1e-300))
    return np.asarray(rows.weight * np.where(rows.y > 0, -log_p, lam))


def hazard_gradient(rows: HazardRows, log_rate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradient of the loss and Fisher information with respect to the log rate, each (n,)."""
    u = rows.w * np.exp(log_rate)
    lam = np.clip(rows.b + u, 1e-300, 700.0)
    odds = np.expm1(lam)
    gradient = u * np.where(rows.y > 0, -1.0 / odds, 1.0)
    information = u * u / odds
    return rows.weight * gradient, rows.weight * np.maximum(information, 1e-12)


def constant_log_rate(rows: HazardRows) -> float:
    """Weighted maximum-likelihood constant f, by Fisher scoring.

    Half an event is added so that no event at all gives a small rate instead of zero; never below a
    thousandth of the crude rate, so that a baseline that explains everything leaves a finite number.
    """
    exposure = float((rows.weight * rows.w).sum())
    events = float((rows.weight * rows.y).sum())
    if exposure <= 0:
        return -RATES.log_range
    crude = np.log((events + 0.5) / exposure)
    if not rows.b.any() and events == 0:
        return float(crude)
    f, low = crude, crude - 7.0
    for _ in range(RATES.constant_steps):
        gradient, information = hazard_gradient(rows, np.full(rows.y.shape, f))
        step = float(gradient.sum()) / float(information.sum())
        f = max(f - float(np.clip(step, -2.0, 2.0)), low)
        if abs(step) < 1e-10 or f == low:
            break
    return float(f)


def fold_of(users: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Fold of each row so that a user is in one fold only; depends on the user's row number and the seed."""
    order = np.random.default_rng(seed).permutation(int(users.max(initial=0)) + 1)
    return np.asarray(order[users] % folds)
