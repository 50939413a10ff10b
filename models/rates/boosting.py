"""Linear log rates and LightGBM on top of them: the only module that imports lightgbm.

f(x) = linear(x) + trees(x), fitted to the likelihoods of `likelihood` (custom objective with Fisher
information, so that `min_sum_hessian_in_leaf` counts events' worth of information). Cross-validation over
users decides whether to start from the constant or from the ridge-penalised linear term, with which
penalty, and how many trees to add: with few events the linear term or the constant alone wins, with many
the trees do.

Must not import mlflow, targeting or pipelines.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from models.rates.likelihood import LOG_RANGE, Rows, fold_of
from models.rates.linear import PENALTIES, Design, LinearTerm, fit_linear

MIN_EVENTS = 20
"""Below this many events only the constant is fitted: a split would be noise."""
MAX_ROUNDS = 240
PATIENCE = 20
FOLDS = 4
CLEARLY_BETTER = 1.0
"""Standard errors by which held-out rows must prefer more trees."""
ROWS_PER_THREAD = 100_000
"""A tree on fewer rows takes under a millisecond: a second thread costs more in waiting than it brings
(on a busy machine 46 ms instead of 0.4). Every LightGBM call names its threads, or OpenMP takes all cores."""


@dataclass(frozen=True)
class HazardBooster:
    """f(x) = constant, or linear(x), plus trees(x); trees as LightGBM text, so nothing is ever pickled.

    Attributes:
        constant: f where there is no linear term.
        linear: Linear term (its intercept replaces the constant), or None.
        text: LightGBM model text, or "" without trees.
    """

    constant: float
    linear: LinearTerm | None = None
    text: str = ""

    def log_rate(self, matrix: np.ndarray, *, threads: int = 1) -> np.ndarray:
        """f(x) for a feature matrix (n, p), shape (n,), within `LOG_RANGE` of the constant."""
        f = np.full(matrix.shape[0], self.constant) if self.linear is None else self.linear.value(matrix)
        if self.text and matrix.shape[0]:
            f = f + self._trees(matrix, threads)
        return np.clip(f, self.constant - LOG_RANGE, self.constant + LOG_RANGE)

    @cached_property
    def _loaded(self) -> Any:
        import lightgbm

        return lightgbm.Booster(model_str=self.text)

    def _trees(self, matrix: np.ndarray, threads: int) -> np.ndarray:
        threads = min(threads, 1 + matrix.shape[0] // ROWS_PER_THREAD)
        return cast(np.ndarray, self._loaded.predict(matrix, raw_score=True, num_threads=threads))


@dataclass(frozen=True)
class BoostedFit:
    """A fitted booster with what cross-validation said about it.

    Attributes:
        booster: Fitted on every row.
        out_of_fold: f(x) of each row by the fold model that did not see its user, shape (n,).
        rounds: Number of trees.
        gain: Cross-validated improvement of the loss over the constant, in nats in total.
    """

    booster: HazardBooster
    out_of_fold: np.ndarray
    rounds: int
    gain: float

    @property
    def flat(self) -> bool:
        """Nothing but the constant was worth fitting."""
        return not self.booster.text and self.booster.linear is None


@dataclass(frozen=True)
class _Task:
    """One fitting problem: features, rows, folds and LightGBM parameters."""

    matrix: np.ndarray
    rows: Rows
    categorical: tuple[int, ...]
    fold: np.ndarray
    parameters: dict[str, Any]
    design: Design
    expanded: np.ndarray


def _parameters(seed: int, threads: int) -> dict[str, Any]:
    return {
        "learning_rate": 0.08,
        "num_leaves": 8,
        "max_depth": 4,
        "min_data_in_leaf": 20,
        "min_sum_hessian_in_leaf": 8.0,
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
        "objective": "none",
    }


class _Trainer:
    """Grows trees on top of a starting f."""

    def __init__(self, task: _Task, mask: np.ndarray, start: np.ndarray):
        import lightgbm

        self.rows = task.rows.take(mask)
        self.start = start
        self.threads = int(task.parameters["num_threads"])
        data = lightgbm.Dataset(
            task.matrix[mask],
            label=self.rows.y,
            categorical_feature=list(task.categorical) or "auto",
            params=task.parameters,
        )
        self.booster = lightgbm.Booster(params=task.parameters, train_set=data)

    def _objective(self, score: np.ndarray, _data: Any) -> tuple[np.ndarray, np.ndarray]:
        return self.rows.gradient(self.start + np.clip(score, -LOG_RANGE, LOG_RANGE))

    def last_tree(self, matrix: np.ndarray) -> np.ndarray:
        """Value of the newest tree for each row of a matrix, (n,)."""
        newest = self.booster.current_iteration() - 1
        return cast(
            np.ndarray,
            self.booster.predict(
                matrix, raw_score=True, start_iteration=newest, num_iteration=1, num_threads=self.threads
            ),
        )

    def grow(self) -> bool:
        """Add one tree; false when no split is worth its leaves."""
        return not self.booster.update(fobj=self._objective)


def _grow_path(
    trainer: _Trainer, matrix: np.ndarray, rows: Rows, start: np.ndarray
) -> tuple[np.ndarray, list[float]]:
    """f of the held-out rows after each round (rounds + 1, n) and their summed losses."""
    f = start
    path, losses = [f], [float(rows.loss(f).sum())]
    for round_number in range(MAX_ROUNDS):
        if not trainer.grow():
            break
        step = trainer.last_tree(matrix)
        f = f + step
        path.append(f)
        losses.append(float(rows.loss(f).sum()))
        if round_number + 1 - int(np.argmin(losses)) >= PATIENCE:
            break
    return np.array(path), losses


def _boost_from(task: _Task, starts: list[np.ndarray]) -> tuple[int, float, np.ndarray]:
    """Cross-validate trees on top of each fold's starting f (over all rows).

    Returns:
        Number of trees, summed held-out loss with them, out-of-fold f.
    """
    paths, losses = [], []
    for k, start in enumerate(starts):
        held = task.fold == k
        trainer = _Trainer(task, ~held, start[~held])
        path, loss = _grow_path(trainer, task.matrix[held], task.rows.take(held), start[held])
        paths.append(path)
        losses.append(loss)
    length = max(len(loss) for loss in losses)
    # a fold that stopped early keeps its last (worse) loss: it votes against more trees
    total = np.sum([np.pad(loss, (0, length - len(loss)), mode="edge") for loss in losses], axis=0)
    rounds = _fewest_rounds(task, paths, total)
    return rounds, float(total[rounds]), _after(task, paths, rounds)


def _after(task: _Task, paths: list[np.ndarray], rounds: int) -> np.ndarray:
    """Out-of-fold f after so many rounds, (n,)."""
    out = np.empty(task.rows.y.shape)
    for k, path in enumerate(paths):
        out[task.fold == k] = path[min(rounds, len(path) - 1)]
    return out


def _fewest_rounds(task: _Task, paths: list[np.ndarray], total: np.ndarray) -> int:
    """Fewest trees that held-out rows cannot tell from the best number of them (by `CLEARLY_BETTER`).

    With 140 events the held-out loss is flat and its minimum may lie 150 trees beyond the shape that the
    events support; with thousands the difference is clear and nothing changes.
    """
    best = int(np.argmin(total))
    least = task.rows.loss(_after(task, paths, best))
    for rounds in range(best):
        lost = task.rows.loss(_after(task, paths, rounds)) - least
        if lost.sum() <= CLEARLY_BETTER * np.sqrt((lost**2).sum()):
            return rounds
    return best


def _predict(expanded: np.ndarray, beta: np.ndarray, constant: float) -> np.ndarray:
    return np.clip(beta[0] + expanded @ beta[1:], constant - LOG_RANGE, constant + LOG_RANGE)


def _linear_starts(task: _Task, constants: list[float]) -> tuple[float, list[np.ndarray]]:
    """The penalty with the least held-out loss, and each fold's linear predictor of all rows."""
    best_loss, best_penalty, best = np.inf, PENALTIES[0], []
    betas: list[np.ndarray | None] = [None] * len(constants)
    insides = [task.rows.take(task.fold != k) for k in range(len(constants))]
    designs = [task.expanded[task.fold != k] for k in range(len(constants))]
    for penalty in PENALTIES:
        loss, starts = 0.0, []
        for k, constant in enumerate(constants):
            held = task.fold == k
            beta = fit_linear(expanded=designs[k], rows=insides[k], penalty=penalty, start=betas[k])
            betas[k] = beta
            starts.append(_predict(task.expanded, beta, constant))
            loss += float(task.rows.take(held).loss(starts[-1][held]).sum())
        if loss < best_loss:
            best_loss, best_penalty, best = loss, penalty, starts
    return best_penalty, best


