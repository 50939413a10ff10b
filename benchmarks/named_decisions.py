"""Plans in the named worlds, one row a world. Run by `benchmarks.decisions`.

Uses the public Python API only (`Planner.fit` -> `audience` -> `plan`); the world's truth judges. Columns of
the table (medians over seeds unless said otherwise):

regret, same  1 - true value / best oracle (64 segments of its own, or the plan's); same: the plan's only
equal, last, roas, plain   share of seeds in which the plan is truly worth more than that split of the money
promised      promised / true expected new-fan GMV
curse         the same over that of the equal split on the same curves, geometric mean: what choosing inflates
inside        share of seeds with the true expected value in the plan's 80 % interval
real          the same for one random realised campaign (buying by chance is not in the interval's meaning)
ece_f, ece_b  expected calibration error of follows and of buying
dec_f, dec_b, dec_g   predicted / true, furthest from 1 over ten groups of as many people each, sorted by the
              prediction (follows, buying, GMV per fan; the last two weighted by true follows)
eq_f, eq_b, eq_g      the same over ten groups of equal predicted follows, buyers, GMV: where the money goes
tot_f, tot_b, tot_g   the same over everybody
gain0         share of seeds where the 80 % interval of the claimed gain over the equal split covers 0
gap, causal, seconds   largest certified gap, share of causal claims, fit and plan time
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl

import targeting as tg
from benchmarks.score_calibration import calibration
from models.errors import TargetingError
from targeting.world import baselines, simulate
from targeting.world.oracle import oracle, oracle_on

BASELINES = ("equal", "last", "roas", "plain")
GMV = "new_fan_gmv_cny"


@dataclass(frozen=True)
class Outcome:
    """One world, one seed, one plan. Money in yuan, values are true expected new-fan GMV."""

    kind: str
    seed: int
    value: float
    oracle: float
    oracle_same: float
    equal: float
    last: float
    roas: float
    plain: float
    promised: float
    promised_equal: float
    low: float
    high: float
    realised: float
    gain_covers_zero: bool
    claims: str
    gap: float
    segments: int
    ece_follow: float
    ece_buy: float
    decile_follow: float
    decile_buy: float
    decile_gmv: float
    events_follow: float
    events_buy: float
    events_gmv: float
    total_follow: float
    total_buy: float
    total_gmv: float
    fit_s: float
    plan_s: float

    @property
    def regret(self) -> float:
        """Share of the best oracle's value that the plan leaves."""
        return 1.0 - self.value / max(self.oracle, self.oracle_same, self.value)


def judge(kind: str, *, seed: int, users: int) -> Outcome:
    """Simulate, fit, plan, and ask the truth.

    Raises:
        TargetingError: the product refused this world.
    """
    world = simulate(kind, users=users, seed=seed)
    brief = dict(world.campaign)
    budget = float(brief["budget_cny"])
    tables = {"users": world.users, "exposures": world.exposures, "orders": world.orders}
    start = time.perf_counter()
    planner = tg.Planner.fit(tables, campaign=brief, as_of=world.as_of, seed=seed)
    fitted = time.perf_counter()
    audience = planner.audience(world.users_now)
    plan = planner.plan(brief, audience)
    planned = time.perf_counter()
    spend = plan.allocation.select("segment", "placement", "slot", "spend_cny")
    truth, segments = world.truth, audience.segments
    everyone = planner.segmenter.assign(planner.model.score(world.users), everyone=True)

    def worth(money: pl.DataFrame) -> float:
        return truth.value(segments, money)[GMV]

    promise = plan.expected[GMV]
    assert promise is not None
    real = truth.realise(segments, spend, rng=np.random.default_rng([seed, 1]))
    return Outcome(
        kind=kind,
        seed=seed,
        value=worth(spend),
        oracle=oracle(truth, budget_cny=budget).value[GMV],
        oracle_same=oracle_on(truth, segments, budget_cny=budget).value[GMV],
        equal=worth(baselines.equal_split(segments, budget_cny=budget)),
        last=worth(baselines.last_plan(world, everyone, budget_cny=budget)),
        roas=worth(baselines.roas_proportional(world, everyone, budget_cny=budget)),
        plain=baselines.plain_response(world, budget_cny=budget).value[GMV],
        promised=promise.value,
        promised_equal=promised_equal(plan),
        low=promise.low,
        high=promise.high,
        realised=incremental_gmv(real.exposures, real.orders),
        gain_covers_zero=gain_covers_zero(plan),
        claims=plan.claims["kind"],
        gap=plan.gap,
        segments=segments["segment"].n_unique(),
        fit_s=fitted - start,
        plan_s=planned - fitted,
        **calibration(world, audience.scores),
    )


