"""Does each mechanism of the learner pay? Every one is switched off in turn over random worlds.

    python -m benchmarks.ablation --seeds 100-159 --users 8000 --out part.jsonl
    python -m benchmarks.ablation --table part.jsonl other.jsonl

A mechanism is off where its settings say that it has nothing to do (a prior of no width, a threshold that is
never reached). Chunks of seeds may run side by side, each into a file of its own. Columns of the table, means
over worlds of (off - on), each with its standard error:

value      points of value / seen, the best plan that features can tell: negative where the mechanism pays
promise    |log(promised / true)|: positive where it pays
inside     share of worlds with the truth in the plan's 80 % interval
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import targeting as tg
from models.audience.model import AudienceModel
from models.audience.settings import AUDIENCE, CELLS
from models.contracts import gather
from models.errors import TargetingError
from models.rates.settings import RATES
from models.supply.settings import SUPPLY
from targeting.campaign import parse_campaign
from targeting.planning_state import learn_state
from targeting.segments.segment_settings import SETTINGS as SEGMENTS
from targeting.world import World, simulate
from targeting.world.oracle import seen

GMV = "new_fan_gmv_cny"
DRAWS = 200
NONE = 1e-3  # a deviation that leaves no room
NEVER = 10**9  # a count that is never reached
ALL_ON = "all on"
_AS_FITTED = ((1.0, 1.0), (NONE, NONE), 1.0)
_STACK_OF_SHAPES = tuple((means, sds, 0.5) for means, sds, _ in RATES.stack[:2])


def _coin(**pinned: float) -> tuple[tuple[float, float, float], ...]:
    """The coin's hypotheses with some deviations pinned."""
    return tuple(
        (shared, pinned.get("own", own), pinned.get("tilt", tilt)) for shared, own, tilt in RATES.corrections
    )


@dataclass(frozen=True)
class Mechanism:
    """What is switched off: fields of a settings object, and the values at which they do nothing."""

    sentence: str
    settings: object
    off: Mapping[str, object]


MECHANISMS: Mapping[str, Mechanism] = {
    "trees": Mechanism("trees on top of the line", RATES, {"max_rounds": 0}),
    "levels": Mechanism("levels of a long category, each for itself", AUDIENCE, {"most_levels": 50}),
    "penalty": Mechanism("a line's penalty by evidence", RATES, {"penalty_rounds": 0}),
    "stack": Mechanism("slopes of line and trees out of fold", RATES, {"stack": (_AS_FITTED,)}),
    "nobody differs": Mechanism("the hypothesis that a shape is noise", RATES, {"stack": _STACK_OF_SHAPES}),
    "related rates": Mechanism("slopes on related events learned, not given", RATES, {"base_sd": NONE}),
    "hints": Mechanism("whom the platform chose, who follows, who buys anyway", RATES, {"hint_sd": NONE}),
    "group levels": Mechanism("a level of buying per placement", RATES, {"group_sd": NONE}),
    "coin": Mechanism("from logged to randomised", RATES, {"corrections": ((NONE,) * 3,)}),
    "coin apart": Mechanism("rates off the shift that they share", RATES, {"corrections": _coin(own=NONE)}),
    "coin tilt": Mechanism("the coin's slope", RATES, {"corrections": _coin(tilt=NONE)}),
    "trend": Mechanism("drift to the last logged day", RATES, {"drift_sd": NONE, "wave_sd": NONE}),
    "order size": Mechanism("new fans' own order size", RATES, {"order_sd": NONE}),
    "anyway": Mechanism("what followers had bought before", AUDIENCE, {"anyway_sd": NONE}),
    "fans' orders": Mechanism("what old fans buy", AUDIENCE, {"fan_buyers": NEVER}),
    "late refunds": Mechanism("refunds still to come", AUDIENCE, {"refund_orders": NEVER}),
    "cell levels": Mechanism(
        "the scores' level against the logs", CELLS, {"level_sd": NONE, "gmv_level_sd": NONE}
    ),
    "cells": Mechanism("cells off the level", CELLS, {"cell_sd": (NONE,)}),
    "selection": Mechanism("hidden selection of ranked rows", CELLS, {"selection_odds": NONE}),
    "passing": Mechanism("a price of each day and campaign", SUPPLY, {"passing_sd": NONE}),
    "cell capacity": Mechanism("a capacity of each cell", SUPPLY, {"sds": (*SUPPLY.sds[:2], NONE)}),
    "robust": Mechanism("odd days weigh less", SUPPLY, {"huber": float(NEVER), "day_freedom": float(NEVER)}),
    "many segments": Mechanism("more than six segments", SEGMENTS, {"most_segments": 6}),
    "few segments": Mechanism(
        "at most twelve segments", SEGMENTS, {"most_segments": 24, "least_gain": 0.0003}
    ),
}


@dataclass(frozen=True)
class Trial:
    """One world with one mechanism off."""

    seed: int
    users: int
    mechanism: str
    value: float
    seen: float
    promised: float
    inside: bool
    seconds: float


@contextmanager
def switched_off(mechanism: Mechanism | None) -> Iterator[None]:
    """Runs with the mechanism's settings at `off` (the shared objects are changed, and restored)."""
    if mechanism is None:
        yield
        return
    usual = {name: getattr(mechanism.settings, name) for name in mechanism.off}
    try:
        _put(mechanism.settings, mechanism.off)
        yield
    finally:
        _put(mechanism.settings, usual)


def _put(settings: object, values: Mapping[str, object]) -> None:
    for name, value in values.items():
        if not hasattr(settings, name):
            raise AttributeError(f"{type(settings).__name__} has no {name}")
        object.__setattr__(settings, name, value)


