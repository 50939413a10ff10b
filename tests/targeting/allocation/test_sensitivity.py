"""Value of information: zero where nothing can change, close to re-solving where it can."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_markets import market
from test_words import solved

from models.errors import CampaignError
from targeting.allocation.formulation.compile import compile_problem
from targeting.allocation.outcomes import outcomes
from targeting.allocation.problem import Solution
from targeting.allocation.whatif.sensitivity import affordable_probes, value_of_information


def test_information_is_worth_nothing_where_the_plan_would_not_change():
    small = market(segments=3, draws=30)
    same = replace(
        small.draws,
        hazard=np.tile(small.hazard, (30, 1)),
        gmv_per_fan_cny=np.tile(small.gmv_per_fan_cny, (30, 1)),
        supply=replace(
            small.draws.supply,
            top=np.tile(small.supply.top, (30, 1)),
            scale_cny=np.tile(small.supply.scale_cny, (30, 1)),
        ),
    )
    problem = compile_problem(replace(small, draws=same), budget_cny=1000)
    found = value_of_information(problem, solved(problem))
    assert found["evpi"].max() < 1e-3 * outcomes(small, solved(problem).spend_cny)["gmv"].sum()


def test_it_matches_solving_again_with_the_cell_known():
    small = market(segments=12, users=np.inf, draws=8)
    problem = compile_problem(small, budget_cny=1500)
    solution = filled(small, 1500.0)
    found = value_of_information(problem, solution)
    assert (found["evpi"] >= 0).all()
    assert found["evpi"].is_sorted(descending=True)
    top = found.row(0, named=True)
    places = small.cells.select("segment", "placement").rows()
    cell = places.index((top["segment"], top["placement"]))
    gains = []
    for d in range(8):
        known = _cell_known(small, cell, d)
        again = filled(known, 1500.0)
        gains.append(again.value - outcomes(known, solution.spend_cny)["gmv"].sum())
    assert top["evpi"] == pytest.approx(np.mean(gains), rel=0.35)
    assert (
        top["evpi"] >= np.mean(gains) * 0.95
    )  # money at a fixed price never gains less than at a fixed budget


def filled(small, budget):
    """Exact plan for additive log curves: all marginal returns worth / (scale + spend) equal the price."""
    worth, scale = small.supply.top * small.hazard * small.gmv_per_fan_cny, small.supply.scale_cny
    low, high = 1e-9, (worth / scale).max()
    for _ in range(200):
        price = np.sqrt(low * high)
        spend = np.maximum(worth / price - scale, 0.0)
        low, high = (price, high) if spend.sum() > budget else (low, price)
    value = outcomes(small, spend)["gmv"].sum()
    return Solution("optimal", spend, value, value, {"total": price}, ("total",), 0.0, 1)


def _cell_known(small, cell, d):
    here = np.arange(len(small)) == cell
    true = small.draws.supply
    supply = replace(
        small.supply,
        top=np.where(here, true.top[d], small.supply.top),
        scale_cny=np.where(here, true.scale_cny[d], small.supply.scale_cny),
    )
    return replace(
        small,
        supply=supply,
        hazard=np.where(here, small.draws.hazard[d], small.hazard),
        gmv_per_fan_cny=np.where(here, small.draws.gmv_per_fan_cny[d], small.gmv_per_fan_cny),
    )


def test_the_experiments_cost_at_most_their_share():
    problem = compile_problem(market(draws=40), budget_cny=1000)
    found = value_of_information(problem, solved(problem), max_draws=20)
    assert affordable_probes(found, budget_cny=1000.0)["probe_cny"].sum() <= 100.0
    assert affordable_probes(found, budget_cny=1000.0, max_share=0.0).is_empty()


def test_it_needs_draws():
    problem = compile_problem(market(), budget_cny=1000)
    with pytest.raises(CampaignError, match="nothing to learn"):
        value_of_information(problem, solved(problem))
