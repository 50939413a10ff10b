"""Every constraint kind through compiler, solver and checker: kept, certified, not beaten by sampling."""

from __future__ import annotations

import numpy as np
import pytest
from small_markets import market

from targeting.allocation.audit.check import violations
from targeting.allocation.explain.contradiction import solve_or_explain
from targeting.allocation.formulation.compile import compile_problem
from targeting.allocation.outcomes import outcomes, total

MARKET = market(segments=2, campaigns=2, draws=25, seed=3)
LAST = np.linspace(0.0, 250.0, len(MARKET))
BUDGET = 1000.0
ROW_KINDS = [
    [],
    [{"kind": "bounds", "placement": "video", "min_share": 0.6}],
    [
        {"kind": "bounds", "each": "cell", "max_cny": 200},
        {"kind": "bounds", "segment": "s0", "max_share": 0.3},
    ],
    [{"kind": "ratio", "of": {"placement": "live"}, "to": {"placement": "video"}, "max": 0.5, "min": 0.4}],
    [{"kind": "roi_floor", "placement": "live", "min": 60}],
    [{"kind": "live_capacity", "viewers": 300}],
    [{"kind": "live_capacity", "viewers": 100, "each": "campaign"}],
    [{"kind": "change_limit", "max_share": 0.2}],
    [{"kind": "change_limit", "max_cny": 60, "each": "placement"}],
    [{"kind": "fairness_floor", "min_share": 0.45}],
    [{"kind": "fairness_floor", "min_share": 0.4, "of": "grants"}],
    [{"kind": "frequency_cap", "impressions": 1.5}],
    [{"kind": "min_if_used", "min_cny": 300}],
    [{"kind": "max_active", "n": 2}],
    [{"kind": "target", "metric": "new_fans", "value": 300}],
    [{"kind": "target", "metric": "new_fan_gmv", "value": 9000, "campaign_id": "c1"}],
    [{"kind": "target", "metric": "roi", "value": 45}],
    [{"kind": "target", "metric": "marginal_roi", "value": 20}],
]


def sampled_best(problem, constraints, value):
    """The best of 3,000 random spends that the checker lets pass and that beats `value`, or None."""
    rng = np.random.default_rng(0)
    spends = rng.dirichlet(np.full(len(MARKET), 0.4), 3000) * BUDGET * rng.uniform(0.1, 1.0, (3000, 1))
    values = total(problem.objective, outcomes(MARKET, spends))
    for i in np.argsort(-values):
        if values[i] <= value:
            return None
        if not violations(
            MARKET, budget_cny=BUDGET, constraints=constraints, spend_cny=spends[i], last_plan=LAST
        ):
            return values[i]
    return None


@pytest.mark.parametrize("constraints", ROW_KINDS, ids=lambda c: "+".join(x["kind"] for x in c) or "none")
def test_the_plan_is_kept_certified_and_not_beaten(constraints):
    problem = compile_problem(MARKET, budget_cny=BUDGET, constraints=constraints, last_plan=LAST)
    found = solve_or_explain(problem, time_limit_s=20)
    assert found.gap <= 1e-6
    assert not violations(
        MARKET, budget_cny=BUDGET, constraints=constraints, spend_cny=found.spend_cny, last_plan=LAST
    )
    assert sampled_best(problem, constraints, found.upper_bound * (1 + 1e-9 * np.sign(found.value))) is None


def test_the_order_of_constraints_and_their_names_do_not_change_the_plan():
    constraints = [*ROW_KINDS[1], *ROW_KINDS[5], *ROW_KINDS[11]]
    one = solve_or_explain(compile_problem(MARKET, budget_cny=BUDGET, constraints=constraints))
    named = [{**c, "name": f"x{i}"} for i, c in enumerate(reversed(constraints))]
    other = solve_or_explain(compile_problem(MARKET, budget_cny=BUDGET, constraints=named))
    assert one.value == pytest.approx(other.value, rel=2e-6)
