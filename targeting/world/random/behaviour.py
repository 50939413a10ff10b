"""How a drawn merchant's people behave: scores of drawn forms, and the rates that they make.

A score is a sum of terms of one or more forms - additive, interactions of two or three, thresholds, U-shapes,
levels of a category - scaled to sd 1. Rates are log-linear or S-shaped in scores. It must not import anything
of the project but its siblings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from targeting.world.kinds import Kind
from targeting.world.people import People, follow_lift
from targeting.world.random.features import Known
from targeting.world.supply import FloatArray

FORMS = ("additive", "interactions", "thresholds", "u-shapes", "category")


@dataclass(frozen=True)
class Behaviour:
    """Parameters of behaviour; pairs are (video, live).

    Attributes:
        forms: the forms that scores are made of, the first one leading.
        follow_sd, buy_sd: sd of log rates over people; steep: buying is S-shaped in its score.
        likes_buyers: correlation of the score of following with that of buying.
        follow, buy, warmth: mean rates; how much more fans of a placement buy.
        amount_cny, amount_sd: mean order and its sd (log) over people.
        price_cny, price_sd: mean price, and how dearer the worthy are (log per sd).
        capacity, activity_sd: impressions a day and their sd (log), half of it not in the features.
        organic_follow: a day; organic_share: orders that come anyway over the horizon per order of a new fan.
        organic_like: correlation of who buys anyway with who buys as a fan.
        fan_share, content_pull: fans, and how strongly they were won by content (power of following video).
    """

    forms: tuple[str, ...]
    follow_sd: tuple[float, float]
    buy_sd: float
    steep: bool
    likes_buyers: tuple[float, float]
    follow: tuple[float, float]
    buy: float
    warmth: tuple[float, float]
    amount_cny: float
    amount_sd: float
    price_cny: tuple[float, float]
    price_sd: float
    capacity: tuple[float, float]
    activity_sd: float
    organic_follow: float
    organic_share: float
    organic_like: float
    fan_share: float
    content_pull: float


def draw_score(rng: np.random.Generator, known: Known, forms: tuple[str, ...]) -> FloatArray:
    """A score of everybody, mean 0 and sd 1: half of its variance of the leading form."""
    total = np.zeros(known.table.height)
    for i, form in enumerate(forms):
        term = _scaled(_TERMS[form](rng, known))
        total += term * np.sqrt(0.5 if i == 0 and len(forms) > 1 else 1.0 / max(len(forms), 1))
    return _scaled(total)


def _scaled(x: FloatArray) -> FloatArray:
    sd = float(x.std())
    return np.asarray((x - x.mean()) / sd if sd > 1e-9 else np.zeros(len(x)))


def _some(rng: np.random.Generator, known: Known, most: int) -> list[FloatArray]:
    names = list(known.signal)
    chosen = rng.choice(len(names), min(most, len(names)), replace=False)
    return [known.signal[names[i]] for i in chosen]


def _weights(rng: np.random.Generator, size: int) -> FloatArray:
    return np.asarray(rng.choice([-1.0, 1.0], size) * rng.uniform(0.4, 1.0, size))


def _additive(rng: np.random.Generator, known: Known) -> FloatArray:
    parts = _some(rng, known, 5)
    return np.asarray(_weights(rng, len(parts)) @ np.stack(parts))


def _interactions(rng: np.random.Generator, known: Known) -> FloatArray:
    """Products of two, and of three where one decides by its sign."""
    total = np.zeros(known.table.height)
    for weight in _weights(rng, 3):
        a, b, c = (_some(rng, known, 3) * 3)[:3]
        total += weight * (a * b if rng.random() < 0.6 else np.maximum(a, 0.0) * b * np.sign(c))
    return total


def _thresholds(rng: np.random.Generator, known: Known) -> FloatArray:
    parts = np.stack(_some(rng, known, 4))
    cuts = rng.uniform(-0.7, 1.3, len(parts))
    return np.asarray(_weights(rng, len(parts)) @ (parts > cuts[:, None]))


def _u_shapes(rng: np.random.Generator, known: Known) -> FloatArray:
    parts = np.stack(_some(rng, known, 3))
    tops = rng.uniform(-0.8, 0.8, len(parts))
    return np.asarray(_weights(rng, len(parts)) @ np.exp(-((parts - tops[:, None]) ** 2)))


def _category(rng: np.random.Generator, known: Known) -> FloatArray:
    """Levels of the crowded category where there is one, of two others otherwise."""
    names = [known.crowded] if known.crowded else list(rng.permutation(list(known.level))[:2])
    total = np.zeros(known.table.height)
    for name in names:
        code = known.level[str(name)]
        total += rng.normal(size=int(code.max()) + 1)[code]
    return total


_TERMS = {
    "additive": _additive,
    "interactions": _interactions,
    "thresholds": _thresholds,
    "u-shapes": _u_shapes,
    "category": _category,
}


def _mixed(a: FloatArray, b: FloatArray, correlation: float) -> FloatArray:
    return _scaled(correlation * a + np.sqrt(1.0 - correlation**2) * b)


def _lognormal(mean: float, sd: float, score: FloatArray, highest: float) -> FloatArray:
    """Rates of this mean over people, none above `highest`."""
    rate = np.exp(sd * score)
    return np.asarray(np.minimum(mean * rate / rate.mean(), highest))


def draw_people(rng: np.random.Generator, known: Known, kind: Kind, how: Behaviour) -> People:
    """Everybody of a drawn world."""
    n = known.table.height
    buyer, content, goods, wealth, activity, shopper = (
        kind.differs * draw_score(rng, known, how.forms) for _ in range(6)
    )
    leaning = (_mixed(buyer, content, how.likes_buyers[0]), _mixed(buyer, goods, how.likes_buyers[1]))
    follow = np.column_stack(
        [_lognormal(how.follow[j], how.follow_sd[j], leaning[j], 0.15) for j in range(2)]
    )
    likely = 1 / (1 + np.exp(-2.5 * (buyer - 1.2))) + 0.02 if how.steep else np.exp(how.buy_sd * buyer)
    buy = np.minimum((how.buy * likely / likely.mean())[:, None] * np.array(how.warmth), 0.6)
    hidden = 0.5 * how.activity_sd * kind.differs
    capacity = np.column_stack(
        [how.capacity[j] * np.exp(hidden * (activity + rng.normal(size=n))) * np.ones(n) for j in range(2)]
    )
    price = np.column_stack(
        [how.price_cny[j] * np.exp(how.price_sd * (0.7 * wealth + 0.3 * leaning[j])) for j in range(2)]
    )
    if kind.differs == 0.0:  # the same follows and worth per yuan in both placements: nothing to choose
        buy[:, 1] = buy[:, 0]
        follow[:, 1] = follow[:, 0] * price[:, 1] / price[:, 0]
        capacity[:, 1] = capacity[:, 0] * price[:, 0] / price[:, 1]
    intent = rng.normal(size=n)
    lift, buy_lift, organic_lift = (
        follow_lift(kind, intent, w) for w in (1.0, kind.intent_buy, kind.intent_organic)
    )
    enter = np.maximum(_lognormal(rng.uniform(0.06, 0.2), 0.4, activity, 0.6), 2.0 * follow[:, 1])
    anyway = how.organic_share * float(buy.mean()) / kind.horizon_days
    return People(
        features=known.table,
        follow_given_features=follow,
        follow=np.minimum(follow * lift[:, None], 0.6),
        enter=np.minimum(enter * lift, 0.95),
        buy_given_features=buy,
        buy=np.minimum(buy * buy_lift[:, None], 0.9),
        amount_cny=_lognormal(how.amount_cny, how.amount_sd * kind.differs, wealth, np.inf),
        capacity=capacity,
        price_cny=price,
        organic_follow=organic_lift * _lognormal(how.organic_follow, 0.4 * kind.differs, leaning[0], 0.05),
        organic_orders=organic_lift
        * _lognormal(anyway, 0.8 * kind.differs, _mixed(buyer, shopper, how.organic_like), 0.2),
        intent=intent,
    )


def draw_fans(rng: np.random.Generator, people: People, how: Behaviour) -> np.ndarray:
    """(n,) bool: fans before the window, won by content: the likelier to follow a video, the likelier in."""
    n = len(people.intent)
    luck = how.content_pull * np.log(people.follow_given_features[:, 0]) + rng.gumbel(size=n)
    fans = np.zeros(n, bool)
    fans[np.argsort(-luck)[: max(1, round(how.fan_share * n))]] = True
    return fans
