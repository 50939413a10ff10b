"""Why each cell got its money, or nothing, in the planner's words.

Exists because a plan that cannot be explained is not followed. Every statement is recomputed from the true
curves at the plan's spend (what would the next yuan, or the best other spend, have brought?) and compared
with the hurdle: what a yuan must return, which is the budget's shadow price plus what the objective charges
for it. It must not import the solver.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from models.supply.curves import FloatArray
from targeting.allocation.formulation.selection import cell_names
from targeting.allocation.moves import Neighbours, marginals, trial_gains
from targeting.allocation.problem import Market, Metric, Problem, Solution
from targeting.allocation.settings import SETTINGS

Code = Literal[
    "margin", "cap", "floor", "minimum", "marginal_floor", "held_back", "held_up", "saturated",
    "no_value", "closed", "trial", "untried", "too_weak", "slow_start", "below_minimum", "held_out",
    "near_tie",
]  # fmt: skip
REASONS: Mapping[Code, str] = {
    "margin": "funded until the next yuan returns no more than elsewhere",
    "cap": "at its cap",
    "floor": "only as much as its floor demands",
    "minimum": "at the least spend allowed",
    "marginal_floor": "stopped where the next yuan returns too little",
    "held_back": "would deserve more but a constraint holds it back",
    "held_up": "gets more than it earns because a constraint asks for it",
    "saturated": "more money brings nothing here",
    "no_value": "brings no value at any spend",
    "closed": "closed by a limit of 0",
    "trial": "trial money: never tried here, its curve is a guess from the other cells",
    "untried": "never tried, and the brief gives no money for trials (trial_cny)",
    "too_weak": "its first yuan returns less than elsewhere",
    "slow_start": "needs too much money before it works",
    "below_minimum": "worth a little, but not the least spend allowed",
    "held_out": "would deserve money but a constraint holds it back",
    "near_tie": "as good as what got the money; the difference is within the certificate",
}
NAMED = (
    "cap",
    "floor",
    "minimum",
    "marginal_floor",
    "closed",
    "below_minimum",
    "held_back",
    "held_up",
    "held_out",
)
_NEAR = SETTINGS.near_hurdle
_UNITS: Mapping[str, str] = {"gmv": "CNY of GMV", "fans": "new fans", "entries": "live entries"}


@dataclass(frozen=True)
class Finding:
    """Why one cell has its spend.

    Attributes:
        code: key of `REASONS`.
        names: constraints (names of the brief) that decide it; empty where none does.
        spend_cny: what it got.
        returns: value of the next yuan; for a cell without money of the best average yuan.
        hurdle: what a yuan must return to be spent.
        best_cny: for a cell without money the spend at which it would return most per yuan, else its spend.
    """

    code: Code
    names: tuple[str, ...]
    spend_cny: float
    returns: float
    hurdle: float
    best_cny: float


def findings(problem: Problem, solution: Solution) -> tuple[Finding, ...]:
    """The reason for every cell, in the order of `market.cells`."""
    judge = _Judge.of(problem, solution)
    return tuple(judge.finding(c) for c in range(len(problem.market)))


def reasons(problem: Problem, solution: Solution) -> list[str]:
    """The column `reason` of allocation.csv: a phrase per cell, naming the constraint where one decides."""
    return [_short(f) for f in findings(problem, solution)]


def why(market: Market, problem: Problem, solution: Solution, cell: int) -> str:
    """One or two sentences on why cell number `cell` got its money or nothing."""
    found = _Judge.of(problem, solution).finding(cell)
    place, unit = cell_names(market.cells)[cell], value_unit(problem)
    got = f"{place} gets {found.spend_cny:,.2f} CNY" if found.spend_cny > 0 else f"{place} gets nothing"
    text = f"{got}: {_short(found)}."
    if found.code in ("no_value", "closed", "untried"):
        return text
    must = f"; a yuan must return {found.hurdle:,.4g} to be spent" if found.hurdle > 0 else ""
    if found.spend_cny > 0:
        next_yuan = f"Its next yuan returns {found.returns:,.4g} {unit}"
        return f"{text} {next_yuan}{must}."
    if found.code == "too_weak":
        first_yuan = f"Its first yuan returns {found.returns:,.4g} {unit}"
        return f"{text} {first_yuan}{must}."
    at_best = (
        f"At best, with {found.best_cny:,.2f} CNY, a yuan returns {found.returns:,.4g} {unit} on average"
    )
    return f"{text} {at_best}{must}."


def value_unit(problem: Problem) -> str:
    """What the returns are counted in."""
    value = value_coefficients(problem)
    if "gmv" in value and not np.isin(value["gmv"], (0.0, 1.0)).all():
        return "CNY of margin"
    return " and ".join(_UNITS.get(metric, metric) for metric in value) or "value"


def value_coefficients(problem: Problem) -> dict[Metric, FloatArray]:
    """What money is spent for: the objective less its charge on spend; in a cheapest plan, its goal."""
    value: dict[Metric, FloatArray] = {
        m: c for m, c in problem.objective.items() if m != "spend" and np.any(c)
    }
    if value:
        return value
    goals = [
        r for r in problem.rows if np.isfinite(r.lower) and r.lower > 0 and set(r.coefficients) <= set(_UNITS)
    ]
    return goals[0].spread(len(problem.market)) if goals else dict(problem.worth or {})


def hurdle(problem: Problem, solution: Solution) -> FloatArray:
    """(n_cells,) value that a yuan must return: budget's price + the objective's charge on spend.

    In a cheapest plan (objective minus spend) prices are yuan per unit of the goal, so the hurdle is their
    inverse.
    """
    zero = np.zeros(len(problem.market))
    charge = -np.asarray(problem.objective.get("spend", zero), dtype=float) + zero
    price = solution.yuan_price
    if price is None:
        price = float(solution.shadow_prices.get("total", 0.0))
    if any(np.any(c) for m, c in problem.objective.items() if m != "spend"):
        return charge + price
    value = value_coefficients(problem)
    goals = [r.name for r in problem.rows if r.coefficients.keys() == value.keys() and np.isfinite(r.lower)]
    goal = max((solution.shadow_prices.get(name, 0.0) for name in goals), default=0.0)
    return (charge + price) / goal if goal > 0 else np.full(len(zero), np.inf)


@dataclass(frozen=True)
class _Judge:
    """Numbers of all cells that the rules look at, each (n_cells,)."""

    problem: Problem
    solution: Solution
    hurdle: FloatArray
    marginal: FloatArray
    best_return: FloatArray
    best_cny: FloatArray
    first_return: FloatArray
    best_allowed: FloatArray

    @classmethod
    def of(cls, problem: Problem, solution: Solution) -> _Judge:
        market, spend, value = problem.market, solution.spend_cny, value_coefficients(problem)
        near = Neighbours.of(market)
        step = max(1e-6 * problem.budget_cny, 1e-3)
        cap = np.minimum(problem.limits.upper_cny, problem.budget_cny)
        grid = np.geomspace(1e-4, 1.0, SETTINGS.trial_spends)[:, None] * np.maximum(cap, 1e-9)
        extra = np.where(spend > 0, step, grid)
        gains = trial_gains(
            market, spend_cny=spend, trials_cny=spend + extra, coefficients=value, neighbours=near
        )
        average = gains / extra
        best = average.argmax(axis=0)
        at = np.arange(len(market))
        allowed = np.where(extra >= problem.limits.min_if_used_cny, average, -np.inf).max(axis=0)
        return cls(
            problem=problem,
            solution=solution,
            hurdle=hurdle(problem, solution),
            marginal=marginals(market, spend_cny=spend, coefficients=value, step_cny=step, neighbours=near),
            best_return=average[best, at],
            best_cny=extra[best, at],
            first_return=average[0],
            best_allowed=allowed,
        )

    def finding(self, c: int) -> Finding:
        """The rules, most telling first."""
        spend = float(self.solution.spend_cny[c])
        code, names = self._funded(c, spend) if spend > 0 else self._unfunded(c)
        if self.problem.market.untried[c] and (spend > 0 or code == "closed"):
            code = "trial" if spend > 0 else "untried"
        returns = self.marginal[c] if spend > 0 else self.best_return[c]
        best = spend if spend > 0 else float(self.best_cny[c])
        least = self.problem.limits.marginal_floor[c] if code == "marginal_floor" else self.hurdle[c]
        return Finding(code, names, spend, float(returns), float(least), best)

    def _funded(self, c: int, spend: float) -> tuple[Code, tuple[str, ...]]:
        limits, hurdle, next_yuan = self.problem.limits, self.hurdle[c], self.marginal[c]
        close, floor, much = 1e-6 * self.problem.budget_cny + 0.002, limits.marginal_floor[c], 1 + _NEAR
        if spend >= limits.upper_cny[c] - close and next_yuan >= hurdle * (2 - much):
            return "cap", self._sources(c, "upper_cny")
        if next_yuan > hurdle * much:
            if floor > 0 and next_yuan <= floor * much:
                return "marginal_floor", self._sources(c, "marginal_floor")
            held = self._rows(c)
            return ("held_back", held) if held else ("near_tie", ())
        if next_yuan < hurdle * (2 - much):
            if limits.lower_cny[c] > 0 and spend <= limits.lower_cny[c] + close:
                return "floor", self._sources(c, "lower_cny")
            if limits.min_if_used_cny[c] > 0 and spend <= limits.min_if_used_cny[c] + close:
                return "minimum", self._sources(c, "min_if_used_cny")
            held = self._rows(c)
            return ("held_up", held) if held else ("near_tie", ())
        return ("saturated", ()) if hurdle <= 0 else ("margin", ())

    def _unfunded(self, c: int) -> tuple[Code, tuple[str, ...]]:
        limits, hurdle = self.problem.limits, self.hurdle[c]
        if limits.upper_cny[c] <= 0:
            return "closed", self._sources(c, "upper_cny")
        if self.best_return[c] <= 0:
            return "no_value", ()
        if self.best_return[c] <= hurdle * (1 + _NEAR):
            slow = self.best_return[c] > self.first_return[c] * (1 + _NEAR)
            return ("slow_start", ()) if slow else ("too_weak", ())
        if limits.min_if_used_cny[c] > 0 and self.best_allowed[c] <= hurdle * (1 + _NEAR):
            return "below_minimum", self._sources(c, "min_if_used_cny")
        if limits.marginal_floor[c] > 0 and self.first_return[c] < limits.marginal_floor[c]:
            return "marginal_floor", self._sources(c, "marginal_floor")
        held = self._rows(c)
        return ("held_out", held) if held else ("near_tie", ())

    def _sources(self, c: int, side: str) -> tuple[str, ...]:
        """Constraints whose limit on this side is the cell's tightest."""
        tightest = getattr(self.problem.limits, side)[c]
        return tuple(
            s.name
            for s in self.problem.limits.sources
            if s.side == side and np.isclose(s.value[c], tightest, rtol=1e-9, atol=0.0)
        )

    def _rows(self, c: int) -> tuple[str, ...]:
        """Binding constraints other than the budget that speak of this cell."""
        named = self.problem.risk.name if self.problem.risk is not None else None
        spoken = self._spoken.get(c, set())
        return tuple(n for n in self.solution.binding if n == named or n in spoken)

    @cached_property
    def _spoken(self) -> dict[int, set[str]]:
        """Of every cell the binding constraints whose rows speak of it."""
        found: dict[int, set[str]] = {}
        for row in self.problem.rows if self.solution.binding else ():
            if row.name in self.solution.binding:
                for of_cells in row.coefficients.values():
                    at = np.flatnonzero(of_cells)
                    for c in (at if row.cells is None else row.cells[at]).tolist():
                        found.setdefault(c, set()).add(row.name)
        return found


def _short(found: Finding) -> str:
    names = ", ".join(f"'{n}'" for n in found.names)
    return f"{REASONS[found.code]} ({names})" if names and found.code in NAMED else REASONS[found.code]
