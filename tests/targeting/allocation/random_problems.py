"""Small random problems, and what a fine grid finds on them: the oracle of the allocator's tests."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import polars as pl

from models.supply.curves import FAMILIES, CurveSet
from targeting.allocation.outcomes import outcomes, total
from targeting.allocation.problem import Limits, Market, Problem, Row

GRID = 17


def market_of(supply: CurveSet, *, block, users, hazard=None, gmv=None, entry=None) -> Market:
    """A market of n cells; even cells are video, odd ones live."""
    n = len(supply)
    one = np.ones(n)
    cells = pl.DataFrame(
        {
            "campaign_id": ["c"] * n,
            "merchant_id": ["m"] * n,
            "segment": [f"s{b}" for b in block],
            "placement": ["video" if i % 2 == 0 else "live" for i in range(n)],
            "slot": np.zeros(n, dtype=np.int64),
            "fan_kind": ["precise"] * n,
        }
    )
    return Market(
        cells=cells,
        block=np.asarray(block, dtype=np.int64),
        supply=supply,
        users=np.broadcast_to(np.asarray(users, float), (n,)),
        hazard=one if hazard is None else hazard,
        entry=0 * one if entry is None else entry,
        gmv_per_fan_cny=one if gmv is None else gmv,
        observed_max_cny=one * np.inf,
    )


def free_limits(n: int, upper) -> Limits:
    """No lower limit, `upper` for each cell."""
    zero = np.zeros(n)
    return Limits(zero, np.broadcast_to(np.asarray(upper, float), (n,)).copy(), zero, zero)


def random_problem(seed: int) -> Problem:
    """Up to four cells: additive of any family, or competing placements of two segments; random limits and
    rows.
    """
    rng = np.random.default_rng(seed)
    competing = bool(rng.integers(2))
    n = 4 if competing else int(rng.integers(2, 5))
    budget = 100.0
    scale = rng.uniform(10, 80, n)
    if competing:
        users = np.repeat(rng.uniform(500, 3000, n // 2), 2)
        family = ("expsat", "log", "power")[rng.integers(3)]
        supply = CurveSet.of(family, top=users * rng.uniform(0.5, 4, n), scale_cny=scale, shape=0.7)
        market = market_of(
            supply, block=np.repeat(np.arange(n // 2), 2), users=users, hazard=rng.uniform(0.02, 0.4, n),
            gmv=rng.lognormal(1, 1, n), entry=np.tile([0.0, 0.2], n // 2),
        )  # fmt: skip
    else:
        code = rng.integers(0, 5, n).astype(np.int8)
        shape = np.where(code == FAMILIES.index("power"), rng.uniform(0.3, 1, n), rng.uniform(0.7, 4, n))
        supply = CurveSet(code, rng.lognormal(3, 0.5, n), scale, shape, np.zeros(n))
        market = market_of(supply, block=np.arange(n), users=np.inf)
    limits = free_limits(n, rng.uniform(30, 90, n))
    if rng.random() < 0.4:
        limits = Limits(limits.lower_cny, limits.upper_cny, rng.uniform(5, 25, n), limits.marginal_floor)
    return Problem(market, {"gmv": np.ones(n)}, budget, limits, _rows(rng, market, budget))


def _rows(rng, market: Market, budget: float) -> tuple[Row, ...]:
    n = len(market)
    live = (np.arange(n) % 2).astype(float)
    best = float(total({"gmv": np.ones(n)}, outcomes(market, np.full(n, budget / n))))
    choice = (
        Row("share", {"spend": live - rng.uniform(0.1, 0.5)}, lower=0.0),
        Row(
            "capacity",
            {"impressions": live},
            upper=float(outcomes(market, np.full(n, 15.0))["impressions"] @ live),
        ),
        Row("active", {"active": np.ones(n)}, upper=float(rng.integers(1, n + 1))),
        Row("roi", {"gmv": live, "spend": -live * 0.5 * best / budget}, lower=0.0),
        Row("fairness", {"gmv": live - 0.2}, lower=0.0),
    )
    return tuple(r for r in choice if rng.random() < 0.35)


@dataclass(frozen=True)
class Brute:
    """Best feasible value on a grid (-inf where no grid point is feasible)."""

    value: float
    spend: np.ndarray


def brute_force(problem: Problem, grid: int = GRID) -> Brute:
    """Every point of a grid over the cells' limits, checked with the true curves."""
    lim, n = problem.limits, len(problem.market)
    axes = []
    for c in range(n):
        high = min(lim.upper_cny[c], problem.budget_cny)
        low = max(lim.lower_cny[c], lim.min_if_used_cny[c])
        axes.append(np.unique(np.r_[lim.lower_cny[c], np.linspace(low, high, grid)]))
    spend = np.array(list(itertools.product(*axes)))
    metrics = outcomes(problem.market, spend)
    fine = spend.sum(axis=1) <= problem.budget_cny * (1 + 1e-12)
    for row in problem.rows:
        lhs = row.lhs(metrics)
        fine &= (lhs >= row.lower - 1e-9) & (lhs <= row.upper + 1e-9)
    value = np.where(fine, total(problem.objective, metrics), -np.inf)
    k = int(np.argmax(value))
    return Brute(float(value[k]), spend[k])


def worst_violation(problem: Problem, spend: np.ndarray) -> float:
    """Largest relative violation of any limit or row, from the true curves."""
    metrics, lim = outcomes(problem.market, spend), problem.limits
    worst = [max(spend.sum() / problem.budget_cny - 1, 0.0)]
    worst += [float(np.max(np.maximum(lim.lower_cny - spend, spend - lim.upper_cny)) / problem.budget_cny)]
    used = spend > 0
    worst += [float(np.max(np.where(used, lim.min_if_used_cny - spend, 0.0)) / problem.budget_cny)]
    for row in problem.rows:
        lhs = float(row.lhs(metrics))
        size = max(
            sum(float(np.abs(metrics[m] * c).sum()) for m, c in row.spread(len(metrics["spend"])).items()),
            1e-12,
        )
        worst.append(max(row.lower - lhs, lhs - row.upper, 0.0) / size)
    return max(worst)
