"""The compiler: each kind's rows and limits, and what it refuses by name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
from small_markets import market

from models.errors import CampaignError
from targeting.allocation.formulation.compile import compile_problem


@dataclass(frozen=True)
class Kept:
    kept_share: float


def compiled(*constraints, on=None, budget=1000.0, **kwargs):
    return compile_problem(on or market(), budget_cny=budget, constraints=list(constraints), **kwargs)


def test_without_constraints_there_is_nothing_but_the_budget():
    problem = compiled()
    assert problem.rows == ()
    assert problem.budget_cny == 1000.0
    assert np.isinf(problem.limits.upper_cny).all()
    assert (problem.limits.lower_cny == 0).all()
    assert problem.objective["gmv"].tolist() == [1.0] * 6


def test_a_group_becomes_a_row_and_a_single_cell_a_limit():
    problem = compiled(
        {"kind": "bounds", "placement": "live", "min_share": 0.2, "max_cny": 700},
        {"kind": "bounds", "segment": "s1", "placement": "live", "max_cny": 150},
    )
    least, most = problem.rows
    assert least.spread(6)["spend"].tolist() == [0, 1, 0, 1, 0, 1]
    assert most.spread(6)["spend"].tolist() == [0, 1, 0, 1, 0, 1]
    assert (least.lower, least.upper, least.per_step, least.per_budget) == (200.0, np.inf, 10.0, -0.2)
    assert (most.lower, most.upper, most.per_step, most.per_budget) == (-np.inf, 700.0, 1.0, 0.0)
    assert problem.limits.upper_cny.tolist() == [np.inf, np.inf, np.inf, 150, np.inf, np.inf]
    assert problem.limits.names["bounds-2"].tolist() == [False, False, False, True, False, False]


def test_the_tighter_of_two_limits_and_of_yuan_and_share_counts():
    problem = compiled(
        {"kind": "bounds", "each": "cell", "max_cny": 300, "max_share": 0.2, "min_cny": 10},
        {"kind": "bounds", "segment": "s0", "each": "cell", "max_cny": 100, "min_share": 0.05},
    )
    assert problem.limits.upper_cny.tolist() == [100, 100, 200, 200, 200, 200]
    assert problem.limits.lower_cny.tolist() == [50, 50, 10, 10, 10, 10]


def test_each_makes_one_row_per_group():
    problem = compiled({"kind": "bounds", "each": "segment", "max_cny": 300})
    assert [r.where for r in problem.rows] == ["s0", "s1", "s2"]
    assert {r.name for r in problem.rows} == {"bounds-1"}


def test_a_ratio_is_one_linear_row_per_side():
    of_to = {"kind": "ratio", "of": {"placement": "video"}, "to": {"placement": "live"}}
    most, least = compiled({**of_to, "max": 2, "min": 0.5}).rows
    assert most.spread(6)["spend"].tolist() == [1, -2, 1, -2, 1, -2]
    assert most.upper == 0
    assert least.spread(6)["spend"].tolist() == [1, -0.5, 1, -0.5, 1, -0.5]
    assert least.lower == 0


def test_live_capacity_holds_in_each_slot_and_only_where_there_is_a_live_step():
    first, second = compiled({"kind": "live_capacity", "viewers": 50}, on=market(segments=1, slots=2)).rows
    assert first.spread(4)["entries"].tolist() == [0, 1, 0, 0]
    assert second.spread(4)["entries"].tolist() == [0, 0, 0, 1]
    with pytest.raises(CampaignError, match="none of the selected cells has live entries"):
        compiled({"kind": "live_capacity", "viewers": 50, "placement": "video"})


@pytest.mark.parametrize("objective", ["new_fan_gmv", "profit", "new_fans", "live_entries"])
def test_roi_floor_counts_what_the_objective_counts(objective):
    counts = {"new_fans": "fans", "live_entries": "entries"}.get(objective, "gmv")
    (row,) = compiled({"kind": "roi_floor", "min": 3}, objective=objective, economics=Kept(0.4)).rows
    assert row.spread(6)[counts].tolist() == [1.0] * 6
    assert row.spread(6)["spend"].tolist() == [-3.0] * 6


def test_profit_is_margin_less_fee_times_gmv_less_spend_by_campaign():
    problem = compiled(
        on=market(segments=1, campaigns=2), objective="profit", economics={"c0": Kept(0.4), "c1": Kept(0.3)}
    )
    assert problem.objective["gmv"].tolist() == [0.4, 0.4, 0.3, 0.3]
    assert problem.objective["spend"].tolist() == [-1.0] * 4
    with pytest.raises(CampaignError, match="margin of campaign 'c1'"):
        compiled(on=market(campaigns=2), objective="profit", economics={"c0": Kept(0.4)})


def test_targets_change_the_objective_as_documented():
    cheapest = compiled({"kind": "target", "metric": "new_fans", "value": 50})
    assert list(cheapest.objective) == ["spend"]
    assert cheapest.rows[0].lower == 50
    marginal = compiled({"kind": "target", "metric": "marginal_roi", "value": 2, "placement": "live"})
    assert marginal.objective["spend"].tolist() == [0, -2, 0, -2, 0, -2]
    assert marginal.rows == ()
    flexible = compiled({"kind": "target", "metric": "roi", "value": 4})
    assert flexible.rows[0].spread(6)["spend"].tolist() == [-4.0] * 6
    assert list(flexible.objective) == ["gmv"]


def test_change_limit_reads_arrays_and_frames_and_splits_over_slots():
    last = pl.DataFrame({"segment": ["s0", "s0"], "placement": ["video", "live"], "spend_cny": [100.0, 40.0]})
    both_slots = market(segments=1, slots=2)
    problem = compiled(
        {"kind": "change_limit", "max_share": 0.5, "max_cny": 20}, on=both_slots, last_plan=last
    )
    assert problem.limits.lower_cny.tolist() == [30, 10, 30, 10]
    assert problem.limits.upper_cny.tolist() == [70, 30, 70, 30]
    grouped = compiled(
        {"kind": "change_limit", "max_cny": 20, "each": "placement"},
        last_plan=np.array([10.0, 0, 20, 0, 30, 0]),
    )
    assert [(r.where, r.lower, r.upper) for r in grouped.rows] == [
        ("video", 40, np.inf), ("video", -np.inf, 80), ("live", -np.inf, 20),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (np.ones(3), "one per cell"),
        (np.full(6, np.nan), "finite number"),
        (pl.DataFrame({"segment": ["s0"], "spend_cny": [1.0]}), "'placement' is missing"),
        (pl.DataFrame({"segment": ["x"], "placement": ["live"], "spend_cny": [1.0]}), "none of its segments"),
        (pl.DataFrame({"segment": ["s0"], "placement": ["live"], "spend_cny": [-1.0]}), "row 1"),
    ],
)
def test_a_last_plan_that_does_not_fit_is_refused(last, words):
    with pytest.raises(CampaignError, match=words):
        compiled({"kind": "change_limit", "max_cny": 20}, last_plan=last)


@pytest.mark.parametrize(
    ("constraint", "words"),
    [
        (
            {"kind": "bounds", "placement": "liv", "max_cny": 1},
            ["'bounds-1'", "placement 'liv'", "'live', 'video'"],
        ),
        ({"kind": "bounds", "slot": 3, "max_cny": 1}, ["slot 3", "one of 0"]),
        (
            {"kind": "bounds", "segment": "s0", "fan_kind": "precise", "max_cny": 1},
            ["segment=s0, fan_kind=precise"],
        ),
        ({"kind": "ratio", "of": {"segment": "x"}, "to": {"segment": "s0"}, "max": 1}, ["segment 'x'"]),
        ({"kind": "min_if_used", "min_cny": 2000}, ["'min_if_used-1'", "above the budget", "1000"]),
        ({"kind": "risk", "measure": "cvar", "level": 0.1, "floor": 1}, ["'risk-1'", "draws"]),
        ({"kind": "change_limit", "max_cny": 1}, ["'change_limit-1'", "last_plan"]),
        (
            {"kind": "fairness_floor", "min_share": 0.4, "each": "segment"},
            ["'fairness_floor-1'", "at most 0.333"],
        ),
    ],
)
def test_what_cannot_mean_anything_here_is_refused_by_name(constraint, words):
    with pytest.raises(CampaignError) as caught:
        compiled(constraint)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_budget_objective_economics_and_contradicting_targets_are_refused():
    for budget in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(CampaignError, match="budget_cny"):
            compiled(budget=budget)
    with pytest.raises(CampaignError, match="objective"):
        compiled(objective="gmv")
    with pytest.raises(CampaignError, match="economics"):
        compiled(objective="profit")
    targets = ({"kind": "target", "metric": m, "value": 2} for m in ("new_fans", "marginal_roi"))
    with pytest.raises(CampaignError, match="keep one"):
        compiled(*targets)


def test_a_risk_floor_needs_draws_and_there_is_only_one():
    risk = {"kind": "risk", "measure": "chance", "level": 0.9, "floor": 10}
    assert compiled(risk, on=market(draws=5)).risk.measure == "chance"
    with pytest.raises(CampaignError, match="one risk floor"):
        compiled(risk, {**risk, "name": "other"}, on=market(draws=5))


def test_a_per_cell_cap_on_many_cells_is_cheap():
    problem = compiled({"kind": "bounds", "each": "cell", "max_cny": 3}, on=market(segments=3000))
    assert len(problem.limits.sources) == 1
    assert problem.rows == ()


def test_a_row_holds_the_cells_it_speaks_of_and_no_others():
    """Ten thousand returns, one a cell, were 3 GB of zeros."""
    rows = compiled({"kind": "roi_floor", "each": "cell", "min": 3}, on=market(segments=500)).rows
    assert len(rows) == 1000
    assert sum(c.nbytes for row in rows for c in row.coefficients.values()) == 2 * 8 * len(rows)
    assert rows[7].spread(1000)["spend"].nonzero()[0].tolist() == [7]
