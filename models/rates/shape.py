"""The shape of a rate: a line, trees on top, and how much of each held-out rows confirm.

    f(x) = c + a + s_1 (linear(x) + levels(x) - c) + s_2 trees(x, linear(x) + levels(x))

`linear` is fitted with the prior that the rows choose (`linear`); the trees (LightGBM) start from it and
have its value as one more column, so that a bend of the whole line is one split and an interaction three.
Their number is that of least held-out loss over folds of *users*, a small price a tree included. The level a
and the slopes s are fitted to what was predicted out of fold, averaged over three hypotheses by evidence:
both shapes hold up to a slope around one; only the line does; nobody differs from anybody. So a shape that is
noise is flattened, and there is no threshold between a constant, a line and a forest.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from models.arrays import FloatArray
from models.rates.boosting import Grower, Trees, threads_for
from models.rates.design import Design
from models.rates.evidence import Averaged, Prior, average
from models.rates.levels import Levels, fit_levels, numbered
from models.rates.likelihood import Rows, fold_of
from models.rates.linear import Known, LinearFit, LinearTerm, fit_linear, missed_pairs
from models.rates.rate import Rate, known_columns
from models.rates.settings import RATES


@dataclass(frozen=True)
class Base:
    """A related event's rate, fitted before.

    Attributes:
        shape: Its fit.
        slope: How far this rate's logarithm is expected to go along with it.
    """

    shape: Shape
    slope: float = 1.0


@dataclass(frozen=True)
class Fitting:
    """What every fit needs to know.

    Attributes:
        matrix: User features, (n_users, p).
        categorical: Positions of category columns.
        seed: Seed.
        threads: LightGBM threads.
    """

    matrix: FloatArray
    categorical: tuple[int, ...]
    seed: int
    threads: int

    @cached_property
    def design(self) -> Design:
        """Columns of a line over the users' features."""
        return Design.fit(self.matrix, self.categorical)

    @property
    def crowded(self) -> tuple[int, ...]:
        """Positions of categories with too many levels for a column each (`models.rates.levels`)."""
        return tuple(j for j in self.categorical if j not in self.design.categorical)

    @cached_property
    def expanded(self) -> FloatArray:
        """These columns of every user, (n_users, q), at half precision of a double: a million of them."""
        return self.design.expand(self.matrix, kind=np.float32)


@dataclass(frozen=True)
class Shape:
    """A fitted rate with what cross-validation says of it.

    Attributes:
        rate: Fitted on every row.
        out_of_fold: Log rate of every user, of those in the rows by folds that did not see them, (n_users,).
        rounds: Trees.
        events: Events logged.
        differs: Probability that people differ in it at all.
    """

    rate: Rate
    out_of_fold: FloatArray
    rounds: int
    events: float
    differs: float = 0.0


def fit_shape(
    fitting: Fitting,
    rows: Rows,
    *,
    bases: Sequence[Base] = (),
    group: FloatArray | None = None,
    groups: int = 0,
) -> Shape:
    """Fit one rate.

    Args:
        fitting: User features and settings.
        rows: What is observed of these users.
        bases: Related rates that this one starts from.
        group: Group of each user, (n_users,), where each has a level of its own.
        groups: Number of groups.
    """
    import scipy.linalg  # noqa: F401  # before the limit, which holds for libraries that are there

    # small matrices: 14 times faster on a busy machine, and repeatable
    with threadpool_limits(1, user_api="blas"):
        return replace(
            _fit(fitting, rows.thinned(fitting.seed), tuple(bases), group, groups), events=rows.events
        )


def _fit(
    fitting: Fitting, rows: Rows, bases: tuple[Base, ...], group: FloatArray | None, groups: int
) -> Shape:
    constant, n_users = rows.constant(), fitting.matrix.shape[0]
    fold = fold_of(rows.user, RATES.folds, fitting.seed)
    least = min(rows.take(fold != k).events for k in range(RATES.folds))
    enough = rows.events >= RATES.min_events
    if least < 1 or not (enough or bases or groups):
        return Shape(Rate(constant), np.full(n_users, constant), 0, rows.events)
    rows = rows.take(np.argsort(fold, kind="stable"))
    ends = np.cumsum([0, *np.bincount(fold, minlength=RATES.folds)])
    folds = [slice(*ends[k : k + 2]) for k in range(RATES.folds)]
    known = Known(
        known_columns(
            [b.shape.out_of_fold[rows.user] for b in bases],
            None if group is None else group[rows.user],
            groups,
            rows.y.size,
        ),
        (*(b.slope for b in bases), *[0.0] * groups),
        (*(RATES.base_sd if b.slope else RATES.hint_sd for b in bases), *[RATES.group_sd] * groups),
    )
    task = _Task(fitting, rows, folds, known, enough)
    line = task.line()
    pairs = missed_pairs(task.columns, rows, line.whole, task.design.feature_of) if enough else ()
    line = task.line(*pairs) if pairs else line
    on_line, apart = task.levels(line)
    lines = np.concatenate([apart[one, k] for k, one in enumerate(folds)])
    rounds, trees = task.rounds(apart) if enough else (0, np.zeros(rows.y.size))
    stack = _stacked(rows, lines - constant, trees, constant)
    level, slope, weight = float(stack.theta[0]), *np.maximum(stack.theta[1:], 0.0)
    beta, k = line.beta, len(known.mean)
    linear = LinearTerm(
        task.design,
        float(constant + level + slope * (beta[0] - constant)),
        tuple((slope * beta[1 : 1 + k]).tolist()),
        tuple((slope * beta[1 + k :]).tolist()),
        pairs,
    )
    levels = tuple(one.times(slope) for one in on_line)
    of_levels = sum((one.of(fitting.matrix[:, one.feature]) for one in levels), np.zeros(n_users))
    out = constant + level + slope * (lines - constant) + weight * trees
    nobody = None if group is None else np.full(n_users, -1.0)
    everybody = of_levels + linear.of(
        task.expanded(), known_columns([b.shape.out_of_fold for b in bases], nobody, groups, n_users)
    )
    at_rows = of_levels[rows.user] + linear.of(task.expanded()[rows.user], known.columns)
    # none where held-out rows give them no weight
    forest = Trees(task.grower(at_rows).text(rounds) if rounds and weight > 0 else "", float(weight))
    rate = Rate(constant, linear, forest, tuple(b.shape.rate for b in bases), groups, levels=levels)
    everybody = everybody + forest.value(fitting.matrix, everybody, fitting.threads)
    everybody[rows.user] = out
    return Shape(rate, everybody, rounds if forest.text else 0, rows.events, 1.0 - float(stack.weight[-1]))


