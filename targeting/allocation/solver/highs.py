"""The one door to linear programs, whole numbers or not: HiGHS, through scipy, on matrices.

cvxpy states the same programs, but compiling them is most of a small solve, and columns change from round to
round, so that nothing compiled could be used again: `python benchmarks/allocation_settings.py` prints both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from models.errors import SolverError, UndecidedError
from models.supply.curves import FloatArray
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.deadline import NEVER, Deadline

# HiGHS gives up now and then on a program that it solves another way.
_WAYS = (("highs", True), ("highs-ds", False), ("highs-ipm", True))


@dataclass(frozen=True)
class Linear:
    """The answer x (n,), and the price of every row's limit (r,), >= 0."""

    x: FloatArray
    dual: FloatArray


def maximise(
    gain: FloatArray,
    rows: sparse.csr_matrix,
    limits: FloatArray,
    *,
    bounds: FloatArray,
    deadline: Deadline = NEVER,
    whole: sparse.csr_matrix | None = None,
) -> Linear:
    """Maximise gain x with rows x <= limits, whole x = 1 and x within `bounds` (n, 2).

    Raises:
        UndecidedError: time was up.
        SolverError: HiGHS gave no optimal solution.
    """
    within = SETTINGS.highs_tolerance
    tolerances = {"primal_feasibility_tolerance": within, "dual_feasibility_tolerance": within}
    ones = None if whole is None else np.ones(whole.shape[0])
    for method, presolve in _WAYS:
        done = linprog(
            -gain, A_ub=rows, b_ub=limits, A_eq=whole, b_eq=ones, bounds=bounds, method=method,
            options={**tolerances, "presolve": presolve, "time_limit": deadline.left(np.inf)},
        )  # fmt: skip
        if done.status == 0:
            return Linear(np.asarray(done.x), np.maximum(-np.asarray(done.ineqlin.marginals), 0.0))
        if deadline.over:
            raise UndecidedError(f"time was up before a linear program of {len(gain)} columns was solved")
    raise SolverError(f"allocation: HiGHS found no answer to a linear program ({done.message.strip()})")


def maximise_whole(
    gain: FloatArray,
    rows: sparse.csr_matrix,
    lower: FloatArray,
    upper: FloatArray,
    *,
    high: FloatArray,
    whole: NDArray[np.bool_],
    deadline: Deadline,
) -> FloatArray | None:
    """x (n,) within [0, high], some of it whole numbers, that maximises gain x with lower <= rows x <= upper;
    None where there is none.

    Raises:
        UndecidedError: time was up.
        SolverError: HiGHS stopped without an answer.
    """
    found = milp(
        -gain, constraints=LinearConstraint(rows, lower, upper), bounds=Bounds(0.0, high),
        integrality=whole.astype(int), options={"time_limit": deadline.left(np.inf)},
    )  # fmt: skip
    if found.x is None and found.status == 1:
        raise UndecidedError(f"time was up before {int(whole.sum())} on/off choices were compared")
    if found.x is None and found.status != 2:
        raise SolverError(f"limits of spend: HiGHS gave no answer ({found.message}); please report it")
    return None if found.x is None else np.asarray(found.x)
