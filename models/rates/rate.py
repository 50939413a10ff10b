"""A fitted log rate, and what it is asked in scoring: log rates of people. In: their features. Out: f.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.arrays import FloatArray
from models.rates.batch import Batch, People
from models.rates.boosting import NO_TREES, Trees
from models.rates.levels import Levels
from models.rates.linear import LinearTerm
from models.rates.settings import RATES


@dataclass(frozen=True)
class Shift:
    """What rows under a coin say of a log rate: f' = f + shift + tilt (f - centre)."""

    centre: float = 0.0
    shift: float = 0.0
    tilt: float = 0.0

    def apply(self, log_rate: FloatArray) -> FloatArray:
        """Corrected log rate, same shape."""
        return np.asarray(log_rate + self.shift + self.tilt * (log_rate - self.centre))


NO_SHIFT = Shift()


@dataclass(frozen=True)
class Rate:
    """A fitted log rate f(x).

    Attributes:
        constant: f where nobody differs.
        linear: The line (stacked: its slope and level are those of the rate), or None.
        trees: What is added to it.
        bases: Rates whose logarithm is a known column of the line.
        groups: Groups with a level of their own in the line (0: none).
        coin: From the rate in the logs to that under a coin.
        levels: Effects of crowded categories, on top of the line.
    """

    constant: float
    linear: LinearTerm | None = None
    trees: Trees = NO_TREES
    bases: tuple[Rate, ...] = ()
    groups: int = 0
    coin: Shift = NO_SHIFT
    levels: tuple[Levels, ...] = ()

    @cached_property
    def key(self) -> str:
        """Digest of what its log rate as logged depends on: a copy among the bases of another rate has the
        same.
        """
        line = None if self.linear is None else self.linear.key
        own = (self.constant, line, self.levels, self.trees, self.groups)
        made_of = (*own, [one.key for one in self.bases])
        return hashlib.sha256(repr(made_of).encode()).hexdigest()

    def log_rate(
        self, people: People, group: FloatArray | None = None, *, threads: int = 1, causal: bool = True
    ) -> FloatArray:
        """f of each person, (n,).

        Args:
            people: User features, (n, p), or a batch of them.
            group: Group's number of each row, where there are any.
            threads: LightGBM threads.
            causal: Under a coin, not as in the logs.
        """
        batch = Batch.of(people)
        if group is None:
            f = batch.once(self.key, lambda: self._logged(batch, None, threads))
        else:
            f = self._logged(batch, group, threads)
        return self.coin.apply(f) if causal else f

    def _logged(self, batch: Batch, group: FloatArray | None, threads: int) -> FloatArray:
        """f as in the logs, (n,)."""
        if self.linear is None:
            return np.full(len(batch), self.constant)
        known = [one.log_rate(batch, threads=threads, causal=False) for one in self.bases]
        f = self.linear.value(batch, known_columns(known, group, self.groups, len(batch)))
        for one in self.levels:
            f = f + one.of(batch.matrix[:, one.feature])
        f = f + self.trees.value(batch, f, threads)
        return np.asarray(np.clip(f, self.constant - RATES.log_range, self.constant + RATES.log_range))


def lines_of(rates: Iterable[Rate | None]) -> tuple[LinearTerm, ...]:
    """The lines of some rates and of all that they are based on, each once."""
    found: dict[str, LinearTerm] = {}
    waiting = [rate for rate in rates if rate is not None]
    while waiting:
        rate = waiting.pop()
        waiting += rate.bases
        if rate.linear is not None:
            found[rate.linear.key] = rate.linear
    return tuple(found.values())


def known_columns(logs: Sequence[FloatArray], group: FloatArray | None, groups: int, n: int) -> FloatArray:
    """Known columns of n rows: the logs of other rates, and an indicator of each group."""
    inside = np.zeros((n, groups)) if group is None else (group[:, None] == np.arange(groups)).astype(float)
    return np.column_stack([*logs, inside]) if len(logs) + groups else np.zeros((n, 0))