def _stacked(rows: Rows, lines: FloatArray, trees: FloatArray, constant: float) -> Averaged:
    """Level and slopes of the line and the trees, from what they predicted out of fold."""
    priors = [
        Prior(np.array([0.0, *mean]), np.diag(np.array([RATES.stack_level_sd, *sd]) ** 2), odds)
        for mean, sd, odds in RATES.stack
    ]
    return average(rows, np.column_stack([np.ones_like(lines), lines, trees]), priors, offset=constant)


@dataclass(frozen=True)
class _Task:
    """One fitting problem: rows in order of their folds, known columns, and whether there are events enough
    to look at features.
    """

    fitting: Fitting
    rows: Rows
    folds: Sequence[slice]
    known: Known
    enough: bool

    @property
    def design(self) -> Design:
        """Columns of the line; none where events are too few to tell people apart by their features."""
        return self.fitting.design if self.enough else Design({}, {})

    def expanded(self) -> FloatArray:
        """These columns of every user."""
        return self.fitting.expanded if self.enough else np.zeros((self.fitting.matrix.shape[0], 0))

    @cached_property
    def columns(self) -> FloatArray:
        """The same of each row, (n, q)."""
        return np.asarray(self.expanded()[self.rows.user], dtype=np.float64)

    def line(self, *pairs: tuple[int, int]) -> LinearFit:
        """The line with so many products of two columns, on all rows and out of fold."""
        columns = np.column_stack(
            [self.columns, *(self.columns[:, i] * self.columns[:, j] for i, j in pairs)]
        )
        return fit_linear(expanded=columns, rows=self.rows, known=self.known, folds=self.folds)

    def levels(self, line: LinearFit) -> tuple[list[Levels], FloatArray]:
        """Effects of crowded categories on top of a line, one after the other, and the line out of fold with
        them, (n, n_folds).
        """
        whole, apart, found = line.whole, line.apart, []
        for feature in self.fitting.crowded if self.enough else ():
            codes = self.fitting.matrix[:, feature]
            missing = int(np.nanmax(codes)) + 1
            code = numbered(codes, missing)[self.rows.user]
            effects, outside = fit_levels(
                self.rows, code, whole=whole, apart=apart, folds=self.folds, size=missing + 1
            )
            whole, apart = whole + effects[code], apart + outside[code]
            found.append(Levels(feature, tuple(effects.tolist())))
        return found, apart

    def rounds(self, lines: FloatArray) -> tuple[int, FloatArray]:
        """Number of trees on top of the line of each fold, and their sum out of fold."""
        like, paths = None, []
        for k, fold in enumerate(self.folds):
            grower = self.grower(lines[:, k], fold, like)
            like = like or grower
            paths.append(grower.path(RATES.max_rounds))
        length = max(len(path.loss) for path in paths)
        # a fold that stopped early keeps its last (worse) loss: it votes against more trees
        total = np.sum([np.pad(p.loss, (0, length - len(p.loss)), mode="edge") for p in paths], axis=0)
        rounds = int(np.argmin(total + RATES.tree_nats * np.arange(length)))
        return rounds, np.concatenate([path.at(rounds) for path in paths])

    def grower(self, line: FloatArray, held: slice | None = None, like: Grower | None = None) -> Grower:
        """What grows trees on top of a line, which knows crowded categories better than 63 bins could."""
        matrix = np.column_stack([self.fitting.matrix[self.rows.user], line])
        matrix[:, self.fitting.crowded] = 0.0
        return Grower(
            matrix, self.rows, line,
            categorical=tuple(self.design.categorical), seed=self.fitting.seed, held=held, like=like,
            threads=threads_for(self.rows.y.size, self.fitting.threads),
        )  # fmt: skip
