"""Shadow prices against finite differences of the solved value, on random markets with random constraints."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from small_markets import market

from models.errors import InfeasibleError
from targeting.allocation.formulation.compile import compile_problem
from targeting.allocation.problem import Market, Problem
from targeting.allocation.solver.solve import Warm, solve
from targeting.campaign.constraints import Parsed, parse_constraints
from targeting.campaign.steps import loosened, steps_of

STEP = 2e-4  # of a limit's size
SECONDS = 1.0  # a solve that is cut off has a wide bound: then nothing is compared
GAP = 3e-9  # 6e-5 of a price, seen over a step of STEP: below what the comparison allows
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


@dataclass(frozen=True)
class Written:
    """A brief on a market: what is moved is the number that the planner wrote."""

    on: Market
    budget: float
    constraints: Parsed
    last: np.ndarray

    def problem(self) -> Problem:
        return compile_problem(
            self.on, budget_cny=self.budget, constraints=self.constraints, last_plan=self.last
        )

    def moved(self, name: str, steps: float) -> Problem:
        """The problem with every number of that constraint moved outwards by so many natural steps."""
        if name == "total":
            return replace(self, budget=self.budget + steps).problem()
        wider = [loosened(c, steps=steps) if c.name == name else c for c in self.constraints]
        return replace(self, constraints=Parsed(wider)).problem()

    def step(self, name: str, price: float, value: float) -> float:
        """As many steps as change the value by about STEP of it, but the number by no more than 1 %."""
        of_value = STEP * abs(value) / max(price, 1e-300)
        if name == "total":
            return min(of_value, STEP * self.budget)
        [constraint] = [c for c in self.constraints if c.name == name]
        sizes = [getattr(constraint, key) / step.size for key, step in steps_of(constraint).items()]
        return min(of_value, 0.01 * min(sizes))


def random_written(seed: int) -> Written:
    """Competing placements of two merchants, concave curves of one family, a last plan near an even split."""
    rng = np.random.default_rng(seed)
    family = ("log", "expsat", "power")[seed % 3]
    on = market(segments=3, campaigns=2, seed=seed, family=family)
    if family == "power":
        on = replace(on, supply=replace(on.supply, shape=np.full(len(on), 0.6)))
    budget = float(rng.uniform(800, 2500))
    last = rng.uniform(0.5, 1.5, len(on)) * budget / len(on)
    return Written(on, budget, parse_constraints(random_brief(rng, budget)), last)


def check(seed: int, warm: Warm | None = None) -> int:
    """Every price of one problem against differences on both sides; gives how many could be compared.

    `warm` lets each solve go on from the one before: as well certified, at a sixth of the CPU.
    """
    written = random_written(seed)
    try:
        here = solve(written.problem(), gap_tol=GAP, time_limit_s=SECONDS, warm=warm)
    except InfeasibleError:
        return 0
    if here.gap > GAP:
        return 0
    compared = 0
    for name, price in here.shadow_prices.items():
        step = written.step(name, price, here.value)
        if step <= 0:
            continue  # a plan worth nothing: there is no slope to compare with
        try:
            ends = [
                solve(written.moved(name, h), gap_tol=GAP, time_limit_s=SECONDS, warm=warm)
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
