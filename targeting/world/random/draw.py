"""Draws a world: which mechanisms it has, then their numbers, then its people.

Ranges are wider than any one merchant's; levels are such that the median world of 40,000 people has about as
many follows and buyers in its logs as the named ones. The mechanisms follow from the seed alone. It must not
import anything of the project but its siblings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from targeting.world.kinds import FEWEST_PEOPLE, RANDOM, Buying, Kind
from targeting.world.people import People
from targeting.world.random.behaviour import FORMS, Behaviour, draw_fans, draw_people
from targeting.world.random.features import draw_known
from targeting.world.supply import Hill, Log, Power, PriceShape, draw_landscape

SUPPLIES = ("power", "log", "hill", "auction")
AUDIENCES = ("all", "segments", "packs", "lookalike")
RHYTHM_NAMES = ("steady", "ordinary", "bursts", "returns")
MECHANISMS_STREAM, PEOPLE_STREAM = 1, 2
PEOPLE = (3_000, 200_000)


def draw_world(seed: int, users: int | None) -> tuple[Kind, People, np.ndarray]:
    """(kind, people, who is a fan) of the world `seed`, of so many users or of its own number."""
    rng = np.random.default_rng([seed, MECHANISMS_STREAM])
    kind, how, columns = draw_kind(rng)
    rng = np.random.default_rng([seed, PEOPLE_STREAM])
    people_count = kind.people if users is None else max(FEWEST_PEOPLE, users)
    known = draw_known(rng, people_count, **columns)
    people = draw_people(rng, known, kind, how)
    return kind, people, draw_fans(rng, people, how)


def _one(rng: np.random.Generator, names: Sequence[str]) -> str:
    return str(names[int(rng.integers(len(names)))])


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """Evenly on a log scale."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _pair(rng: np.random.Generator, low: float, high: float) -> tuple[float, float]:
    return _between(rng, low, high), _between(rng, low, high)


def draw_kind(rng: np.random.Generator) -> tuple[Kind, Behaviour, dict[str, int]]:
    """(kind, behaviour, what `draw_known` is asked for)."""
    nobody_differs = bool(rng.random() < 0.07)
    supply = _one(rng, SUPPLIES)
    capped, room = bool(rng.random() < 0.25), bool(rng.random() < 0.25)
    intent_sd = float(rng.choice([0.0, 0.3, 0.6, 1.0], p=[0.25, 0.3, 0.25, 0.2]))
    tail = "pareto" if rng.random() < 0.3 else "log-normal"
    coin = float(rng.choice([0.0, 0.01, 0.03, 0.08], p=[0.2, 0.25, 0.3, 0.25]))
    days = int(rng.choice([12, 21, 28, 42], p=[0.15, 0.2, 0.45, 0.2]))
    budget_days = _between(rng, 0.2, 30.0)
    buying = _draw_buying(rng)
    how, columns = _draw_behaviour(rng)
    drift = bool(rng.random() < 0.35)
    plain = nobody_differs
    kind = Kind(
        name=RANDOM,
        sentence="A merchant whose every mechanism was drawn.",
        differs=0.0 if nobody_differs else 1.0,
        intent_sd=0.0 if plain else intent_sd,
        intent_delivery=float(rng.uniform(0.0, 0.7)) * (intent_sd > 0) * (not plain),
        quick_shares=(float(rng.uniform(0.05, 0.5)), float(rng.uniform(0.05, 0.25))),
        tail_days=_between(rng, 2.0, 15.0),
        amount_sd=float(rng.uniform(0.4, 1.2)),
        pareto_alpha=float(rng.uniform(1.7, 2.8)) if tail == "pareto" else None,
        explore_share=coin,
        shape=_draw_shape(rng, supply),
        even_spread=False,
        cap=int(rng.integers(1, 5)) if capped and not plain else None,
        room_share=_between(rng, 0.004, 0.05) if room and not plain else None,
        drift_hazard=(float(rng.uniform(-0.4, 0.2)), float(rng.uniform(-0.4, 0.2))) if drift else (0.0, 0.0),
        drift_price=float(rng.uniform(-0.1, 0.3)) if drift else 0.0,
        festival_price=2.0 if rng.random() < 0.15 and days > 20 else 1.0,
        weekly=float(rng.choice([0.0, 0.05, 0.15])),
        season=float(rng.choice([0.0, 0.1, 0.2])),
        history_days=days,
        horizon_days=_horizon_days(rng, days),
        repeats=float(rng.choice([0.0, 0.25, 1.0, 2.5])),
        refund_full=float(rng.choice([0.0, 0.1, 0.25])),
        refund_half=float(rng.choice([0.0, 0.05])),
        refund_days=_between(rng, 1.0, 8.0),
        fan_vigour=float(rng.uniform(0.1, 1.2)),
        intent_buy=float(rng.uniform(0.0, 1.2)),
        intent_organic=float(rng.uniform(0.0, 1.5)),
        budget_days=(budget_days, budget_days),
        buying=buying,
        people=round(_between(rng, *PEOPLE)),
    )
    return _named(kind, how, supply, columns), how, columns


