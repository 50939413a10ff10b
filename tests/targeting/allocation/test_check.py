"""The checker: finds what is built to be broken, and agrees with the compiled rows on random spends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_markets import market

from models.errors import CampaignError
from targeting.allocation.audit.check import violations
from targeting.allocation.audit.judgement import lower_tail
from targeting.allocation.audit.recount import true_outcome
from targeting.allocation.formulation.compile import compile_problem
from targeting.allocation.outcomes import outcomes

MARKET = market(segments=2, slots=2, campaigns=2, draws=20)
N = len(MARKET)
BUDGET = 2000.0
LAST = np.linspace(0.0, 300.0, N)
SHARE = st.floats(0.01, 0.45)
EACH = st.sampled_from([None, "cell", "segment", "placement", "slot", "merchant", "campaign"])
SELECTION = st.sampled_from(
    [
        {},
        {"placement": "live"},
        {"segment": ["s1"]},
        {"fan_kind": "content"},
        {"slot": 1},
        {"campaign_id": "c0"},
    ]
)


def _kind(kind: str, **keys) -> st.SearchStrategy:
    fixed = st.fixed_dictionaries(keys)
    return st.builds(
        lambda body, where, each: {"kind": kind, **where, **body, **({"each": each} if each else {})},
        fixed,
        SELECTION,
        EACH if kind not in ("min_if_used", "target") else st.none(),
    )


TO_LIVE = {"of": st.just({"placement": "video"}), "to": st.just({"placement": "live"})}
ROW_KINDS = st.one_of(
    _kind("bounds", max_cny=st.floats(10, 1500), min_cny=st.integers(0, 9)),
    _kind("bounds", max_share=SHARE),
    _kind("ratio", **TO_LIVE, max=st.floats(0.2, 4.0)),
    _kind("ratio", **TO_LIVE, min=st.floats(0.2, 4.0)),
    _kind("min_if_used", min_cny=st.floats(1, 300)),
    _kind("max_active", n=st.integers(1, 12)),
    _kind("roi_floor", min=st.floats(0.1, 40)),
    _kind("change_limit", max_cny=st.floats(1, 300)),
    _kind("change_limit", max_share=st.floats(0.1, 3.0)),
    _kind("fairness_floor", min_share=st.floats(0.01, 0.06)),
    _kind("frequency_cap", impressions=st.floats(1.05, 3.0)),
    _kind("target", metric=st.sampled_from(["new_fans", "new_fan_gmv", "roi"]), value=st.floats(1, 4000)),
)
SPENDS = st.lists(st.one_of(st.just(0.0), st.integers(1, 400).map(float)), min_size=N, max_size=N)


def broken_by_the_program(problem, spend, tolerance=1e-6):
    """Names that the compiled limits and rows call broken: the other answer."""
    metrics, names = outcomes(problem.market, spend), set()
    if spend.sum() > problem.budget_cny * (1 + tolerance):
        names.add("total")
    for source in problem.limits.sources:
        given_ = ~np.isnan(source.value)
        gap = np.where(given_, source.value, 0.0) - spend
        bad = {"lower_cny": gap, "upper_cny": -gap, "min_if_used_cny": np.where(spend > 0, gap, 0.0)}[
            source.side
        ]
        scale = (
            np.where(given_, source.value, 0.0) if source.side == "min_if_used_cny" else problem.budget_cny
        )
        if np.any(given_ & (bad > tolerance * scale)):
            names.add(source.name)
    for row in problem.rows:
        actual = float(row.lhs(metrics))
        sizes = {
            m: float((abs(c) * abs(metrics[m])).sum()) for m, c in row.spread(len(metrics["spend"])).items()
        }
        scale = tolerance * max(sizes.values(), default=0.0)
        if actual > row.upper + scale or actual < row.lower - scale:
            names.add(row.name)
    return names


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(ROW_KINDS, min_size=1, max_size=4), SPENDS)
def test_checker_and_program_agree_on_random_spends_and_constraints(constraints, spends):
    spend = np.array(spends)
    try:
        problem = compile_problem(MARKET, budget_cny=BUDGET, constraints=constraints, last_plan=LAST)
    except CampaignError:
        return  # two targets that exclude each other, live capacity without live
    found = violations(MARKET, budget_cny=BUDGET, constraints=constraints, spend_cny=spend, last_plan=LAST)
    assert {v.name for v in found} == broken_by_the_program(problem, spend)
    assert all(v.excess > 0 for v in found)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(SPENDS, st.one_of(st.none(), st.integers(0, 19)))
def test_two_independent_outcomes_agree(spends, draw):
    spend = np.array(spends)
    slow, fast = true_outcome(MARKET, spends, draw=draw), outcomes(MARKET, spend, draw=draw)
    for name in ("impressions", "entries", "fans", "gmv", "reached"):
        np.testing.assert_allclose(getattr(slow, name), fast[name], rtol=1e-10, atol=1e-12)


def check(constraint, spend, **kwargs):
    return violations(
        kwargs.pop("on", MARKET), budget_cny=BUDGET, constraints=[constraint], spend_cny=spend, **kwargs
    )


def test_a_spend_over_the_budget_or_below_zero_is_broken():
    names = [(v.name, v.where) for v in violations(MARKET, budget_cny=10, spend_cny=np.full(N, 1.0))]
    assert names == [("total", "")]
    spend = np.zeros(N)
    spend[3] = -1.0
    assert violations(MARKET, budget_cny=10, spend_cny=spend)[0].where == "negative spend"
    assert violations(MARKET, budget_cny=10, spend_cny=np.full(N, np.nan))


def test_a_violation_says_where_by_how_much_and_in_which_unit():
    (found,) = check(
        {"kind": "bounds", "name": "cap", "each": "slot", "slot": 1, "max_cny": 50}, np.full(N, 10.0)
    )
    assert (found.name, found.where, found.limit, found.actual, found.unit) == ("cap", "1", 50, 80, "CNY")
    assert found.excess == pytest.approx(30.0)
    assert str(found) == "'cap' (1): 80 against 50 CNY, off by 30"


def test_live_capacity_is_judged_in_each_slot():
    spend = np.where((MARKET.cells["slot"] == 1).to_numpy(), 200.0, 0.0)
    found = check({"kind": "live_capacity", "viewers": 100}, spend)
    assert {v.where for v in found} == {"1"}


def test_marginal_floor_is_about_the_last_yuan_spent():
    small = market(segments=2)
    spend = np.array([200.0, 0.0, 50.0, 100.0])
    worth = outcomes(small, spend)["gmv"].sum()
    step = 1e-3
    last_yuan = []
    for cell in (0, 2, 3):
        less = spend.copy()
        less[cell] -= step
        last_yuan.append((worth - outcomes(small, less)["gmv"].sum()) / step)
    between = 0.5 * (sorted(last_yuan)[0] + sorted(last_yuan)[1])
    assert not check({"kind": "marginal_floor", "min": 0.9 * min(last_yuan)}, spend, on=small)
    assert len(check({"kind": "marginal_floor", "min": between}, spend, on=small)) == 1
    assert len(check({"kind": "marginal_floor", "min": 1.1 * max(last_yuan)}, spend, on=small)) == 3


@pytest.mark.parametrize("measure", ["cvar", "quantile", "chance"])
def test_risk_floor_is_judged_over_the_draws(measure):
    spend = np.full(N, 100.0)
    totals = [sum(true_outcome(MARKET, spend, draw=d).gmv) for d in range(20)]
    level = 0.9 if measure == "chance" else 0.1
    tail = lower_tail(totals, measure=measure, level=level)
    risk = {"kind": "risk", "measure": measure, "level": level}
    assert not check({**risk, "floor": tail * 0.999}, spend)
    assert check({**risk, "floor": tail * 1.001}, spend)


def test_lower_tails_mean_what_they_say():
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert lower_tail(values, measure="cvar", level=0.3) == pytest.approx((1.0 + 0.5 * 2.0) / 1.5)
    assert lower_tail(values, measure="chance", level=0.8) == 2.0  # four of five reach 2
    assert lower_tail(values, measure="chance", level=0.99) == 1.0
    assert lower_tail(values, measure="quantile", level=0.2) == 2.0  # the same said from below


def test_fairness_of_value_and_of_grants():
    spend = np.where((MARKET.cells["merchant_id"] == "m0").to_numpy(), 100.0, 0.0)
    for of in ("value", "grants"):
        (found,) = check({"kind": "fairness_floor", "min_share": 0.2, "of": of}, spend)
        assert found.where == "m1"
        assert found.actual == 0.0


def test_what_cannot_be_checked_is_refused():
    with pytest.raises(CampaignError, match="one per cell"):
        violations(MARKET, budget_cny=1, spend_cny=np.zeros(3))
    with pytest.raises(CampaignError, match="last_plan"):
        check({"kind": "change_limit", "max_cny": 1}, np.zeros(N))
    with pytest.raises(CampaignError, match="draws"):
        check(
            {"kind": "risk", "measure": "cvar", "level": 0.1, "floor": 1}, np.zeros(4), on=market(segments=2)
        )
