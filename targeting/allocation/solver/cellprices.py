"""What one more yuan of a cell's own limit would be worth: shadow prices of `Limits`, by constraint name.

Exists because limits of single cells are held inside the pricing problem, where the master has no dual for
them. At the plan, the price-adjusted objective J of a block still rises past an upper limit (or would rise
below a lower one); its slope there is the limit's price, by the envelope theorem. It must not solve anything.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.curves import FloatArray
from targeting.allocation.outcomes import previous_slot
from targeting.allocation.problem import Problem
from targeting.allocation.solver.blocks import jet
from targeting.allocation.solver.program import CARRY, Program

_NEAR = 1e-9  # of the budget: a spend this close to its limit is at it


def limit_prices(
    problem: Problem, program: Program, prices: FloatArray, effective: FloatArray
) -> dict[str, float]:
    """Objective per yuan by which every limit of a constraint would be moved outwards, for the binding ones.

    Args:
        problem: its `limits.sources` say who set what.
        program: its layout, as built from it.
        prices: (r,) row prices at the optimum.
        effective: (m,) the plan in the program's variables.

    Returns:
        Constraint name -> price > 0, summed over the cells where its limit is the one that binds.
    """
    at_upper, at_lower = _slopes_at_limits(problem, program, prices, effective)
    spend = program.spend(effective, len(problem.market))
    found: dict[str, float] = {}
    for source in problem.limits.sources:
        said = ~np.isnan(source.value)
        if source.side == "upper_cny":
            worth, tightest = at_upper, problem.limits.upper_cny
        elif source.side == "lower_cny":
            worth, tightest = at_lower, problem.limits.lower_cny
        elif source.side == "min_if_used_cny":
            worth = np.where(spend > 0, at_lower, 0.0)
            tightest = np.maximum(problem.limits.min_if_used_cny, problem.limits.lower_cny)
        else:
            continue
        binds = (
            said
            & (worth > 0)
            & np.isclose(np.where(said, source.value, -1.0), tightest, rtol=1e-12, atol=0.0)
        )
        if binds.any():
            found[source.name] = found.get(source.name, 0.0) + float(worth[binds].sum())
    return found


def _slopes_at_limits(
    problem: Problem, program: Program, prices: FloatArray, effective: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(n_cells,) gain per yuan of a higher upper limit and of a lower lower limit; 0 where the limit is not
    reached.
    """
    n, alive = len(problem.market), program.cell >= 0
    slope = jet(program, program.weights(prices), effective).gradient.ravel()
    near = _NEAR * max(problem.budget_cny, 1e-300)
    up = alive & (effective >= program.upper - near) & (program.upper > 0)
    floor = np.where(program.switch, program.floor_on, program.lower)
    down = alive & (effective <= floor + near) & (floor > 0) & (effective > 0)
    upper, lower = np.zeros(n), np.zeros(n)
    rises = _of_real_spend(program, np.where(up, np.maximum(slope, 0.0), 0.0))
    falls = _of_real_spend(program, np.where(down, np.maximum(-slope, 0.0), 0.0))
    upper[program.cell[alive]], lower[program.cell[alive]] = rises[alive], falls[alive]
    if program.carried is not None:  # later slots' limits are rows there, one per cell with a slot before it
        later = _cells_with_a_slot_before(problem, program)
        price = prices[[name == CARRY for name in program.row_name]]
        upper[later] += np.maximum(price, 0.0)
        lower[later] += np.maximum(-price, 0.0)
    return upper, lower


def _of_real_spend(program: Program, slopes: FloatArray) -> FloatArray:
    """Slopes by limits of effective spend -> of real spend; a limit of one slot moves the later ones too."""
    if program.carried is None:
        return slopes
    system = sparse.identity(len(slopes), format="csc") - program.carried.T.tocsc()
    return np.asarray(sparse.linalg.spsolve(system, slopes))


def _cells_with_a_slot_before(problem: Problem, program: Program) -> NDArray[np.int64]:
    before, _ = previous_slot(problem.market)
    laid = program.cell[program.cell >= 0]
    return laid[before[laid] >= 0]
