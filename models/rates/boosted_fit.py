"""The shape of a rate by cross-validation. In: likelihood rows, a matrix. Out: a booster, out-of-fold rates.

f(x) = linear(x) + trees(x). Cross-validation over users decides whether to start from the constant or from
the ridge-penalised linear term, with which penalty, and how many trees to add: with few events the linear
term or the constant alone wins, with many the trees do.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from models.rates.boosting import HazardBooster, Trainer, threads_for
from models.rates.likelihood import Rows, fold_of
from models.rates.linear import Design, LinearTerm, fit_linear
from models.rates.settings import RATES


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
    """One fitting problem: features, rows, folds, and how trees are grown."""

    matrix: np.ndarray
    rows: Rows
    categorical: tuple[int, ...]
    fold: np.ndarray
    seed: int
    threads: int
    design: Design
    expanded: np.ndarray

    def trainer(self, mask: np.ndarray, start: np.ndarray) -> Trainer:
        """Of the rows under a mask, on top of their starting f."""
        return Trainer(
            self.matrix[mask],
            self.rows.take(mask),
            start,
            categorical=self.categorical,
            seed=self.seed,
            threads=self.threads,
        )


def _grow_path(
    trainer: Trainer, matrix: np.ndarray, rows: Rows, start: np.ndarray
) -> tuple[np.ndarray, list[float]]:
    """f of the held-out rows after each round (rounds + 1, n) and their summed losses."""
    f = start
    path, losses = [f], [float(rows.loss(f).sum())]
    for round_number in range(RATES.max_rounds):
        if not trainer.grow():
            break
        step = trainer.last_tree(matrix)
        f = f + step
        path.append(f)
        losses.append(float(rows.loss(f).sum()))
        if round_number + 1 - int(np.argmin(losses)) >= RATES.patience:
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
        trainer = task.trainer(~held, start[~held])
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
    """Fewest trees that held-out rows cannot tell from the best number of them (by `clearly_better`).

    With 140 events the held-out loss is flat and its minimum may lie 150 trees beyond the shape that the
    events support; with thousands the difference is clear and nothing changes.
    """
    best = int(np.argmin(total))
    least = task.rows.loss(_after(task, paths, best))
    for rounds in range(best):
        lost = task.rows.loss(_after(task, paths, rounds)) - least
        if lost.sum() <= RATES.clearly_better * np.sqrt((lost**2).sum()):
            return rounds
    return best


def _predict(expanded: np.ndarray, beta: np.ndarray, constant: float) -> np.ndarray:
    f = beta[0] + expanded @ beta[1:]
    return np.asarray(np.clip(f, constant - RATES.log_range, constant + RATES.log_range))


def _linear_starts(task: _Task, constants: list[float]) -> tuple[float, list[np.ndarray]]:
    """The penalty with the least held-out loss, and each fold's linear predictor of all rows."""
    best_loss, best_penalty, best = np.inf, RATES.penalties[0], []
    betas: list[np.ndarray | None] = [None] * len(constants)
    insides = [task.rows.take(task.fold != k) for k in range(len(constants))]
    designs = [task.expanded[task.fold != k] for k in range(len(constants))]
    for penalty in RATES.penalties:
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
    # small matrices: 14 times faster on a busy machine, and repeatable
    with threadpool_limits(1, user_api="blas"):
        return _fit(matrix, rows, categorical, seed, threads)


def _fit(matrix: np.ndarray, rows: Rows, categorical: tuple[int, ...], seed: int, threads: int) -> BoostedFit:
    constant = rows.constant()
    flat = BoostedFit(HazardBooster(constant), np.full(rows.y.shape, constant), 0, 0.0)
    fold = fold_of(rows.user, RATES.folds, seed)
    insides = [rows.take(fold != k) for k in range(RATES.folds)]
    if rows.events < RATES.min_events or matrix.shape[1] == 0 or min(inside.events for inside in insides) < 1:
        return flat
    design = Design.fit(matrix, categorical)
    threads = threads_for(rows.y.size, threads)
    task = _Task(matrix, rows, categorical, fold, seed, threads, design, design.expand(matrix))
    constants = [inside.constant() for inside in insides]
    levels = [np.full(rows.y.shape, one) for one in constants]
    base = sum(float(rows.take(fold == k).loss(levels[k][fold == k]).sum()) for k in range(RATES.folds))
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
    trainer = task.trainer(np.ones(task.rows.y.shape, dtype=bool), start)
    grown = 0
    while grown < rounds and trainer.grow():
        grown += 1
    return trainer.text if grown else ""
