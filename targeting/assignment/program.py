"""The programs that HiGHS solves (the one scipy brings), scaled to an average offer: units change nothing.

`move_prices` is the linear program over switches whose dual minimises U over a box of prices. `whole_picks`
is asked only where limits are so narrow that the search of `rounding` found nobody to keep them with. cvxpy
stays out: it would take longer to compile these than HiGHS to solve them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import coo_array, csr_array, eye_array, hstack

from models.errors import SolverError
from models.supply.curves import FloatArray
from targeting.assignment.classes import Classes
from targeting.assignment.problem import People
from targeting.assignment.switches import IntArray, Switches, runs

_FEASIBLE = 1e-9  # tolerance of the linear program, in units of an average offer
_WHOLE = 1e-6  # a share this near to 0 or 1 is 0 or 1


@dataclass(frozen=True)
class Move:
    """What the linear program says.

    Attributes:
        prices: (n_rows,) the prices in the box at which U is least, as far as these switches know.
        made: (n_switches,) switches made as a whole.
        undecided: people whom the program would split between two choices, at most one per limit and class.
        outside: (n_rows,) 1 or -1 where U would fall further above or below the box, else 0.
        gain: what the program adds to the worth of the present choices: with that, the U it expects.
    """

    prices: FloatArray
    made: NDArray[np.bool_]
    undecided: IntArray
    outside: NDArray[np.int8]
    gain: float


def move_prices(
    people: People, switches: Switches, used: FloatArray, low: FloatArray, high: FloatArray
) -> Move:
    """Minimise U over low <= prices <= high where everybody without a switch keeps the present choice.

    Its primal: make switches, at most one per person, within the limits; going over a limit costs `high` a
    unit, staying under it `low`, and the dual value of a limit is its price.

    Args:
        people: for the limits and scales.
        switches: open changes.
        used: (n_rows,) what the present choices take.
        low, high: (n_rows,) box.

    Raises:
        SolverError: HiGHS gave no answer.
    """
    alike = Classes.of(switches, len(people.placements))
    kept, unit, money = switches.take(alike.kept), people.use_scale, people.worth_scale
    n, n_rows = len(kept), len(people.rows)
    per = unit / money  # a price times this is a scaled price
    eye = eye_array(n_rows, format="csr")
    equal = hstack([csr_array(kept.use / unit[:, None]), -eye, eye, -eye], format="csr")
    # Where the sign of a price holds it at 0 the limit itself has the slack; a free variable would be a ray.
    no_over = (high >= 0) & ~np.isfinite(people.upper)
    no_under = (low <= 0) & ~np.isfinite(people.lower)
    ends = np.zeros((n + 3 * n_rows, 2))
    ends[:n, 1] = alike.size
    ends[n : n + n_rows, 1] = np.where(no_over, 0.0, np.inf)
    ends[n + n_rows : n + 2 * n_rows, 1] = np.where(no_under, 0.0, np.inf)
    ends[n + 2 * n_rows :] = np.column_stack([people.lower, people.upper]) / unit[:, None]
    once, most = _once_each(kept.user, alike.size, columns=n + 3 * n_rows)
    found = linprog(
        np.concatenate([-kept.gain / money, high * per, -low * per, np.zeros(n_rows)]),
        A_ub=once,
        b_ub=most,
        A_eq=equal,
        b_eq=-used / unit,
        bounds=ends,
        method="highs",
        options={"primal_feasibility_tolerance": _FEASIBLE, "dual_feasibility_tolerance": _FEASIBLE},
    )
    if found.x is None or found.status != 0:
        raise SolverError(f"assign: HiGHS could not move the prices: {found.message}; please report this")
    over, under = found.x[n : n + n_rows], found.x[n + n_rows : n + 2 * n_rows]
    edge = _WHOLE * np.maximum(1.0, np.abs(used / unit))
    made, undecided = alike.spread(found.x[:n], switches, tolerance=_WHOLE)
    outside = (over > edge).astype(np.int8) - (under > edge).astype(np.int8)
    prices = np.clip(-found.eqlin.marginals / per, low, high)
    return Move(prices, made, undecided, outside, -float(found.fun) * money)


def whole_picks(
    people: People, use: FloatArray, there: NDArray[np.bool_], others: FloatArray
) -> IntArray | None:
    """One pick for each of some people, within the limits, whatever it is worth.

    Args:
        people: for the limits and scales.
        use: (n_rows, n_picks, n) amounts.
        there: (n_picks, n) whether there is such an offer; the last pick, none, always is.
        others: (n_rows,) what everybody else takes.

    Returns:
        (n,) picks, or None where none were found.
    """
    unit, n = people.use_scale, there.shape[1]
    who, pick = np.nonzero(there[:-1].T)
    if not len(who):
        return None
    amounts = use[:, pick, who] / unit[:, None]
    # HiGHS keeps rows of whole-number programs to 1e-6: narrower ones first, then as they are.
    for shrink in (2e-6, 0.0):
        low, high = (people.lower - others) / unit + shrink, (people.upper - others) / unit - shrink
        once = csr_array((np.ones(len(who)), (who, np.arange(len(who)))), shape=(n, len(who)))
        found = milp(
            np.zeros(len(who)),
            integrality=np.ones(len(who)),
            bounds=Bounds(0, 1),
            constraints=[
                LinearConstraint(amounts, low, np.maximum(high, low)),
                LinearConstraint(once, -np.inf, 1.0),
            ],
            options={"node_limit": 2_000},
        )
        if found.x is not None:
            picks = np.full(n, len(there) - 1, dtype=np.int64)
            made = found.x > 0.5
            picks[who[made]] = pick[made]
            return picks
    return None


def _once_each(
    user: IntArray, size: FloatArray, *, columns: int
) -> tuple[csr_array | None, FloatArray | None]:
    """Rows that let a person with several switches make one of them; None where nobody has several."""
    starts, lengths = runs(user)
    several = lengths > 1
    if not several.any():
        return None, None
    number = np.repeat(np.where(several, np.cumsum(several) - 1, -1), lengths)
    at = np.flatnonzero(number >= 0)
    shape = (int(several.sum()), columns)
    return csr_array(coo_array((np.ones(len(at)), (number[at], at)), shape=shape)), size[starts[several]]