def fitted(world: World, seed: int) -> AudienceModel:
    """The audience model of a world, under the settings of the moment."""
    brief = parse_campaign(world.campaign)
    return AudienceModel.fit(
        gather(users=world.users, exposures=world.exposures, orders=world.orders),
        placements=brief.placements,
        as_of=world.as_of,
        horizon_days=brief.horizon_days,
        seed=seed,
    )


def attempt(world: World, seed: int, name: str, *, best: float, usual: AudienceModel) -> Trial:
    """Plan with a mechanism off, and ask the truth.

    Args:
        world: Where.
        seed: Of folds and draws.
        name: Of the mechanism.
        best: Value of the best plan that features can tell.
        usual: The audience model with everything on; fitted anew where the mechanism is a part of it.

    Raises:
        TargetingError: the product refused this world.
    """
    brief = parse_campaign(world.campaign)
    mechanism = MECHANISMS.get(name)
    start = time.perf_counter()
    with switched_off(mechanism):
        inside = mechanism is not None and mechanism.settings in (RATES, AUDIENCE)
        model = fitted(world, seed) if inside else usual
        dataset = gather(users=world.users, exposures=world.exposures, orders=world.orders)
        state = learn_state(
            dataset, model=model, as_of=world.as_of, rng=np.random.default_rng(seed), n_draws=DRAWS
        )
        planner = tg.Planner(model, state)
        audience = planner.audience(world.users_now)
        plan = planner.plan(brief, audience)
    promise = plan.expected[GMV]
    assert promise is not None
    value = world.truth.value(audience.segments, plan.allocation)[GMV]
    return Trial(
        seed=seed,
        users=world.users.height,
        mechanism=name,
        value=value,
        seen=best,
        promised=promise.value,
        inside=promise.low <= value <= promise.high,
        seconds=time.perf_counter() - start,
    )


def run(seeds: Sequence[int], names: Sequence[str], *, users: int, out: Path | None) -> list[Trial]:
    """Every world with everything on, then with each mechanism off; appended to `out` as they come."""
    done: list[Trial] = []
    for seed in seeds:
        world = simulate("random", users=users, seed=seed)
        best = seen(world.truth, budget_cny=float(world.campaign["budget_cny"])).value[GMV]  # type: ignore[arg-type]
        try:
            usual = fitted(world, seed)
        except TargetingError as refusal:
            print(f"{seed} refused: {refusal}", flush=True)
            continue
        for name in (ALL_ON, *names):
            try:
                trial = attempt(world, seed, name, best=best, usual=usual)
            except TargetingError as refusal:
                print(f"{seed} {name}: refused: {refusal}", flush=True)
                continue
            done.append(trial)
            print(f"{seed:>5} {name:<18}{trial.value / trial.seen:7.3f} {trial.seconds:6.1f} s", flush=True)
            if out:
                with out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(trial)) + "\n")
    return done


def changes(trials: Sequence[Trial], name: str) -> dict[str, tuple[float, float]]:
    """Mean of (off - on) over worlds and its standard error, by column of the table."""
    on = {t.seed: t for t in trials if t.mechanism == ALL_ON}
    pairs = [(t, on[t.seed]) for t in trials if t.mechanism == name and t.seed in on]
    columns = {
        "value": [100 * (off.value - usual.value) / usual.seen for off, usual in pairs],
        "promise": [_miss(off) - _miss(usual) for off, usual in pairs],
        "inside": [float(off.inside) - float(usual.inside) for off, usual in pairs],
    }
    count = max(len(pairs), 1)
    return {
        column: (float(np.mean(x)), float(np.std(x, ddof=1) / np.sqrt(count)) if count > 1 else float("nan"))
        for column, x in columns.items()
    }


def _miss(trial: Trial) -> float:
    return abs(float(np.log(max(trial.promised, 1e-9) / max(trial.value, 1e-9))))


def print_table(trials: Sequence[Trial]) -> None:
    """One row per mechanism, as Markdown."""
    usual = [t for t in trials if t.mechanism == ALL_ON]
    values, misses = [t.value / t.seen for t in usual], [_miss(t) for t in usual]
    print(f"{len(usual)} worlds, all on: value / seen {np.median(values):.3f} (median),", end=" ")
    print(f"|log(promised / true)| {np.mean(misses):.3f}, inside {np.mean([t.inside for t in usual]):.2f}\n")
    print("| off | what | worlds | value, points | promise | inside |")
    print("|---|---|---|---|---|---|")
    for name, mechanism in MECHANISMS.items():
        count = sum(t.mechanism == name for t in trials)
        if not count:
            continue
        found = changes(trials, name)
        told = [f"{found[c][0]:+.{d}f} ± {found[c][1]:.{d}f}" for c, d in (("value", 2), ("promise", 3))]
        told.append(f"{found['inside'][0]:+.2f}")
        print(f"| {name} | {mechanism.sentence} | {count} | {' | '.join(told)} |")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Every mechanism of the learner switched off in turn.")
    parser.add_argument("--seeds", default="100-109", help="from-to")
    parser.add_argument("--users", type=int, default=8_000)
    parser.add_argument("--mechanisms", default="all", help="comma-separated names, or all")
    parser.add_argument("--out", type=Path, help="append every trial as a JSON line")
    parser.add_argument("--table", type=Path, nargs="+", help="print the table of saved trials instead")
    given = parser.parse_args()
    if given.table:
        lines = [line for path in given.table for line in path.read_text("utf-8").splitlines()]
        print_table([Trial(**json.loads(line)) for line in lines])
        return
    first, last = (int(x) for x in given.seeds.split("-"))
    names = list(MECHANISMS) if given.mechanisms == "all" else given.mechanisms.split(",")
    print_table(run(range(first, last + 1), names, users=given.users, out=given.out))


if __name__ == "__main__":
    main()
