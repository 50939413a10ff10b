"""What every limit of the brief is worth at the plan: multipliers of rows, and of `Limits`, by constraint
name.

Exists because the prices that bound the optimum are not always the slope of its value (where cells are
S-shaped or on/off the bound's prices belong to a mixture), and because limits of single cells are held
inside the pricing problem, where the master has no dual for them. Both come from the optimality conditions
at the plan (envelope theorem). Convention: the price of a name is the objective gained when every number of
that constraint moves outwards by one natural step (`campaign.steps`), a sum over its rows and cells: a row's
multiplier times the room that a step gives it (0.1 of a return: 0.1 yuan a yuan spent at the plan). Limits
that are shares of the budget move with it, so they count in the price of `total`. Rows that count cells keep
the bound's price, a ceiling on what one more cell may bring. It must
not import `solve`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from models.errors import SolverError, UndecidedError
from models.supply.curves import POINTS, FloatArray
from targeting.allocation.outcomes import outcomes
from targeting.allocation.problem import Problem
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.arrays import Program
from targeting.allocation.solver.blocks import block_value, jacobian, jet
from targeting.allocation.solver.deadline import Deadline
from targeting.allocation.solver.highs import maximise
from targeting.allocation.solver.incumbent import Incumbent
from targeting.allocation.solver.polish import lines, polish


@dataclass(frozen=True)
class Named:
    """Prices by constraint name, the names that hold with equality, and the budget row's own multiplier."""

    prices: dict[str, float]
    binding: tuple[str, ...]
    yuan_price: float


def named_prices(best: Incumbent, program: Program) -> Named:
    """A price for `total` and every row's and binding limit's name, >= 0, at the best plan of a program."""
    problem, (spend, own) = best.problem, _multipliers(best, program)
    worth = np.abs(block_value(program, program.weights(np.zeros_like(own)), spend)).sum()
    lhs, size = lines(program, spend)
    own = np.where(np.abs(own) * size > SETTINGS.price_nothing * worth, own, 0.0)
    tight = (np.abs(lhs - program.row_upper) <= SETTINGS.price_near * size) | (
        np.abs(lhs - program.row_lower) <= SETTINGS.price_near * size
    )
    paying = zip(program.row_name, np.abs(own).tolist(), tight.tolist(), strict=True)
    held = [name for name, price, at_limit in paying if at_limit or price > 0]
    real = program.told(spend, len(problem.market))
    cells, yuan = limit_prices(problem, program, own, spend)
    found = row_prices(problem, own, real)
    for name, price in cells.items():
        found[name] = found.get(name, 0.0) + price
        held += [name] if price * problem.budget_cny > SETTINGS.price_nothing * worth else []
    return Named(found, tuple(dict.fromkeys(held)), float(abs(own[0])) + yuan)


def row_prices(problem: Problem, prices: FloatArray, spend_cny: FloatArray) -> dict[str, float]:
    """Objective per natural step of each row's constraint, and per yuan of the budget.

    Args:
        problem: prices: (r,) multipliers, the budget's first.
        prices: as of the program's rows.
        spend_cny: (n_cells,) where rows that are ratios of sums are priced.
    """
    got = outcomes(problem.market, spend_cny)
    found: dict[str, float] = {"total": float(abs(prices[0]))}
    for row, price in zip(problem.rows, np.abs(prices[1:]).tolist(), strict=True):
        found[row.name] = found.get(row.name, 0.0) + price * row.room(got)
        found["total"] += price * row.per_budget
    return found


def limit_prices(
    problem: Problem, program: Program, prices: FloatArray, laid: FloatArray
) -> tuple[dict[str, float], float]:
    """Objective per natural step by which every limit of a constraint moves outwards, for the binding ones.

    Args:
        problem: its `limits.sources` say who set what.
        program: its layout, as built from it.
        prices: (r,) row prices at the optimum.
        laid: (m,) the plan on the grid.

    Returns:
        Constraint name -> price > 0, summed over the cells where its limit is the one that binds, `total` for
        what moves with the budget; and the price of a yuan where the budget is a cell's own ceiling.
    """
    n, limits = len(problem.market), problem.limits
    at_upper, at_lower = _slopes_at_limits(problem, program, prices, laid)
    spend = program.told(laid, n)
    most = program.told(program.upper, n)  # the least of limit, budget and marginal stop
    used = np.where(spend > 0, at_lower, 0.0)
    least = np.maximum(limits.min_if_used_cny, limits.lower_cny)
    found: dict[str, float] = {}
    for source in limits.sources:
        sides = {
            "upper_cny": (at_upper, most),
            "lower_cny": (at_lower, np.where(spend > 0, least, limits.lower_cny)),
            "min_if_used_cny": (used, least),
        }
        if source.side not in sides:
            continue
        worth, tightest = sides[source.side]
        said = np.where(np.isnan(source.value), -1.0, source.value)
        binds = (worth > 0) & (said >= 0) & np.isclose(said, tightest, rtol=1e-9, atol=0.0)
        for name, room in ((source.name, source.per_step), ("total", source.per_budget)):
            gained = float((worth * room)[binds].sum())
            found[name] = found.get(name, 0.0) + gained if gained else found.get(name, 0.0)
    by_budget = (at_upper > 0) & (limits.upper_cny > problem.budget_cny)
    by_budget &= np.isclose(most, problem.budget_cny, rtol=1e-9, atol=0.0)
    yuan = float(at_upper[by_budget].sum())
    return {**found, "total": found.get("total", 0.0) + yuan}, yuan


