"""When no plan exists: which constraints cannot hold together, and by how much the least one must give way.

Exists so that "infeasible" is never the whole answer. A deletion filter (Chinneck, Feasibility and
Infeasibility in Optimization, 2008, ch. 6) over the constraints' names leaves a minimal conflicting set:
taking away any of it makes the rest feasible. Contradictions between limits of spend are judged by the exact
MILP of `spendlp`; where curves are involved the solver itself is the judge. It must not be called by the
solver, which only reports that there is no plan.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np

from models.errors import InfeasibleError, SolverError, UndecidedError
from models.supply.curves import FloatArray
from targeting.allocation.explain.remedies import one_line
from targeting.allocation.explain.spendlp import BUDGET, least_slack, linear_names
from targeting.allocation.formulation.compile import combine
from targeting.allocation.moves import trial_gains
from targeting.allocation.outcomes import outcomes
from targeting.allocation.problem import CellLimit, Metric, Problem, Row, Solution
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.deadline import Deadline
from targeting.allocation.solver.solve import Warm
from targeting.allocation.solver.stops import solve_with_stops

Judge = Callable[[Problem], bool]
_ONE = SETTINGS.feasibility_seconds
_SOLVING = 0.8  # of the time: the rest is for saying why, or for words on the plan


def explain(
    problem: Problem, *, feasible: Judge | None = None, proven: bool = False, time_limit_s: float = 60.0
) -> InfeasibleError:
    """The error to raise for a problem that has no plan.

    Args:
        problem: infeasible, as the solver found (or as found here; a feasible one gets an error that says
            so).
        feasible: judge of problems with curves; default: the solver's own search for any plan.
        proven: the solver proved already that there is no plan.
        time_limit_s: seconds after which names are no longer left out and relaxations no longer sought.

    Returns:
        InfeasibleError with `conflict`, names of a minimal set (where time was up a larger one, and the
        message says so), and `relaxation`, for each of them alone the
        least change of its limit, in its unit, that lets a plan exist (missing where no change of it alone
        would).
    """
    deadline = Deadline.of(time_limit_s)

    def judge(asked: Problem) -> bool:
        return feasible(asked) if feasible else solver_finds_a_plan(asked, time_limit_s=deadline.left(_ONE))

    names, linear = all_names(problem), linear_names(problem)
    by_curves = _spendable(problem, linear, deadline)
    if not by_curves:
        among = [n for n in names if n in linear]
        conflict = _shrink(among, lambda kept: _spendable(problem, kept, deadline))
    elif proven or not judge(problem):
        conflict = _shrink(names, lambda kept: deadline.over or judge(restricted(problem, kept)))
    else:
        return InfeasibleError(
            "the solver found no plan, but every constraint can be kept; raise its time limit"
        )
    relaxation, cut = dict[str, float](), deadline.over and len(conflict) > 1
    for name in conflict:
        if not by_curves:
            amount = _relaxed_by_limits(problem, conflict, name, deadline)
        else:
            known = _relaxed_at_best(problem, name, deadline) if feasible is None else None
            amount = known.amount if known is not None and known.least else None
            if amount is None:
                amount = _relaxed_by_judge(problem, name, judge, deadline, known)
        if amount is not None:
            relaxation[name] = amount
    return InfeasibleError(
        one_line(problem, conflict, relaxation, cut=cut), conflict=tuple(conflict), relaxation=relaxation
    )


def solve_or_explain(
    problem: Problem, *, gap_tol: float = 1e-6, time_limit_s: float = 60.0, warm: Warm | None = None
) -> Solution:
    """The best plan, marginal floors kept, or the whole answer where there is none, within one time limit.

    Raises:
        InfeasibleError: with the minimal conflict and the least relaxations of `explain`.
        DataError, SolverError: as `solve`.
    """
    deadline = Deadline.of(time_limit_s)
    try:
        found = solve_with_stops(problem, gap_tol=gap_tol, time_limit_s=_SOLVING * time_limit_s, warm=warm)
    except UndecidedError:
        if _spendable(problem, linear_names(problem), deadline):
            raise  # time is up
        raise explain(problem, proven=True, time_limit_s=deadline.left(time_limit_s)) from None
    except InfeasibleError as error:
        if problem.risk is not None and error.conflict == (problem.risk.name,):
            raise  # the rest can be kept, and by how much the floor is missed is said
        raise explain(problem, proven=True, time_limit_s=deadline.left(time_limit_s)) from None
    _refuse_nothing(problem, found.spend_cny)
    return found


def _refuse_nothing(problem: Problem, spend_cny: FloatArray) -> None:
    """A return that no yuan brings is "kept" by spending nothing, which is no plan for a target."""
    for row in problem.rows:
        spread = row.spread(len(spend_cny))
        least = -spread.pop("spend", np.zeros(len(spend_cny)))
        here = least > 0
        if not row.aim or not here.any() or (spend_cny[here] > 0).any():
            continue
        most = np.minimum(problem.limits.upper_cny, problem.budget_cny)
        tried = np.geomspace(1e-6, 1.0, SETTINGS.trial_spends)[:, None] * most
        nothing = np.zeros(len(spend_cny))
        gains = trial_gains(problem.market, spend_cny=nothing, trials_cny=tried, coefficients=spread)
        best = float((gains / np.where(tried > 0, tried, np.inf))[:, here].max(initial=0.0))
        asked, place = float(least[here].max()), f" for {row.where}" if row.where else ""
        raise InfeasibleError(
            f"no spend reaches target '{row.name}' of {asked:,.6g} per CNY{place}: "
            f"the best average return found is {best:,.6g}; lower the target below that",
            conflict=(row.name,),
            relaxation={row.name: asked - best},
        )


def solver_finds_a_plan(problem: Problem, *, time_limit_s: float = _ONE) -> bool:
    """False only where the solver proves that there is no plan: the same problem with nothing to maximise."""
    nothing = replace(
        problem, objective={"spend": np.zeros(len(problem.market))}, worth=problem.worth or problem.objective
    )
    try:
        solve_with_stops(nothing, gap_tol=1.0, time_limit_s=time_limit_s)
    except (SolverError, UndecidedError):
        return True  # not proven, so no constraint is blamed for it
    except InfeasibleError:
        return False
    return True


def all_names(problem: Problem) -> list[str]:
    """Names of all constraints, the budget last: what the filter tries first it drops first."""
    found = [*(r.name for r in problem.rows), *(s.name for s in problem.limits.sources)]
    found += [problem.risk.name] if problem.risk else []
    return [n for n in dict.fromkeys(found) if n != BUDGET] + [BUDGET]


def restricted(problem: Problem, names: Collection[str]) -> Problem:
    """The problem with the named constraints only; without `total` money is no object."""
    return replace(
        problem,
        rows=tuple(r for r in problem.rows if r.name in names),
        limits=combine([s for s in problem.limits.sources if s.name in names], len(problem.market)),
        risk=problem.risk if problem.risk and problem.risk.name in names else None,
        budget_cny=problem.budget_cny if BUDGET in names else 1e3 * _all_money(problem),
    )


def _all_money(problem: Problem) -> float:
    asked = [float(np.nansum(s.value)) for s in problem.limits.sources if s.side != "marginal_floor"]
    asked += [abs(r.lower) for r in problem.rows if np.isfinite(r.lower) and set(r.coefficients) == {"spend"}]
    return problem.budget_cny + sum(asked)


def _shrink(names: list[str], possible: Callable[[list[str]], bool]) -> list[str]:
    """Deletion filter: drop all names without which the rest is still impossible, halves before single ones
    (of hundreds of caps most are innocent).
    """
    kept, size = list(names), len(names)
    while size > 1:
        size = -(-size // 2)
        for start in range(0, len(names), size):
            rest = [n for n in kept if n not in names[start : start + size]]
            if len(rest) < len(kept) and rest and not possible(rest):
                kept = rest
    return kept


def _spendable(problem: Problem, names: Collection[str], deadline: Deadline) -> bool:
    """False only where no spend is proven to keep the limits of spend among the names."""
    with contextlib.suppress(UndecidedError):
        return deadline.over or least_slack(problem, names=names, seconds=deadline.left(_ONE)) is not None
    return True


def _relaxed_by_limits(problem: Problem, conflict: list[str], name: str, deadline: Deadline) -> float | None:
    """Exact: against all spend limits, else (another conflict stands) against this conflict only."""
    with contextlib.suppress(UndecidedError):
        for names in () if deadline.over else (linear_names(problem), conflict):
            found = least_slack(problem, names=names, relaxed=name, seconds=deadline.left(_ONE))
            if found is not None:
                return found
    return None


@dataclass(frozen=True)
class _Enough:
    """A change of a limit that lets a plan exist, and whether no smaller one does."""

    amount: float
    least: bool


def _relaxed_at_best(problem: Problem, name: str, deadline: Deadline) -> _Enough | None:
    """By one solve: how far the named rows are from the best that plans which keep the others can do for
    their sum; exact for a single row.

    None where the name limits single cells or both sides, the others cannot be kept either, or time is up.
    """
    if deadline.over:
        return None
    n = len(problem.market)
    rows = [r for r in problem.rows if r.name == name]
    if name == BUDGET:
        rows = [Row(BUDGET, {"spend": np.ones(n)}, upper=problem.budget_cny)]
    up = [np.isfinite(r.upper) for r in rows]
    if not rows or any(s.name == name for s in problem.limits.sources) or any(up) != all(up):
        return None
    if any(np.isfinite(r.lower) and np.isfinite(r.upper) for r in rows):
        return None
    sign, goal = (-1.0 if up[0] else 1.0), dict[Metric, FloatArray]()
    for row in rows:
        for metric, x in row.spread(n).items():
            goal[metric] = goal.get(metric, np.zeros(n)) + sign * x
    rest = restricted(problem, [k for k in all_names(problem) if k != name])
    try:
        found = solve_with_stops(
            replace(rest, objective=goal, worth=problem.worth or problem.objective),
            gap_tol=SETTINGS.relaxation_gap, time_limit_s=deadline.left(_ONE),
        )  # fmt: skip
    except (InfeasibleError, SolverError):
        return None
    metrics = outcomes(problem.market, found.spend_cny)
    short = [sign * ((r.lower if sign > 0 else r.upper) - float(r.lhs(metrics))) for r in rows]
    return _Enough(max(0.0, *short) * (1 + 1e-9), least=len(rows) == 1)


def _relaxed_by_judge(
    problem: Problem, name: str, judge: Judge, deadline: Deadline, known: _Enough | None
) -> float | None:
    """By bisection on the judge, from what is known to be enough or from a change that takes the limit away
    in effect; where time runs out what was enough by then.
    """
    high = known.amount if known is not None else _scale(problem, name)
    for _ in range(0 if known is not None else 8):
        if deadline.over:
            return None
        if judge(loosened(problem, name, high)):
            break
        high *= 4.0
    else:
        if known is None:
            return None
    low = 0.0
    for _ in range(SETTINGS.relaxation_halvings):
        if deadline.over:
            break
        middle = 0.5 * (low + high)
        low, high = (low, middle) if judge(loosened(problem, name, middle)) else (middle, high)
    return high


def _scale(problem: Problem, name: str) -> float:
    """Size of the named limit in its own unit."""
    if name == BUDGET:
        return problem.budget_cny
    if problem.risk and problem.risk.name == name:
        return max(abs(problem.risk.floor), 1.0)
    sizes = [abs(v) for r in problem.rows if r.name == name for v in (r.lower, r.upper) if np.isfinite(v)]
    sizes += [float(np.nanmax(s.value)) for s in problem.limits.sources if s.name == name]
    size = max(sizes, default=0.0)
    return size if size > 0 else problem.budget_cny


def loosened(problem: Problem, name: str, amount: float) -> Problem:
    """The problem with every limit of `name` moved outwards by `amount` of its unit."""
    risk = problem.risk
    if risk and risk.name == name:
        risk = replace(risk, floor=risk.floor - amount)
    rows = tuple(
        replace(r, lower=r.lower - amount, upper=r.upper + amount) if r.name == name else r
        for r in problem.rows
    )
    sources = [_moved(s, amount) if s.name == name else s for s in problem.limits.sources]
    budget = problem.budget_cny + (amount if name == BUDGET else 0.0)
    return replace(
        problem, rows=rows, risk=risk, budget_cny=budget, limits=combine(sources, len(problem.market))
    )


def _moved(source: CellLimit, amount: float) -> CellLimit:
    value: FloatArray = (
        source.value + amount if source.side == "upper_cny" else np.maximum(source.value - amount, 0.0)
    )
    return replace(source, value=value)
