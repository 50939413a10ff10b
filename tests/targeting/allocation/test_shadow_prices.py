"""Shadow prices against finite differences of the solved value, on random markets with random constraints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_markets import market

from models.errors import InfeasibleError
from targeting.allocation.formulation.compile import combine, compile_problem
from targeting.allocation.problem import Problem, Row
from targeting.allocation.solver.solve import Warm, solve

STEP = 2e-4  # of a limit's size
SECONDS = 3.0  # a solve that is cut off has a wide bound, which the comparison allows for
KINDS = (
    "bounds", "cell", "ratio", "roi_floor", "live_capacity", "frequency_cap", "change_limit",
    "fairness_floor", "min_if_used",
)  # fmt: skip


def random_brief(rng: np.random.Generator, budget: float) -> list[dict[str, object]]:
    """Two to four constraints of different kinds, each named after its kind."""
    written = {
        "bounds": {"kind": "bounds", "placement": "live", "max_share": rng.uniform(0.3, 0.6)},
        "cell": {"kind": "bounds", "each": "cell", "max_cny": budget * rng.uniform(0.15, 0.4)},
        "ratio": {
            "kind": "ratio", "of": {"placement": "live"}, "to": {"placement": "video"},
            "max": rng.uniform(0.4, 2),
        },
        "roi_floor": {"kind": "roi_floor", "segment": "s1", "min": rng.uniform(1.0, 6.0)},
        "live_capacity": {"kind": "live_capacity", "viewers": rng.uniform(300, 1500)},
        "frequency_cap": {"kind": "frequency_cap", "each": "segment", "impressions": rng.uniform(1.2, 2.0)},
        "change_limit": {"kind": "change_limit", "max_share": rng.uniform(0.2, 0.6)},
        "fairness_floor": {"kind": "fairness_floor", "min_share": rng.uniform(0.2, 0.45)},
        "min_if_used": {"kind": "min_if_used", "min_cny": budget * rng.uniform(0.03, 0.12)},
    }  # fmt: skip
    chosen = rng.choice(len(KINDS), size=int(rng.integers(2, 5)), replace=False)
    return [{"name": KINDS[i], **written[KINDS[i]]} for i in chosen]


def random_problem(seed: int) -> Problem:
    """Competing placements of two merchants, concave curves of one family, a last plan near an even split."""
    rng = np.random.default_rng(seed)
    family = ("log", "expsat", "power")[seed % 3]
    on = market(segments=3, campaigns=2, seed=seed, family=family)
    if family == "power":
        on = replace(on, supply=replace(on.supply, shape=np.full(len(on), 0.6)))
    budget = float(rng.uniform(800, 2500))
    last = rng.uniform(0.5, 1.5, len(on)) * budget / len(on)
    return compile_problem(on, budget_cny=budget, constraints=random_brief(rng, budget), last_plan=last)


def moved(problem: Problem, name: str, by: float) -> Problem:
    """The problem with every limit of that name moved outwards by so much."""
    if name == "total":
        return replace(problem, budget_cny=problem.budget_cny + by)

    def wider(row: Row) -> Row:
        return replace(row, lower=row.lower - by, upper=row.upper + by) if row.name == name else row

    sources = [
        replace(s, value=s.value + by * (1 if s.side == "upper_cny" else -1)) if s.name == name else s
        for s in problem.limits.sources
    ]
    limits = combine(sources, len(problem.market))
    return replace(problem, rows=tuple(map(wider, problem.rows)), limits=limits)


def size_of(problem: Problem, name: str, price: float, value: float) -> float:
    """A step of that limit that changes the value by about STEP of it, but the limit by no more than 1 %."""
    of_value = STEP * abs(value) / max(price, 1e-300)
    limits = [
        abs(x) for r in problem.rows if r.name == name for x in (r.lower, r.upper) if 0 < abs(x) < np.inf
    ]
    limits += [float(np.nanmin(s.value[s.value > 0])) for s in problem.limits.sources if s.name == name]
    return min(of_value, 0.01 * min(limits, default=np.inf), STEP * problem.budget_cny)


def check(seed: int, warm: Warm | None = None) -> int:
    """Every price of one problem against differences on both sides; gives how many could be compared.

    `warm` lets each solve go on from the one before: as well certified, at a sixth of the CPU.
    """
    problem = random_problem(seed)
    try:
        here = solve(problem, gap_tol=1e-9, time_limit_s=SECONDS, warm=warm)
    except InfeasibleError:
        return 0
    compared = 0
    for name, price in here.shadow_prices.items():
        step = size_of(problem, name, price, here.value)
        if step <= 0:
            continue  # a plan worth nothing: there is no slope to compare with
        try:
            ends = [
                solve(moved(problem, name, h), gap_tol=1e-9, time_limit_s=SECONDS, warm=warm)
                for h in (-step, step)
            ]
        except InfeasibleError:
            continue  # nothing left of this limit: no slope on that side
        left, right = (here.value - ends[0].value) / step, (ends[1].value - here.value) / step
        noise = 4 * max(here.upper_bound - here.value, *(e.upper_bound - e.value for e in ends)) / step
        same = {frozenset(e.binding) for e in (here, *ends)}
        if len(same) > 1 or abs(left - right) > 2e-2 * max(abs(left), abs(right)) + noise:
            continue  # another set of limits binds on one side: the value has a kink here
        assert price == pytest.approx(0.5 * (left + right), rel=1e-3, abs=noise + 1e-9 * here.value), (
            seed,
            name,
        )
        compared += 1
    return compared


@pytest.mark.parametrize("seed", [105, 108, 111, 127])
def test_prices_are_slopes_of_the_value(seed: int) -> None:
    assert check(seed) > 0


@pytest.mark.slow
def test_prices_are_slopes_of_the_value_on_fifty_problems() -> None:
    compared = [check(seed, Warm()) for seed in range(100, 150)]
    assert sum(c > 0 for c in compared) >= 40