def fit_boosted(
    *, matrix: np.ndarray, rows: Rows, categorical: tuple[int, ...], seed: int, threads: int
) -> BoostedFit:
    """Fit f(x); starting point, penalty and number of trees are chosen by cross-validation over users.

    Args:
        matrix: Features of each row, (n, p).
        rows: What is observed (hazard events or log amounts).
        categorical: Positions of category columns.
        seed: Seed of folds and column sampling.
        threads: LightGBM threads; the result is the same for the same number.

    Returns:
        The booster fitted on all rows, with out-of-fold values for calibration.
    """
    with threadpool_limits(
        1, user_api="blas"
    ):  # small matrices: 14 times faster on a busy machine, and repeatable
        return _fit(matrix, rows, categorical, seed, threads)


def _fit(matrix: np.ndarray, rows: Rows, categorical: tuple[int, ...], seed: int, threads: int) -> BoostedFit:
    constant = rows.constant()
    flat = BoostedFit(HazardBooster(constant), np.full(rows.y.shape, constant), 0, 0.0)
    fold = fold_of(rows.user, FOLDS, seed)
    insides = [rows.take(fold != k) for k in range(FOLDS)]
    if rows.events < MIN_EVENTS or matrix.shape[1] == 0 or min(inside.events for inside in insides) < 1:
        return flat
    design = Design.fit(matrix, categorical)
    parameters = _parameters(seed, min(threads, 1 + rows.y.size // ROWS_PER_THREAD))
    task = _Task(matrix, rows, categorical, fold, parameters, design, design.expand(matrix))
    constants = [inside.constant() for inside in insides]
    levels = [np.full(rows.y.shape, one) for one in constants]
    base = sum(float(rows.take(fold == k).loss(levels[k][fold == k]).sum()) for k in range(FOLDS))
    trees_only = _boost_from(task, levels)
    penalty, starts = _linear_starts(task, constants)
    linear_too = _boost_from(task, starts)
    use_linear = linear_too[1] < trees_only[1]
    rounds, loss, out = linear_too if use_linear else trees_only
    if loss >= base:
        return flat
    beta = fit_linear(expanded=task.expanded, rows=rows, penalty=penalty) if use_linear else None
    linear = None if beta is None else LinearTerm(design, float(beta[0]), tuple(beta[1:].tolist()))
    start = np.full(rows.y.shape, constant) if beta is None else _predict(task.expanded, beta, constant)
    text = _grow(task, start, rounds)
    return BoostedFit(HazardBooster(constant, linear, text), out, rounds, base - loss)


def _grow(task: _Task, start: np.ndarray, rounds: int) -> str:
    """Text of `rounds` trees on top of a starting f, on all rows."""
    if rounds == 0:
        return ""
    trainer = _Trainer(task, np.ones(task.rows.y.shape, dtype=bool), start)
    grown = 0
    while grown < rounds and trainer.grow():
        grown += 1
    return trainer.booster.model_to_string() if grown else ""
