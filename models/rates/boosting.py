"""LightGBM on hazards, imported nowhere else. In: a matrix, rows, a starting f. Out: trees as text.

The objective is the likelihood of `likelihood` with its Fisher information, so that LightGBM's least sum of
Hessians in a leaf counts events' worth of information.

Must not import mlflow, targeting or pipelines.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np

from models.arrays import FloatArray
from models.rates.batch import Batch, People
from models.rates.compiled import compiled, leaf_sums
from models.rates.forest import Forest
from models.rates.likelihood import Rows
from models.rates.settings import RATES, TREES
from models.rates.tree_text import TreeText, bare_trees

log = logging.getLogger(__name__)


def threads_for(rows: int, most: int) -> int:
    """Threads worth starting for so many rows.

    A tree on fewer than `rows_per_thread` takes under a millisecond: another thread costs more in waiting
    than it brings. Every LightGBM call names its threads, or OpenMP takes all cores.
    """
    return min(most, 1 + rows // RATES.rows_per_thread)


@dataclass(frozen=True)
class Trees:
    """A sum of trees as LightGBM text, so nothing is ever pickled.

    Attributes:
        text: LightGBM model text, or "" without trees.
        weight: Part of their sum that counts.
    """

    text: TreeText = ""
    weight: float = 0.0

    @cached_property
    def _loaded(self) -> Any:
        import lightgbm

        return lightgbm.Booster(model_str=bare_trees(self.text))

    @cached_property
    def forest(self) -> Forest | None:
        """The trees as tables, where these give LightGBM's own bits on rows that try every threshold."""
        if (found := Forest.of(self.text)) is not None and compiled(leaf_sums):
            tried = found.trial()
            left = found.left(np.ascontiguousarray(tried[:, :-1].T))
            if np.array_equal(found.sum(left, tried[:, -1]), self._walked(tried, 1)):
                return found
        log.warning("trees: LightGBM predicts them, which takes several times as long as tables would")
        return None

    def value(self, people: People, line: FloatArray, threads: int) -> FloatArray:
        """Weighted sum of the trees for features (n, p) and the line they stand on (n,)."""
        batch = Batch.of(people)
        if not self.text or not self.weight or not len(batch):
            return np.zeros(len(batch))
        if (
            batch.is_of_many and len(batch) > RATES.tree_rows
        ):  # what is made on the way would be ten times the features
            starts = range(0, len(batch), RATES.tree_rows)
            pieces = [slice(start, start + RATES.tree_rows) for start in starts]
            parts = (Batch(batch.matrix[at], is_of_many=True) for at in pieces)
            return np.concatenate(
                [self.value(part, line[at], threads) for part, at in zip(parts, pieces, strict=True)]
            )
        if batch.is_of_many and (forest := self.forest) is not None:
            # groups differ in their line alone
            left = batch.once(id(self), lambda: forest.left(batch.columns))
            return self.weight * forest.sum(left, line)
        return self.weight * self._walked(np.column_stack([batch.matrix, line]), threads)

    def _walked(self, columns: FloatArray, threads: int) -> FloatArray:
        """LightGBM's own sum of the trees."""
        threads = threads_for(columns.shape[0], threads)
        return cast(FloatArray, self._loaded.predict(columns, raw_score=True, num_threads=threads))


NO_TREES = Trees()


@dataclass(frozen=True)
class Path:
    """How held-out rows fared as trees were added.

    Attributes:
        loss: Their summed loss after 0, 1, ... trees, (rounds + 1,).
        trees: Sum of the trees at each of them, (rounds + 1, n_held).
    """

    loss: FloatArray
    trees: FloatArray

    def at(self, rounds: int) -> FloatArray:
        """Sum of so many trees, or of as many as were grown, (n_held,)."""
        return cast(FloatArray, self.trees[min(rounds, len(self.trees) - 1)])


class Grower:
    """Grows trees on top of a starting f.

    All rows are in LightGBM's table and some may be held out: their gradient and information are zero, so no
    leaf looks at them, and LightGBM itself keeps their sum of trees up to date.

    Args:
        matrix: Features, (n, p).
        rows: What is observed.
        start: f before any tree, (n,).
        categorical: Positions of category columns.
        seed: Seed of column sampling.
        threads: LightGBM threads.
        held: Rows that are held out, or None.
        like: A grower of nearly the same matrix, whose bins are taken.
    """

    def __init__(
        self,
        matrix: FloatArray,
        rows: Rows,
        start: FloatArray,
        *,
        categorical: tuple[int, ...],
        seed: int,
        threads: int,
        held: slice | None = None,
        like: Grower | None = None,
    ):
        import lightgbm

        self.rows, self.start, self.held = rows, start, held
        self._loss: list[float] = []
        self._sums: list[FloatArray] = []
        self._outside = None if held is None else rows.take(held)
        parameters: dict[str, object] = {
            **asdict(TREES),
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": threads,
            "verbosity": -1,
            "feature_pre_filter": False,
            "bin_construct_sample_cnt": RATES.bin_rows,
            "objective": "none",
        }
        self.data: Any = lightgbm.Dataset(
            matrix,
            label=rows.y,
            categorical_feature=list(categorical) or "auto",
            params=parameters,
            reference=None if like is None else like.data,
        )
        self.booster = lightgbm.Booster(params=parameters, train_set=self.data)

    def _objective(self, score: FloatArray, _data: object) -> tuple[FloatArray, FloatArray]:
        trees = np.clip(score, -RATES.log_range, RATES.log_range)
        gradient, information = self.rows.gradient(self.start + trees)
        if self.held is not None and self._outside is not None:
            self._sums.append(trees[self.held])
            self._loss.append(float(self._outside.loss(self.start[self.held] + self._sums[-1]).sum()))
            gradient[self.held] = information[self.held] = 0.0
        return gradient, information

    def path(self, most: int) -> Path:
        """Grow at most so many trees, or until held-out rows have not gained for `patience` trees."""
        for _ in range(most + 1):
            finished = self.booster.update(fobj=self._objective)
            if finished or len(self._loss) - 1 - int(np.argmin(self._loss)) >= RATES.patience:
                break
        return Path(np.array(self._loss), np.array(self._sums))

    def text(self, rounds: int) -> str:
        """So many trees in LightGBM's own format, "" for none."""
        grown = 0
        while grown < rounds and not self.booster.update(fobj=self._objective):
            grown += 1
        return self.booster.model_to_string() if grown else ""