def _box(program: Program, spend: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The plan's on/off pattern as limits, each (m,)."""
    on = ~program.switch | (spend > 0)
    low = np.where(on, np.where(program.switch, program.floor_on, program.lower), 0.0)
    return np.minimum(low, program.upper), np.where(on, program.upper, 0.0)


def _multipliers(best: Incumbent, program: Program) -> tuple[FloatArray, FloatArray]:
    """Spend (m,) and prices (r,) that meet the optimality conditions of the plan's on/off pattern, or the
    bound's.
    """
    assert best.spend is not None
    spend, done = best.spend, best.polished
    plain = np.zeros(len(program.row_lower))
    prices = plain if best.prices is None else program.lawful(best.prices)
    low, high = _box(program, spend)
    if best.deadline.over:
        return spend, prices
    if not ((high > low) & (program.curves.family == POINTS)).any():  # a kink has two slopes
        if done is None or done.residual > SETTINGS.price_exact:
            done = polish(program, spend, prices, low, high, deadline=best.deadline)
        moved = np.abs(done.spend - spend).sum() / max(np.abs(spend).sum(), 1e-300)
        if moved <= 1e-3 and done.residual <= SETTINGS.price_exact:
            return done.spend, program.lawful(done.prices)
    if len(spend) > SETTINGS.priced_cells:
        return spend, prices
    return spend, _by_program(program, prices, spend, (low, high), best.deadline)


def _by_program(
    program: Program,
    prices: FloatArray,
    spend: FloatArray,
    box: tuple[FloatArray, FloatArray],
    deadline: Deadline,
) -> FloatArray:
    """Multipliers as the duals of the linear program of small moves, left and right slopes apart (kinks)."""
    low, high = box
    lhs, size = lines(program, spend)
    ups = np.flatnonzero(np.abs(lhs - program.row_upper) <= 1e-7 * size)
    downs = np.flatnonzero(np.abs(lhs - program.row_lower) <= 1e-7 * size)
    room = 1e-7 * (high - low)
    step = np.maximum(1e-7 * spend, 1e-9 * (high - low))
    plain, gains, sides = program.weights(np.zeros_like(prices)), [], []
    for way in (1.0, -1.0):
        at = np.clip(spend + way * step, low, high)
        gain = jet(program, plain, at).gradient.ravel()
        open_ = (high - spend > room) if way > 0 else (spend - low > room)
        unit = np.where(open_, 1.0 / np.maximum(np.abs(gain), 1e-300), 0.0)  # every move earns one
        unit = np.minimum(unit, np.maximum(high - low, 1e-300) * 1e6)
        a = sparse.diags(1.0 / size) @ jacobian(program, at, np.arange(len(size))) @ sparse.diags(way * unit)
        gains.append(way * gain * unit)
        sides.append(a)
    both = sparse.hstack(sides, "csr")
    rows = sparse.vstack([both[ups], -both[downs]], "csr")
    try:
        dual = maximise(
            np.concatenate(gains), rows, np.zeros(rows.shape[0]), bounds=np.array([[0.0, 1.0]]),
            deadline=deadline,
        ).dual  # fmt: skip
    except (SolverError, UndecidedError):
        return prices
    counts = np.asarray(abs(program.matrix["active"]).sum(axis=1)).ravel() > 0
    own = np.where(counts, prices, 0.0)
    own[ups] += np.where(counts[ups], 0.0, dual[: len(ups)] / size[ups])
    own[downs] -= np.where(counts[downs], 0.0, dual[len(ups) :] / size[downs])
    return own


def _slopes_at_limits(
    problem: Problem, program: Program, prices: FloatArray, laid: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(n_cells,) gain per yuan of a higher upper limit and of a lower lower limit; 0 where the limit is not
    reached.
    """
    n, alive = len(problem.market), program.cell >= 0
    slope = jet(program, program.weights(prices), laid).gradient.ravel()
    floor, ceiling = _box(program, laid)
    near = SETTINGS.price_near * np.maximum(ceiling - floor, 1e-3 * ceiling)
    up = alive & (laid >= ceiling - near) & ((ceiling > 0) | ~program.switch) & np.isfinite(slope)
    down = alive & (laid <= floor + near) & (floor > 0)
    rises = np.where(up, np.maximum(slope, 0.0), 0.0)
    falls = np.where(down, np.maximum(-slope, 0.0), 0.0)
    return program.told(rises, n), program.told(falls, n)
