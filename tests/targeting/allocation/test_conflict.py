"""Infeasible briefs: the conflicting set is minimal, and the relaxation is enough and no more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from small_markets import market

from models.errors import InfeasibleError, UndecidedError
from targeting.allocation.explain.contradiction import explain, loosened, restricted, solve_or_explain
from targeting.allocation.explain.spendlp import least_slack, linear_names
from targeting.allocation.formulation.compile import compile_problem
from targeting.allocation.outcomes import outcomes
from targeting.allocation.solver import branching
from targeting.allocation.solver.deadline import Deadline

SMALL = market()


def compiled(*constraints, budget=1000.0, on=SMALL, **kwargs):
    return compile_problem(on, budget_cny=budget, constraints=list(constraints), **kwargs)


def never_asked(problem):
    raise AssertionError("a contradiction between limits of spend needs no curve")


def bounds(name, **keys):
    return {"kind": "bounds", "name": name, **keys}


CASES = [
    (
        [
            bounds("live floor", placement="live", min_cny=800),
            bounds("video floor", placement="video", min_cny=400),
            bounds("innocent", segment="s0", max_cny=500),
        ],
        {"live floor": 200, "video floor": 200, "total": 200},
    ),
    (
        [bounds("a", segment="s0", placement="live", min_cny=300), bounds("b", segment="s0", max_cny=200)],
        {"a": 100, "b": 100},
    ),
    (
        [bounds("a", segment="s0", each="cell", min_cny=30), bounds("b", each="cell", max_cny=20)],
        {"a": 10, "b": 10},
    ),
    (
        [{"kind": "max_active", "n": 2, "name": "few"}, bounds("each", each="segment", min_cny=20)],
        {"few": 1, "each": 20},
    ),
    (
        [
            {"kind": "min_if_used", "min_cny": 600, "name": "lot"},
            bounds("both", each="placement", min_cny=20),
        ],
        {"lot": 100, "both": 20, "total": 200},
    ),
    (
        [
            {
                "kind": "ratio",
                "name": "r",
                "of": {"placement": "video"},
                "to": {"placement": "live"},
                "min": 3,
            },
            bounds("floor", placement="live", min_cny=400),
        ],
        {"r": 600, "floor": 150, "total": 600},
    ),
    ([bounds("all", min_cny=2e3)], {"all": 1000, "total": 1000}),
]


@pytest.mark.parametrize(("constraints", "relaxation"), CASES)
def test_contradictions_of_spend_are_named_with_their_least_relaxation(constraints, relaxation):
    error = explain(compiled(*constraints), feasible=never_asked)
    assert error.exit_code == 3
    assert set(error.conflict) == set(relaxation)
    assert error.relaxation == pytest.approx(relaxation, abs=1e-6)
    line = str(error)
    assert "\n" not in line
    assert all((f"'{name}'" in line) or (name == "total" and "budget" in line) for name in error.conflict)


def test_a_scale_of_millions_or_fractions_changes_nothing():
    for size in (1e-3, 1e6):
        floors = [bounds(p, placement=p, min_cny=800 * size) for p in ("live", "video")]
        error = explain(compiled(*floors, budget=1000 * size), feasible=never_asked)
        assert error.relaxation == pytest.approx(
            dict.fromkeys(("live", "video", "total"), 600 * size), rel=1e-6
        )


PLACES = [
    {"placement": "live"},
    {"placement": "video"},
    {"segment": "s0"},
    {"segment": "s1"},
    {"fan_kind": "precise"},
    {},
]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.sampled_from(PLACES), st.sampled_from(["min_cny", "max_cny"]), st.integers(1, 15)),
        min_size=2,
        max_size=6,
    )
)
def test_the_conflict_is_minimal_and_each_relaxation_is_just_enough(parts):
    constraints = [
        bounds(f"n{i}", **where, **{side: 100.0 * size}) for i, (where, side, size) in enumerate(parts)
    ]
    problem = compiled(*constraints)
    names = linear_names(problem)
    assume(least_slack(problem, names=names) is None)
    error = explain(problem, feasible=never_asked)
    assert least_slack(problem, names=error.conflict) is None
    for name in error.conflict:
        assert least_slack(problem, names=[n for n in error.conflict if n != name]) is not None
    for name, amount in error.relaxation.items():
        if least_slack(problem, names=names, relaxed=name) is None:
            continue  # another contradiction stands, the relaxation is about this one
        assert least_slack(loosened(problem, name, amount * (1 + 1e-6)), names=names) is not None
        assert least_slack(loosened(problem, name, amount * (1 - 1e-4)), names=names) is None


def most_fans(problem):
    """Judge for a target of new fans: the best of a grid of splits."""
    splits = np.random.default_rng(0).dirichlet(np.full(6, 0.4), 3000)
    return outcomes(problem.market, splits * min(problem.budget_cny, 1e5))["fans"].sum(axis=1).max()


def test_where_curves_decide_the_judge_is_asked_and_bisected():
    reach = most_fans(compiled())
    problem = compiled({"kind": "target", "name": "fans", "metric": "new_fans", "value": 1.5 * reach})
    asked = []

    def judge(p):
        asked.append(p)
        return all(most_fans(p) >= r.lower for r in p.rows)

    error = explain(problem, feasible=judge)
    assert set(error.conflict) == {"fans", "total"}
    assert error.relaxation["fans"] == pytest.approx(0.5 * reach, rel=2e-3)
    wider = loosened(problem, "total", error.relaxation["total"])
    assert most_fans(wider) >= 1.5 * reach * (1 - 1e-9)
    assert asked


def test_a_feasible_problem_is_not_called_infeasible():
    error = explain(compiled(bounds("a", max_cny=3)), feasible=lambda p: True)
    assert error.conflict == ()
    assert "can be kept" in str(error)


def test_restricted_keeps_the_named_ones_only():
    problem = compiled(
        bounds("a", placement="live", max_cny=3),
        bounds("b", each="cell", max_cny=3),
        {"kind": "marginal_floor", "name": "c", "min": 2},
        {"kind": "risk", "name": "d", "measure": "cvar", "level": 0.1, "floor": 3},
        on=market(draws=3),
    )
    kept = restricted(problem, ["a", "d"])
    assert [r.name for r in kept.rows] == ["a"]
    assert np.isinf(kept.limits.upper_cny).all()
    assert kept.risk is not None
    assert kept.budget_cny > 1e5
    assert loosened(problem, "d", 2.0).risk.floor == 1.0
    assert loosened(problem, "c", 0.5).limits.marginal_floor.tolist() == [1.5] * 6
    assert loosened(problem, "b", 1.0).limits.upper_cny.tolist() == [4.0] * 6


@pytest.mark.slow
def test_the_real_solver_is_the_judge_of_values():
    target = {"kind": "target", "name": "fans", "metric": "new_fans", "value": 2000}
    innocent = bounds("innocent", placement="live", min_share=0.1)
    with pytest.raises(InfeasibleError) as caught:
        solve_or_explain(compiled(target, innocent))
    assert set(caught.value.conflict) == {"fans", "total"}
    enough = 2000 - caught.value.relaxation["fans"]
    reached = solve_or_explain(compiled({**target, "value": enough - 1}, innocent))
    assert reached.spend_cny.sum() <= 1000.0 * (1 + 1e-9)
    assert reached.spend_cny.sum() >= 990.0  # just within reach takes nearly all the money


def test_risk_and_marginal_floors_are_spoken_of_in_words():
    problem = compiled(
        bounds("floor", min_cny=900),
        {"kind": "marginal_floor", "name": "stop", "min": 50},
        {"kind": "risk", "name": "tail", "measure": "cvar", "level": 0.1, "floor": 1e5},
        on=market(draws=3),
    )

    def judge(p):
        return not ((p.limits.lower_cny.sum() or p.rows) and (p.limits.marginal_floor > 45).all() and p.risk)

    error = explain(problem, feasible=judge)
    assert set(error.conflict) == {"floor", "stop", "tail"}
    assert error.relaxation["stop"] == pytest.approx(5.0, rel=0.02)
    assert "last yuan returns at least 50" in str(error)
    assert "cvar at least 100,000" in str(error)


def test_the_time_limit_holds_while_no_plan_is_known(monkeypatch):
    """It was ten times as long then: 300 caps and a return out of reach ran for minutes."""
    looks = []
    look = branching._look
    monkeypatch.setattr(branching, "_look", lambda *args: looks.append(1) or look(*args))
    monkeypatch.setattr(Deadline, "over", property(lambda self: True))
    monkeypatch.setattr(branching, "proof_of_none", lambda pool, deadline: None)
    brief = [bounds("all", min_share=0.9), {"kind": "roi_floor", "min": 1e3}]
    with pytest.raises(UndecidedError, match="none was proven impossible"):
        solve_or_explain(compiled(*brief))
    assert len(looks) == 1


def test_hundreds_of_innocent_caps_are_dropped_together():
    asked = []

    def feasible(problem):
        asked.append(1)
        return not {"a", "return"} <= {r.name for r in problem.rows}

    on = market(segments=40)
    caps = [
        bounds(f"cap {i}", segment=f"s{i // 2}", placement=p, max_cny=500)
        for i, p in enumerate(["video", "live"] * 40)
    ]
    brief = [*caps, bounds("a", min_share=0.9), {"kind": "roi_floor", "name": "return", "min": 1e3}]
    error = explain(compiled(*brief, on=on), feasible=feasible, proven=True)
    assert set(error.conflict) == {"a", "return"}
    assert len(asked) < 80
