"""A batch of people as the rates read it: a matrix, and what several rates make of it, made once.

A model asks some ten rates of the same people, most of them twice (what a fan buys needs the organic rate
and so does what was bought anyway). Without sharing, nine tenths of the time of scoring went into the same
columns again and again. Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from models.arrays import FloatArray
from models.rates.settings import RATES

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Batch:
    """Some people.

    Attributes:
        matrix: Their features, (n, p).
        is_of_many: So many people are asked about that compiling the loops pays.
        lines: Those (`linear.LinearTerm`) that will be asked of them: the columns are then read once for all.
    """

    matrix: FloatArray
    is_of_many: bool = False
    lines: tuple[Any, ...] = ()
    _made: dict[object, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, people: People) -> Batch:
        """The batch of a matrix; a batch as it is."""
        return people if isinstance(people, Batch) else cls(people, len(people) >= RATES.many_rows)

    def __len__(self) -> int:
        return int(self.matrix.shape[0])

    @cached_property
    def columns(self) -> FloatArray:
        """The features, each side by side in memory, (p, n)."""
        return np.ascontiguousarray(self.matrix.T)

    def once(self, key: object, make: Callable[[], T]) -> T:
        """What `make` gave when it was first asked for under this key."""
        if key not in self._made:
            self._made[key] = make()
        found: T = self._made[key]
        return found


People = FloatArray | Batch
"""Features of some people, (n, p), or a batch that shares what is made of them."""
