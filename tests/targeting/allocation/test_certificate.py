"""Weak duality, always: at any prices the bound is above every plan on a grid; and it is tight where it
should be.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from random_problems import brute_force, random_problem

from benchmarks.allocation_instances import slotted
from targeting.allocation.solver.blocks import block_value, jacobian, jet
from targeting.allocation.solver.certificate import ceiling, lagrangian_bound
from targeting.allocation.solver.layout import build
from targeting.allocation.solver.newton import bent_inverse
from targeting.allocation.solver.polish import lines
from targeting.allocation.solver.pricing import legal, price


@pytest.mark.parametrize("seed", range(30))
def test_the_bound_is_above_every_plan_at_any_prices(seed: int) -> None:
    problem = random_problem(seed)
    brute, program, rng = brute_force(problem, 9), build(problem), np.random.default_rng(seed)
    for scale in (0.01, 1.0, 100.0):
        prices = program.lawful(rng.normal(0, scale, len(program.row_lower)))
        weights = program.weights(prices)
        spend, _ = price(program, weights)
        top = ceiling(program, weights, spend, np.full(program.n_blocks, 1e-6))
        assert lagrangian_bound(program, prices, top) >= brute.value


@pytest.mark.parametrize("seed", range(12))
def test_a_block_is_bounded_as_tightly_as_a_fine_grid_says(seed: int) -> None:
    problem = random_problem(seed)
    program, rng = build(problem), np.random.default_rng(seed)
    prices = program.lawful(rng.normal(0, 0.3, len(program.row_lower)))
    weights = program.weights(prices)
    spend, value = price(program, weights)
    top = ceiling(program, weights, spend, 1e-7 * np.abs(value) + 1e-9)
    assert (top.bound >= top.value).all()
    assert (top.bound - top.value).max() <= 2e-7 * np.abs(value).max() + 2e-9


@pytest.mark.parametrize("seed", range(6))
def test_gradient_and_hessian_are_derivatives(seed: int) -> None:
    program, rng = build(random_problem(seed)), np.random.default_rng(seed)
    weights = {k: rng.normal(0, 1, len(program.cell)) for k in ("spend", "impressions", "fans", "reached")}
    weights["active"] = np.zeros(len(program.cell))
    spend = program.upper * rng.uniform(0.2, 0.9, len(program.cell))
    here = jet(program, weights, spend)
    assert np.allclose(here.value, block_value(program, weights, spend))
    for seat in range(program.width):
        step = np.where(np.arange(len(spend)) % program.width == seat, 1e-5 * spend, 0.0)
        size = program.grid(step)[:, seat]
        rise = (block_value(program, weights, spend + step) - block_value(program, weights, spend - step)) / (
            2 * size
        )
        assert np.allclose(rise, here.gradient[:, seat], rtol=1e-5, atol=1e-5 * np.abs(rise).max())
        ends = [jet(program, weights, spend + s * step).gradient for s in (1, -1)]
        bend = (ends[0] - ends[1]) / (2 * size)[:, None]
        assert np.allclose(bend, here.hessian[:, seat], rtol=1e-4, atol=1e-5 * np.abs(bend).max())


@pytest.mark.parametrize("seed", [25, 43, 93, 132])
def test_the_ceiling_closes_on_every_on_off_pattern(seed: int) -> None:
    """A pattern that leaves one cell of a block is one-dimensional: its bound must meet its best spend."""
    program = build(random_problem(seed))
    rng = np.random.default_rng(seed)
    prices = program.lawful(rng.normal(0.0, 1.0, len(program.row_lower)))
    weights = program.weights(prices)
    best = np.full(program.n_blocks, -np.inf)
    for shares in itertools.product(np.linspace(0.0, 1.0, 81), repeat=program.width):
        spend = program.upper * np.tile(shares, program.n_blocks)
        best = np.maximum(best, block_value(program, weights, legal(program, spend)))
    worth = np.abs(best).max()
    start = legal(program, program.upper * 0.5)
    top = ceiling(program, weights, start, np.full(program.n_blocks, 1e-7 * worth))
    assert (top.bound >= best - 1e-9 * worth).all()
    assert (top.bound <= np.maximum(best, top.value) + 2e-3 * worth).all()


@pytest.mark.parametrize("paid", [0.3, 0.0])
@pytest.mark.parametrize("seed", [3, 5, 8])
def test_the_ceiling_closes_where_reach_is_paid_for_and_spending_is_asked_for(seed: int, paid: float) -> None:
    """A frequency cap's price pays for people reached and charges impressions; a ratio's asks for spend, and
    where the budget does not bind spending costs nothing. Follows a person alone leave a block open there:
    bounding them only, 2e-2 of the worth was left.
    """
    program, rng = build(random_problem(seed)), np.random.default_rng(seed)
    assert program.width == 2
    m = len(program.cell)
    weights = {k: np.zeros(m) for k in ("active", "impressions", "reached", "spend", "fans")}
    weights["impressions"] -= 1.0
    weights["reached"] += 1.6
    weights["fans"] += rng.uniform(1.0, 4.0, m)
    weights["spend"] += paid * program.curves.value(program.upper) / program.upper
    best = np.full(program.n_blocks, -np.inf)
    for shares in itertools.product(np.linspace(0.0, 1.0, 61), repeat=2):
        spend = legal(program, program.upper * np.tile(shares, program.n_blocks))
        best = np.maximum(best, block_value(program, weights, spend))
    start = legal(program, 0.0 * program.upper)
    top = ceiling(program, weights, start, np.full(program.n_blocks, 1e-5 * np.abs(best).max()))
    assert (top.bound >= best - 1e-9 * np.abs(best)).all()
    assert (top.bound <= np.maximum(best, top.value) + 2e-5 * np.abs(best).max()).all()


@pytest.mark.parametrize("wide", [False, True])
def test_slots_meet_in_a_few_directions_and_nothing_of_the_hessian_is_lost(wide: bool) -> None:
    """Dense Hessians of 60 cells a segment were most of 42 s of 30 slots x 200 segments x 2."""
    problem = slotted(3, 6, 0)
    program = build(problem)
    rng = np.random.default_rng(1)
    spend = rng.uniform(0.2, 1.0, len(program.cell)) * problem.budget_cny / len(program.cell)
    here = jet(program, program.weights(np.zeros(len(program.row_lower))), spend)
    inverse = bent_inverse(here, np.ones(here.own.shape, dtype=bool), 1e-300, margin=1e-9)
    along = rng.normal(size=here.own.shape)
    assert np.allclose(np.einsum("nij,nj->ni", here.hessian, inverse @ along), along, rtol=1e-6, atol=1e-9)
    rows, step = np.arange(len(program.row_lower)), 1e-6 * spend
    a = jacobian(program, spend, rows, wide=wide)
    a = a.toarray() if wide else a
    for cell in (0, 17, 35):
        moved = np.where(np.arange(len(spend)) == cell, step, 0.0)
        slope = (lines(program, spend + moved)[0] - lines(program, spend - moved)[0]) / (2 * step[cell])
        assert np.allclose(a[:, cell], slope, rtol=1e-5, atol=1e-9 * np.abs(a).max())