def incremental_gmv(exposures: pl.DataFrame, orders: pl.DataFrame) -> float:
    """Net GMV of the new fans after their follow: what an advertising console would report."""
    fans = exposures.filter("followed").select("user_id", "followed_at")
    bought = orders.join(fans, on="user_id").filter(pl.col("ordered_at") > pl.col("followed_at"))
    return float(bought["gmv_cny"].sum() - bought["refund_cny"].sum())


def promised_equal(plan: tg.Plan) -> float:
    """What the plan's own curves promise of the budget split equally over its cells."""
    from targeting.allocation.outcomes import outcomes

    cells = len(plan.market)
    return float(outcomes(plan.market, np.full(cells, plan.budget_cny / cells))["gmv"].sum())


def gain_covers_zero(plan: tg.Plan) -> bool:
    """Whether the 80 % interval (over draws) of the plan's gain over the equal split covers 0."""
    from targeting.allocation.outcomes import outcomes

    market = plan.market
    if market.draws is None:
        return True
    equal = np.full(len(market), plan.spend_cny / len(market))
    ours, theirs = (outcomes(market, s, draw=slice(None))["gmv"] for s in (plan.solution.spend_cny, equal))
    low, high = np.quantile(ours.sum(axis=-1) - theirs.sum(axis=-1), [0.1, 0.9])
    return bool(low <= 0.0 <= high)


def summary(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """One table row for the seeds of one world."""

    def median(values: Sequence[float]) -> float:
        return float(statistics.median(values))

    def share(flags: Sequence[bool]) -> float:
        return sum(flags) / len(flags)

    wins = {name: share([o.value > getattr(o, name) for o in outcomes]) for name in BASELINES}
    return {
        "regret": median([o.regret for o in outcomes]),
        "same": median([1 - o.value / max(o.oracle_same, o.value) for o in outcomes]),
        **wins,
        "promised": median([o.promised / o.value for o in outcomes]),
        "curse": statistics.geometric_mean(
            [o.promised / o.value / (o.promised_equal / o.equal) for o in outcomes]
        ),
        "inside": share([o.low <= o.value <= o.high for o in outcomes]),
        "real": share([o.low <= o.realised <= o.high for o in outcomes]),
        "ece_f": median([o.ece_follow for o in outcomes]),
        "ece_b": median([o.ece_buy for o in outcomes]),
        "dec_f": median([o.decile_follow for o in outcomes]),
        "dec_b": median([o.decile_buy for o in outcomes]),
        "dec_g": median([o.decile_gmv for o in outcomes]),
        "eq_f": median([o.events_follow for o in outcomes]),
        "eq_b": median([o.events_buy for o in outcomes]),
        "eq_g": median([o.events_gmv for o in outcomes]),
        "tot_f": median([o.total_follow for o in outcomes]),
        "tot_b": median([o.total_buy for o in outcomes]),
        "tot_g": median([o.total_gmv for o in outcomes]),
        "gain0": share([o.gain_covers_zero for o in outcomes]),
        "gap": max(o.gap for o in outcomes),
        "causal": share([o.claims == "causal" for o in outcomes]),
        "seconds": median([o.fit_s + o.plan_s for o in outcomes]),
    }


def _print_header(outcomes: Sequence[Outcome]) -> None:
    print(f"{'world':<15}" + " ".join(f"{name:>8}" for name in summary(outcomes)))


def print_named_row(label: str, row: dict[str, float]) -> None:
    """One line of the table."""
    cells = (f"{row[k]:>8.1e}" if k == "gap" else f"{row[k]:>8.3f}" for k in row)
    print(f"{label:<15}" + " ".join(cells), flush=True)


def run(
    kinds: Sequence[str], *, seeds: Sequence[int], users: int, verbose: bool, out: Path | None = None
) -> list[Outcome]:
    """Judge every world, print the table row by row and append every outcome to `out` as it comes."""
    done: list[Outcome] = []
    for kind in kinds:
        found = []
        for seed in seeds:
            try:
                outcome = judge(kind, seed=seed, users=users)
            except TargetingError as refusal:
                print(f"{kind} seed {seed}: refused: {refusal}", flush=True)
                continue
            found.append(outcome)
            if out:
                with out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(outcome)) + "\n")
            if verbose:
                print(json.dumps(asdict(outcome)), file=sys.stderr, flush=True)
        if found:
            if not done:
                _print_header(found)
            print_named_row(kind, summary(found))
            done += found
    return done


def print_table(saved: Sequence[Path]) -> None:
    """The table of outcomes that were saved before."""
    done = [Outcome(**json.loads(line)) for path in saved for line in path.read_text("utf-8").splitlines()]
    _print_header(done)
    for kind in dict.fromkeys(o.kind for o in done):
        print_named_row(kind, summary([o for o in done if o.kind == kind]))
    print_named_row("all", summary(done))
