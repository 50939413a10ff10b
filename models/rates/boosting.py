"""LightGBM on hazards, imported nowhere else. In: a matrix, rows, a starting f. Out: trees as text.

The objective is the likelihood of `likelihood` with its Fisher information, so that LightGBM's least sum of
Hessians in a leaf counts events' worth of information.

Must not import mlflow, targeting or pipelines.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np

from models.rates.likelihood import Rows
from models.rates.linear import LinearTerm
from models.rates.settings import RATES, TREES
from models.rates.tree_text import TreeText, bare_trees


def threads_for(rows: int, most: int) -> int:
    """Threads worth starting for so many rows.

    A tree on fewer than `rows_per_thread` takes under a millisecond: another thread costs more in waiting
    than it brings. Every LightGBM call names its threads, or OpenMP takes all cores.
    """
    return min(most, 1 + rows // RATES.rows_per_thread)


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
    text: TreeText = ""

    def log_rate(self, matrix: np.ndarray, *, threads: int = 1) -> np.ndarray:
        """f(x) for a feature matrix (n, p), shape (n,), within `log_range` of the constant."""
        f = np.full(matrix.shape[0], self.constant) if self.linear is None else self.linear.value(matrix)
        if self.text and matrix.shape[0]:
            f = f + self._trees(matrix, threads)
        return np.asarray(np.clip(f, self.constant - RATES.log_range, self.constant + RATES.log_range))

    @cached_property
    def _loaded(self) -> Any:
        import lightgbm

        return lightgbm.Booster(model_str=bare_trees(self.text))

    def _trees(self, matrix: np.ndarray, threads: int) -> np.ndarray:
        threads = threads_for(matrix.shape[0], threads)
        return cast(np.ndarray, self._loaded.predict(matrix, raw_score=True, num_threads=threads))


class Trainer:
    """Grows trees on top of a starting f.

    Args:
        matrix: Features, (n, p).
        rows: What is observed.
        start: f before any tree, (n,).
        categorical: Positions of category columns.
        seed: Seed of column sampling.
        threads: LightGBM threads.
    """

    def __init__(
        self,
        matrix: np.ndarray,
        rows: Rows,
        start: np.ndarray,
        *,
        categorical: tuple[int, ...],
        seed: int,
        threads: int,
    ):
        import lightgbm

        self.rows, self.start, self.threads = rows, start, threads
        parameters: dict[str, object] = {
            **asdict(TREES),
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": threads,
            "verbosity": -1,
            "feature_pre_filter": False,
            "objective": "none",
        }
        data = lightgbm.Dataset(
            matrix, label=rows.y, categorical_feature=list(categorical) or "auto", params=parameters
        )
        self.booster = lightgbm.Booster(params=parameters, train_set=data)

    def _objective(self, score: np.ndarray, _data: object) -> tuple[np.ndarray, np.ndarray]:
        return self.rows.gradient(self.start + np.clip(score, -RATES.log_range, RATES.log_range))

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

    @property
    def text(self) -> str:
        """The trees in LightGBM's own format."""
        text: str = self.booster.model_to_string()
        return text
