"""On/off limits of cells that share people over several slots, against a grid."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from small_markets import market

from benchmarks.allocation_instances import slotted
from targeting.allocation.audit.check import violations
from targeting.allocation.formulation.compile import compile_problem
from targeting.allocation.outcomes import outcomes
from targeting.allocation.solver.solve import solve

BUDGET = 600.0
LEAST = {"kind": "min_if_used", "min_cny": 150.0}
CASES = {
    "least": [LEAST],
    "few": [{"kind": "max_active", "n": 2}],
    "both": [LEAST, {"kind": "max_active", "n": 2}, {"kind": "bounds", "each": "cell", "max_cny": 280.0}],
}


def grid_best(on, brief) -> float:
    """Best value of a 9-step grid over two slots x two placements that the independent checker accepts."""
    levels = np.linspace(0.0, BUDGET, 9)
    spends = np.array([s for s in itertools.product(levels, repeat=len(on)) if sum(s) <= BUDGET])
    value = outcomes(on, spends)["gmv"].sum(axis=-1)
    for k in np.argsort(-value):
        if not violations(on, budget_cny=BUDGET, constraints=brief, spend_cny=spends[k]):
            return float(value[k])
    return -np.inf


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", [0, 1])
def test_no_grid_plan_is_better_and_no_limit_is_broken(case: str, seed: int) -> None:
    brief, on = CASES[case], market(segments=1, slots=2, seed=seed)
    found = solve(compile_problem(on, budget_cny=BUDGET, constraints=brief), time_limit_s=20)
    assert not violations(on, budget_cny=BUDGET, constraints=brief, spend_cny=found.spend_cny)
    assert found.status == "optimal"
    assert found.value >= grid_best(on, brief) * (1 - 1e-6)


def test_many_slots_close_in_seconds() -> None:
    on = market(segments=5, slots=6)
    brief = [{"kind": "min_if_used", "min_cny": 20.0}]
    found = solve(compile_problem(on, budget_cny=4500, constraints=brief))
    assert found.gap <= 1e-6
    assert not violations(on, budget_cny=4500, constraints=brief, spend_cny=found.spend_cny)


def test_people_are_counted_once_however_many_slots_there_are() -> None:
    """30 days in 30 slots promised 252,454 for a true 157,282 when every slot had people of its own."""
    one, many = market(segments=2, slots=1, users=300.0), market(segments=2, slots=6, users=300.0)
    for on in (one, many):
        found = solve(compile_problem(on, budget_cny=5e4, constraints=[]))
        fans = outcomes(on, found.spend_cny)["fans"]
        assert found.gap <= 1e-6
        assert all(fans[on.block == b].sum() <= 300.0 for b in range(2))


@pytest.mark.slow
def test_many_slots_with_a_capacity_each_are_certified():
    """No plan but nothing was found where the first mixture was left early (value 0, bound 3.1 million)."""
    found = solve(slotted(50, 30, 3), time_limit_s=120)
    assert found.status == "optimal"
    assert found.value > 3e6
