"""LightGBM for rates: the only module that imports lightgbm.

Every event of the funnel (organic follow, follow after being shown, entering the live room, first kept order) is one model,

    P(event) = 1 - exp(-lambda),   lambda = b + w exp(f(x)),

with an exposure w > 0 (impressions, user-days, or the share of the delay curve already observed) and a known baseline
b >= 0 (organic hazard). Per row the log-likelihood is y log(1 - exp(-lambda)) - (1 - y) lambda. With u = w exp(f) and
p = 1 - exp(-lambda):

    gradient of the loss     dL/df   = u (1 - y / p)
    Fisher information       E[g^2]  = u^2 / (exp(lambda) - 1)        (= u, the expected events, when b = 0 and u small)

so `min_sum_hessian_in_leaf` counts events' worth of information and the L2 penalty is a number of pseudo-events.
The observed Hessian can be negative when b > 0; the Fisher information cannot, hence Fisher scoring.
The proportional-hazards reading: w = Lambda0(t)/Lambda0(H) makes a follower seen for t < H days censored, not a non-buyer.

Must not import mlflow, targeting or pipelines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

MIN_EVENTS = 20
"""Below this many events only the constant is fitted: a split would be noise."""
LOG_RANGE = 12.0
"""exp(f) stays within e^12 of the constant: no overflow, no effect on any believable rate."""
MAX_ROUNDS = 240
PATIENCE = 20


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

    def take(self, mask: np.ndarray) -> HazardRows:
        """Rows under a boolean mask or an index."""
        return HazardRows(self.user[mask], self.y[mask], self.w[mask], self.b[mask], self.weight[mask])


@dataclass(frozen=True)
class AmountRows:
    """Log amounts of buyers; arrays of shape (n,). Squared error on the log scale, in units of the variance: robust to a heavy tail.

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
        return 0.5 * self.weight * ((self.y - f) / self.scale) ** 2

    def gradient(self, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradient and information per row, each (n,)."""
        information = self.weight / self.scale**2
        return information * (f - self.y), information

    def take(self, mask: np.ndarray) -> AmountRows:
        """Rows under a boolean mask or an index."""
        return AmountRows(self.user[mask], self.y[mask], self.weight[mask], self.scale)


Rows = HazardRows | AmountRows


def hazard_loss(rows: HazardRows, log_rate: np.ndarray) -> np.ndarray:
    """Negative log-likelihood per row (weighted), shape (n,)."""
    lam = rows.b + rows.w * np.exp(log_rate)
    log_p = np.log(np.maximum(-np.expm1(-lam), 1e-300))
    return rows.weight * np.where(rows.y > 0, -log_p, lam)


def hazard_gradient(rows: HazardRows, log_rate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradient of the loss and Fisher information with respect to the log rate, each (n,)."""
    u = rows.w * np.exp(log_rate)
    lam = np.clip(rows.b + u, 1e-300, 700.0)
    gradient = u * np.where(rows.y > 0, -1.0 / np.expm1(lam), 1.0)
    information = u * u / np.expm1(lam)
    return rows.weight * gradient, rows.weight * np.maximum(information, 1e-12)


def constant_log_rate(rows: HazardRows) -> float:
    """Weighted maximum-likelihood constant f, found by bisection on the (monotone) score in exp(f).

    Half an event is added so that no event at all gives a small rate instead of zero; never below a thousandth of the
    crude rate, so that a baseline that explains everything leaves a finite number.
    """
    exposure = float((rows.weight * rows.w).sum())
    events = float((rows.weight * rows.y).sum())
    if exposure <= 0:
        return -LOG_RANGE
    crude = np.log((events + 0.5) / exposure)
    if not rows.b.any() and events == 0:
        return float(crude)
    low, high = crude - 7.0, crude + 3.0
    for _ in range(60):
        mid = (low + high) / 2
        gradient, _ = hazard_gradient(rows, np.full(rows.y.shape, mid))
        low, high = (mid, high) if gradient.sum() < 0 else (low, mid)
    return float((low + high) / 2)


@dataclass(frozen=True)
class HazardBooster:
    """Log rate f(x) = constant + trees(x); trees as LightGBM text, so nothing is ever pickled.

    Attributes:
        constant: Log rate before the trees.
        text: LightGBM model text, or "" when only the constant could be learned.
    """

    constant: float
    text: str = ""
    _loaded: list[Any] = field(default_factory=list, repr=False, compare=False)

    def log_rate(self, matrix: np.ndarray, *, threads: int = 1) -> np.ndarray:
        """f(x) for a feature matrix (n, p), shape (n,)."""
        if not self.text or matrix.shape[0] == 0:
            return np.full(matrix.shape[0], self.constant)
        if not self._loaded:
            import lightgbm

            self._loaded.append(lightgbm.Booster(model_str=self.text))
        raw = cast(np.ndarray, self._loaded[0].predict(matrix, raw_score=True, num_threads=threads))
        return self.constant + np.clip(raw, -LOG_RANGE, LOG_RANGE)


@dataclass(frozen=True)
class BoostedFit:
    """A fitted booster with what cross-validation said about it.

    Attributes:
        booster: Fitted on every row.
        out_of_fold: f(x) of each row by the fold model that did not see its user, shape (n,).
        rounds: Number of trees; 0 means the constant won.
        gain: Cross-validated improvement of the loss over the constant, in nats in total.
    """

    booster: HazardBooster
    out_of_fold: np.ndarray
    rounds: int
    gain: float


def fold_of(users: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Fold of each row so that a user is in one fold only; depends on the user's row number and the seed."""
    order = np.random.default_rng(seed).permutation(int(users.max(initial=0)) + 1)
    return order[users] % folds


def _parameters(seed: int, threads: int, leaf_information: float) -> dict[str, Any]:
    return {
        "learning_rate": 0.08,
        "num_leaves": 8,
        "max_depth": 4,
        "min_data_in_leaf": 20,
        "min_sum_hessian_in_leaf": leaf_information,
        "lambda_l2": 5.0,
        "cat_smooth": 10.0,
        "cat_l2": 10.0,
        "min_data_per_group": 50,
        "max_bin": 127,
        "feature_fraction": 0.8,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": threads,
        "verbosity": -1,
        "feature_pre_filter": False,
    }


class _Trainer:
    """Grows trees for one set of rows."""

    def __init__(self, matrix: np.ndarray, rows: Rows, categorical: tuple[int, ...], params: dict[str, Any]):
        import lightgbm

        self.rows = rows
        self.constant = rows.constant()
        data = lightgbm.Dataset(
            matrix,
            label=rows.y,
            categorical_feature=list(categorical) or "auto",
            params=params,
            free_raw_data=False,
        )
        self.booster = lightgbm.Booster(params={**params, "objective": "none"}, train_set=data)

    def _objective(self, score: np.ndarray, _data: Any) -> tuple[np.ndarray, np.ndarray]:
        return self.rows.gradient(self.constant + np.clip(score, -LOG_RANGE, LOG_RANGE))

    def grow(self) -> bool:
        """Add one tree; false when no split is worth its leaves."""
        return not self.booster.update(fobj=self._objective)


def _train_fold(trainer: _Trainer, matrix: np.ndarray, rows: Rows) -> tuple[np.ndarray, list[float]]:
    """f of the held-out rows after each round (rounds + 1, n) and their summed losses."""
    f = np.full(rows.y.shape, trainer.constant)
    path = [f]
    losses = [float(rows.loss(f).sum())]
    for round_number in range(MAX_ROUNDS):
        if not trainer.grow():
            break
        step = trainer.booster.predict(matrix, raw_score=True, start_iteration=round_number, num_iteration=1)
        f = f + step
        path.append(f)
        losses.append(float(rows.loss(f).sum()))
        if round_number + 1 - int(np.argmin(losses)) >= PATIENCE:
            break
    return np.array(path), losses


def fit_boosted(
    *,
    matrix: np.ndarray,
    rows: Rows,
    categorical: tuple[int, ...],
    seed: int,
    threads: int,
    folds: int = 4,
    leaf_information: float = 5.0,
) -> BoostedFit:
    """Fit f(x); the number of trees is chosen by cross-validation over users.

    Args:
        matrix: Features of each row, (n, p).
        rows: What is observed (hazard events or log amounts).
        categorical: Positions of category columns.
        seed: Seed of folds and column sampling.
        threads: LightGBM threads; the result is the same for the same number.
        folds: Cross-validation folds.
        leaf_information: Least Fisher information (events' worth) in a leaf.

    Returns:
        The booster fitted on all rows, with out-of-fold values for calibration.
    """
    constant = rows.constant()
    flat = BoostedFit(HazardBooster(constant), np.full(rows.y.shape, constant), 0, 0.0)
    fold = fold_of(rows.user, folds, seed)
    insides = [rows.take(fold != k) for k in range(folds)]
    if rows.events < MIN_EVENTS or matrix.shape[1] == 0 or min(inside.events for inside in insides) < 1:
        return flat
    params = _parameters(seed, threads, leaf_information)
    paths: list[np.ndarray] = []
    losses: list[list[float]] = []
    for k, inside in enumerate(insides):
        trainer = _Trainer(matrix[fold != k], inside, categorical, params)
        path, loss = _train_fold(trainer, matrix[fold == k], rows.take(fold == k))
        paths.append(path)
        losses.append(loss)
    length = max(len(loss) for loss in losses)
    # a fold that stopped early keeps its last (worse) loss: it votes against more trees
    total = np.sum([np.pad(loss, (0, length - len(loss)), mode="edge") for loss in losses], axis=0)
    rounds = int(np.argmin(total))
    if rounds == 0:
        return flat
    out = np.empty(rows.y.shape)
    for k, path in enumerate(paths):
        out[fold == k] = path[min(rounds, len(path) - 1)]
    trainer = _Trainer(matrix, rows, categorical, params)
    for _ in range(rounds):
        if not trainer.grow():
            break
    return BoostedFit(
        HazardBooster(constant, trainer.booster.model_to_string()),
        out,
        rounds,
        float(total[0] - total[rounds]),
    )