def _horizon_days(rng: np.random.Generator, days: int) -> int:
    """A week, a fortnight or a month, mostly the longest that the logs can show."""
    possible = [h for h in (7, 14, 30) if h <= 1.1 * days]
    return possible[-1] if rng.random() < 0.5 else int(rng.choice(possible))


def _draw_shape(rng: np.random.Generator, supply: str) -> PriceShape:
    if supply == "power":
        return Power(_between(rng, 0.5, 5.0))
    if supply == "log":
        return Log(_between(rng, 0.25, 1.0))
    if supply == "hill":
        return Hill(float(rng.uniform(0.65, 1.0)))
    return draw_landscape(rng)


def _draw_buying(rng: np.random.Generator) -> Buying:
    return Buying(
        audiences=_one(rng, AUDIENCES),
        favour=float(rng.choice([0.0, 0.3, 0.7])),
        rhythm=_one(rng, RHYTHM_NAMES),
        pressure=_pair(rng, 0.05, 0.2),
        test_share=float(rng.choice([0.0, 0.2, 0.4])),
    )


def _draw_behaviour(rng: np.random.Generator) -> tuple[Behaviour, dict[str, int]]:
    forms = tuple(str(f) for f in rng.permutation(FORMS)[: rng.integers(1, 4)])
    levels = int(_between(rng, 40, 1200)) if "category" in forms and rng.random() < 0.75 else 0
    how = Behaviour(
        forms=forms,
        follow_sd=(float(rng.uniform(0.2, 0.9)), float(rng.uniform(0.2, 0.9))),
        buy_sd=float(rng.uniform(0.2, 1.3)),
        steep=bool(rng.random() < 0.4),
        likes_buyers=(float(rng.uniform(-0.7, 0.5)), float(rng.uniform(-0.4, 0.8))),
        follow=_pair(rng, 0.004, 0.025),
        buy=_between(rng, 0.03, 0.15),
        warmth=(float(rng.uniform(0.5, 1.2)), float(rng.uniform(0.7, 1.6))),
        amount_cny=_between(rng, 40, 900),
        amount_sd=float(rng.uniform(0.0, 0.6)),
        price_cny=(_between(rng, 0.03, 0.12), _between(rng, 0.1, 0.5)),
        price_sd=float(rng.uniform(0.0, 0.3)),
        capacity=(_between(rng, 0.8, 4.0), _between(rng, 0.4, 2.0)),
        activity_sd=float(rng.uniform(0.0, 1.2)),
        organic_follow=_between(rng, 1e-4, 3e-3),
        organic_share=_between(rng, 0.01, 1.0),
        organic_like=float(rng.uniform(-0.2, 0.9)),
        fan_share=float(rng.uniform(0.02, 0.3)),
        content_pull=float(rng.uniform(0.0, 2.0)),
    )
    return how, {"crowded_levels": levels, "numbers": int(rng.integers(6, 15))}


def _named(kind: Kind, how: Behaviour, supply: str, columns: dict[str, int]) -> Kind:
    """The kind with what was drawn in words, for tables."""
    differs = kind.differs > 0
    said = {
        "supply": supply,
        "cap": str(kind.cap or "none"),
        "room": "fills" if kind.room_share else "none",
        "audiences": kind.buying.audiences,
        "rhythm": kind.buying.rhythm,
        "favour": f"{kind.buying.favour:.1f}",
        "forms": "+".join(how.forms) if differs else "nobody differs",
        "levels": str(columns["crowded_levels"]),
        "steep": "S-shaped" if how.steep else "log-linear",
        "intent": f"{kind.intent_sd:.1f}/{kind.intent_buy:.1f}/{kind.intent_organic:.1f}",
        "intent_delivery": f"{kind.intent_delivery:.2f}",
        "anyway": f"{how.organic_share:.2f}",
        "amounts": "pareto" if kind.pareto_alpha else "log-normal",
        "repeats": f"{kind.repeats:g}",
        "refunds": f"{1 - kind.kept_share:.2f}",
        "tail_days": f"{kind.tail_days:.0f}",
        "coin": f"{kind.explore_share:g}",
        "drift": f"{kind.drift_hazard[0]:+.1f}/{kind.drift_hazard[1]:+.1f}/{kind.drift_price:+.1f}",
        "season": f"{kind.weekly:g}/{kind.season:g}",
        "fans": f"{how.fan_share:.2f}^{how.content_pull:.1f}",
        "days": f"{kind.history_days}/{kind.horizon_days}",
        "budget_days": f"{kind.budget_days[0]:.2g}",
        "people": str(kind.people),
    }
    return replace(kind, mechanisms=said)
