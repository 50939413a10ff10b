"""The problems of `benchmarks/allocation.py`, and a grid's answer to the small ones.

Recipes are issue 3's. It must not print or measure anything.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from models.supply.curves import CurveSet
from targeting.allocation.formulation.compile import compile_problem
from targeting.allocation.outcomes import outcomes
from targeting.allocation.problem import Draws, Limits, Market, Problem, Row


def market_of(supply: CurveSet, *, block: np.ndarray, users: np.ndarray, **rest: np.ndarray) -> Market:
    """A market with made-up names; additive where users are infinite."""
    n, one = len(supply), np.ones(len(supply))
    names = {k: ["x"] * n for k in ("campaign_id", "merchant_id", "fan_kind")}
    places = {"placement": [("video", "live")[i % 2] for i in range(n)], "slot": np.zeros(n, dtype=np.int64)}
    cells = pl.DataFrame({**names, "segment": [f"s{b}" for b in block], **places})
    given = {
        "hazard": one,
        "entry": 0 * one,
        "gmv_per_fan_cny": one,
        "observed_max_cny": one * np.inf,
        **rest,
    }
    return Market(cells=cells, block=block, supply=supply, users=users, **given)


def hills(n: int, seed: int) -> Problem:
    """S-curves: slope uniform 1.2-4, half spend uniform 50-300, top lognormal(6, 0.5), spend in [10, 500]."""
    rng, one = np.random.default_rng(seed), np.ones(n)
    slope, half, top = rng.uniform(1.2, 4, n), rng.uniform(50, 300, n), rng.lognormal(6, 0.5, n)
    supply = CurveSet.of("hill", top=top, scale_cny=half, shape=slope)
    market = market_of(supply, block=np.arange(n), users=np.inf * one)
    limits = Limits(10 * one, min(500.0, 100.0 * n) * one, 0 * one, 0 * one)
    return Problem(market, {"gmv": one}, 100.0 * n, limits, ())


def competing(n: int, seed: int) -> Problem:
    """n segments x 2 placements that compete for the same people; a budget, caps, a share floor for live."""
    rng, m = np.random.default_rng(seed), 2 * n
    users = np.repeat(rng.lognormal(9, 1, n), 2)
    scale = users * rng.uniform(0.01, 0.1, m)
    supply = CurveSet.of("expsat", top=users * rng.uniform(1, 5, m), scale_cny=scale)
    market = market_of(
        supply, block=np.repeat(np.arange(n), 2), users=users, hazard=rng.uniform(0.01, 0.3, m),
        gmv_per_fan_cny=rng.lognormal(2, 1, m), entry=np.tile([0.0, 0.2], n),
    )  # fmt: skip
    limits = Limits(np.zeros(m), 1.2 * scale, np.zeros(m), np.zeros(m))
    rows = (Row("live-share", {"spend": np.tile([0.0, 1.0], n) - 0.6}, lower=0.0),)
    return Problem(market, {"gmv": np.ones(m)}, 0.25 * float(scale.sum()), limits, rows)


def slotted(n: int, slots: int, seed: int) -> Problem:
    """`competing` in several slots of uneven worth, a person a fan once in all; a capacity of the room in
    each.
    """
    one, rng = competing(n, seed), np.random.default_rng(70_000 + seed)
    market, m = one.market, 2 * n
    at, slot = np.tile(np.arange(m), slots), np.repeat(np.arange(slots), m)
    worth = rng.lognormal(0, 0.3, slots)[slot]
    cells = market.cells[at].with_columns(slot=pl.Series(slot))
    supply = market.supply.take(at).rescaled(top=1.0 / slots, spend=1.0 / slots)
    whole = replace(
        market, cells=cells, block=market.block[at], supply=supply, users=market.users[at],
        hazard=market.hazard[at] * worth, entry=market.entry[at], gmv_per_fan_cny=market.gmv_per_fan_cny[at],
        observed_max_cny=market.observed_max_cny[at],
    )  # fmt: skip
    even = outcomes(whole, np.full(len(at), one.budget_cny / len(at)))["entries"]
    rows = tuple(
        Row("capacity", {"entries": (slot == t).astype(float)}, upper=1.2 * float(even[slot == t].sum()))
        for t in range(slots)
    )
    free = np.zeros(len(at))
    return Problem(whole, {"gmv": free + 1}, one.budget_cny, Limits(free, free + np.inf, free, free), rows)


def constrained(seed: int) -> Problem:
    """Six competing segments with one to three random rows: share, capacity, cap on some cells, return."""
    problem, rng = competing(6, seed), np.random.default_rng(1000 + seed)
    m, budget = len(problem.market), problem.budget_cny
    live, some = np.tile([0.0, 1.0], m // 2), (rng.random(m) < 0.4).astype(float)
    even = outcomes(problem.market, np.full(m, budget / m))
    worth = float(even["gmv"].sum()) / budget
    rows = (
        Row("share", {"spend": live - rng.uniform(0.3, 0.6)}, lower=0.0),
        Row("capacity", {"entries": live}, upper=rng.uniform(0.5, 1.5) * float(even["entries"].sum())),
        Row("cap", {"spend": some}, upper=rng.uniform(0.15, 0.4) * budget),
        Row("return", {"gmv": live, "spend": -live * rng.uniform(0.3, 1.0) * worth}, lower=0.0),
    )
    chosen = rng.choice(len(rows), size=int(rng.integers(1, 4)), replace=False)
    return replace(problem, rows=tuple(rows[i] for i in sorted(chosen)))


def mixed(seed: int) -> Problem:
    """Three or four constraints of different kinds, drawn at random, on 7 segments x 2 that compete."""
    free, rng = competing(7, 50_000 + seed), np.random.default_rng(90_000 + seed)
    market, budget = free.market, free.budget_cny
    even = outcomes(market, np.full(len(market), budget / len(market)))
    roi, live = float(even["gmv"].sum()) / budget, {"placement": "live"}
    kinds: list[dict[str, object]] = [
        {"kind": "bounds", **live, "min_share": rng.uniform(0.3, 0.6)},
        {"kind": "bounds", "each": "cell", "max_share": rng.uniform(0.15, 0.4)},
        {"kind": "ratio", "of": live, "to": {"placement": "video"}, "max": rng.uniform(0.5, 2.0)},
        {"kind": "min_if_used", "min_cny": budget * rng.uniform(0.02, 0.12)},
        {"kind": "max_active", "n": int(rng.integers(3, 9))},
        {"kind": "roi_floor", **live, "min": roi * rng.uniform(0.3, 0.9)},
        {"kind": "live_capacity", "viewers": float(even["entries"].sum()) * rng.uniform(0.3, 1.2)},
        {"kind": "frequency_cap", "impressions": rng.uniform(1.2, 3.0)},
        {"kind": "bounds", "segment": ["s0", "s1", "s2"], "max_share": rng.uniform(0.2, 0.5)},
    ]  # fmt: skip
    chosen = rng.choice(len(kinds), size=int(rng.integers(3, 5)), replace=False)
    limits = [kinds[i] for i in sorted(chosen)]
    return compile_problem(market, budget_cny=budget, constraints=limits)


def risky(n: int, n_draws: int, seed: int) -> Problem:
    """`competing` with joint draws: live is better on average and riskier, cells vary apart as well."""
    problem, rng = competing(n, seed), np.random.default_rng(seed)
    market, one = problem.market, np.ones((n_draws, 1))
    live = np.tile([0.0, 1.0], n)
    noise = rng.normal(0, 0.6, (n_draws, 1)) * live + rng.normal(0, 0.3, (n_draws, 2 * n))
    drawn = market.supply
    supply = replace(
        drawn, top=drawn.top * one, scale_cny=drawn.scale_cny * one, shape=drawn.shape * one,
        base=drawn.base * one,
    )  # fmt: skip
    draws = Draws(supply, market.hazard * np.exp(noise), market.gmv_per_fan_cny * one)
    return replace(problem, market=replace(market, draws=draws), rows=())


def restated(problem: Problem, *, values: float, money: float, seed: int) -> tuple[Problem, np.ndarray]:
    """The same additive problem in other units and another order, and that order."""
    order = np.random.default_rng(seed).permutation(len(problem.market))
    supply = problem.market.supply.take(order).rescaled(top=values, spend=money)
    market = market_of(supply, block=np.arange(len(order)), users=np.inf * np.ones(len(order)))
    old = problem.limits
    limits = Limits(
        old.lower_cny[order] * money, old.upper_cny[order] * money,
        old.min_if_used_cny[order] * money, old.marginal_floor[order],
    )  # fmt: skip
    return replace(problem, market=market, budget_cny=problem.budget_cny * money, limits=limits), order


def grid_optimum(problem: Problem, step: float = 2.0) -> float:
    """Grid dynamic programme over the budget: a lower bound of the optimum of additive cells."""
    levels = np.arange(0.0, problem.budget_cny + step / 2, step)
    best = np.zeros(len(levels))
    for c in range(len(problem.market)):
        spend = levels[(levels >= problem.limits.lower_cny[c]) & (levels <= problem.limits.upper_cny[c])]
        gain = problem.market.supply.take(np.array([c])).value(spend[:, None])[:, 0]
        new = np.full(len(levels), -np.inf)
        for shift, g in zip(np.rint(spend / step).astype(int), gain, strict=True):
            new[shift:] = np.maximum(new[shift:], best[: len(levels) - shift] + g)
        best = new
    return float(best[-1])
