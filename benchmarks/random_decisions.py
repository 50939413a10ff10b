"""Plans in random worlds: where the value goes, what was promised, what came. Run by `benchmarks.decisions`.

Values are true expected new-fan GMV. `seen` is the best plan that features can tell, person by person on
the true market (`targeting.world.oracle.seen`); `oracle` knows each one's intent too. Steps to `seen`:

plan       the plan as made
market     the same segments and beliefs, money divided by the true supply
cells      our scores in 144 fine cells, true supply
ranking    cells of equal rank by our scores, everything else true
coarse     the best of 16 cells formed by what features can tell: what segments that can be said to a platform
           leave, whoever learned them
seen       the best that features can tell
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import polars as pl

import targeting as tg
from targeting.world import World, baselines, simulate
from targeting.world.beliefs import from_scores, given_features
from targeting.world.chance import realised_totals
from targeting.world.oracle import omniscient, oracle_on, seen, worth_segments
from targeting.world.random.draw import MECHANISMS_STREAM, draw_kind

GMV = "new_fan_gmv_cny"
REALISATIONS = 50
FINE_CELLS, COARSE_CELLS = 144, 16
BASELINES = ("equal", "last", "roas", "plain")


@dataclass(frozen=True)
class RandomOutcome:
    """One random world, one plan. Money in yuan; `promised_*` over true for impressions and fans.

    Attributes:
        low, high: the plan's 80 % interval of the expectation; realised_low, realised_high: of what comes.
        came_inside: share of realisations inside the latter; None where the plan gives none.
    """

    seed: int
    users: int
    mechanisms: Mapping[str, str]
    nobody_differs: bool
    value: float
    market: float
    cells: float
    ranking: float
    seen: float
    oracle: float
    equal: float
    last: float
    roas: float
    plain: float
    promised: float
    low: float
    high: float
    realised_low: float | None
    realised_high: float | None
    came_inside: float | None
    impressions_ratio: float
    fans_ratio: float
    segments: int
    claims: str
    fit_s: float
    plan_s: float
    coarse: float = float("nan")


def alike_seeds(count: int) -> list[int]:
    """The first seeds for work (below 1,000), in whose worlds nobody differs."""
    kinds = ((seed, draw_kind(np.random.default_rng([seed, MECHANISMS_STREAM]))[0]) for seed in range(1000))
    return list(islice((seed for seed, kind in kinds if kind.differs == 0.0), count))


def judge_random(seed: int, *, users: int) -> RandomOutcome:
    """Simulate, fit, plan, and ask the truth.

    Raises:
        TargetingError: the product refused this world.
    """
    world = simulate("random", users=users, seed=seed)
    brief = dict(world.campaign)
    start = time.perf_counter()
    tables = {"users": world.users, "exposures": world.exposures, "orders": world.orders}
    planner = tg.Planner.fit(tables, campaign=brief, as_of=world.as_of, seed=seed)
    fitted = time.perf_counter()
    audience = planner.audience(world.users_now)
    plan = planner.plan(brief, audience)
    planned = time.perf_counter()
    everyone = planner.segmenter.assign(planner.model.score(world.users), everyone=True)
    return RandomOutcome(
        seed=seed,
        users=users,
        mechanisms=dict(world.kind.mechanisms),
        nobody_differs=world.kind.differs == 0.0,
        segments=audience.segments["segment"].n_unique(),
        claims=plan.claims["kind"],
        fit_s=fitted - start,
        plan_s=planned - fitted,
        **steps(world, plan, audience.scores),
        **splits(world, audience.segments, everyone),
        **promises(world, plan, seed),
    )


def steps(world: World, plan: tg.Plan, scores: pl.DataFrame) -> dict[str, float]:
    """Where the value goes, step by step."""
    truth, budget = world.truth, plan.budget_cny
    audience = plan.audience
    assert audience is not None
    segments = audience.segments
    cells = plan.market.cells.select("segment", "placement").with_columns(
        p_follow=plan.market.hazard, gmv_per_fan_cny=plan.market.gmv_per_fan_cny
    )
    of_cells = from_scores(truth, segments.join(cells.unique(["segment", "placement"]), on="segment"))
    ours = from_scores(truth, scores)
    fine = worth_segments(truth, n_segments=FINE_CELLS, beliefs=ours)
    known = given_features(truth)
    few = worth_segments(truth, n_segments=COARSE_CELLS, beliefs=known)
    return {
        "value": truth.value(segments, plan.allocation)[GMV],
        "market": oracle_on(truth, segments, budget_cny=budget, beliefs=of_cells).value[GMV],
        "cells": oracle_on(truth, fine, budget_cny=budget, beliefs=ours).value[GMV],
        "ranking": oracle_on(truth, fine, budget_cny=budget, beliefs=known).value[GMV],
        "coarse": oracle_on(truth, few, budget_cny=budget, beliefs=known).value[GMV],
        "seen": seen(truth, budget_cny=budget).value[GMV],
        "oracle": omniscient(truth, budget_cny=budget).value[GMV],
    }


def splits(world: World, segments: pl.DataFrame, everyone: pl.DataFrame) -> dict[str, float]:
    """What merchants do without us."""
    budget = float(world.campaign["budget_cny"])  # type: ignore[arg-type]

    def worth(money: pl.DataFrame) -> float:
        return world.truth.value(segments, money)[GMV]

    return {
        "equal": worth(baselines.equal_split(segments, budget_cny=budget)),
        "last": worth(baselines.last_plan(world, everyone, budget_cny=budget)),
        "roas": worth(baselines.roas_proportional(world, everyone, budget_cny=budget)),
        "plain": baselines.plain_response(world, budget_cny=budget).value[GMV],
    }


def promises(world: World, plan: tg.Plan, seed: int) -> dict[str, float | None]:
    """What was promised beside what is true, and how often what came was inside."""
    audience, promise = plan.audience, plan.expected[GMV]
    assert audience is not None
    assert promise is not None
    true = world.truth.value(audience.segments, plan.allocation)
    rng = np.random.default_rng([seed, 50])
    came = realised_totals(world.truth, audience.segments, plan.allocation, rng=rng, times=REALISATIONS)[:, 1]
    said = plan.realised.get(GMV)
    inside = None if said is None else float(np.mean((said.low <= came) & (came <= said.high)))
    told = plan.allocation.select("impressions", "new_fans").sum().row(0)
    return {
        "promised": promise.value,
        "low": promise.low,
        "high": promise.high,
        "realised_low": None if said is None else said.low,
        "realised_high": None if said is None else said.high,
        "came_inside": inside,
        "impressions_ratio": float(told[0]) / max(true["impressions"], 1e-9),
        "fans_ratio": float(told[1]) / max(true["new_fans"], 1e-9),
    }


RATIOS: Mapping[str, Callable[[RandomOutcome], float]] = {
    "value/seen": lambda o: o.value / o.seen,
    "market": lambda o: o.market / o.seen,
    "cells": lambda o: o.cells / o.seen,
    "ranking": lambda o: o.ranking / o.seen,
    "coarse": lambda o: o.coarse / o.seen,
    "seen/oracle": lambda o: o.seen / o.oracle,
    "value/oracle": lambda o: o.value / o.oracle,
    **{f"v/{name}": (lambda o, name=name: o.value / getattr(o, name)) for name in BASELINES},  # type: ignore[misc]
    "promised": lambda o: o.promised / o.value,
    "impr": lambda o: o.impressions_ratio,
    "fans": lambda o: o.fans_ratio,
    "seconds": lambda o: o.fit_s + o.plan_s,
}


def print_header() -> None:
    """Names of the columns of `print_row`."""
    print(
        f"{'seed':>6}" + "".join(f"{name:>13}" for name in RATIOS) + f"{'expected':>9}{'came':>6}  mechanisms"
    )


def print_row(o: RandomOutcome) -> None:
    """One world: ratios, whether the truth is in the interval, what was drawn."""
    figures = "".join(f"{ratio(o):>13.3f}" for ratio in RATIOS.values())
    inside = "in" if o.low <= o.value <= o.high else "low" if o.high < o.value else "high"
    came = "-" if o.came_inside is None else f"{o.came_inside:.2f}"
    drawn = " ".join(f"{k}={v}" for k, v in o.mechanisms.items())
    print(f"{o.seed:>6}{figures}{inside:>9}{came:>6}  {drawn}", flush=True)


def print_summary(outcomes: Sequence[RandomOutcome]) -> None:
    """Medians, tenths and shares over worlds."""
    for name, ratio in RATIOS.items():
        values = [ratio(o) for o in outcomes]
        low, high = np.nanquantile(values, [0.1, 0.9])
        print(f"{name:<14} median {np.nanmedian(values):7.3f}   10 % {low:7.3f}   90 % {high:7.3f}")
    differ = [o for o in outcomes if not o.nobody_differs]
    alike = [o for o in outcomes if o.nobody_differs]

    def share(flags: Sequence[bool]) -> str:
        return f"{sum(flags) / len(flags):.2f} of {len(flags)}" if flags else "-"

    for name in BASELINES:
        print(
            f"better than {name:<6} {share([o.value > getattr(o, name) for o in differ])} where people differ"
        )
    print(
        f"within 2 % of equal or better: {share([o.value > 0.98 * o.equal for o in alike])} where nobody does"
    )
    near = [0.8 <= o.promised / o.value <= 1.25 for o in outcomes]
    print(f"promised / true between 0.8 and 1.25: {share(near)}")
    print(f"expected interval holds the truth:     {share([o.low <= o.value <= o.high for o in outcomes])}")
    came = [o.came_inside for o in outcomes if o.came_inside is not None]
    print(
        f"realised interval holds what came:    {np.mean(came):.2f}"
        if came
        else "realised interval: none given"
    )
