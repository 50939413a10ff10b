"""Whom past campaigns were aimed at: everybody, shares of the people, overlapping rule packs, lookalikes.

An audience is a set of people with a relative pressure on each, and the days on which it runs. It must not
import anything of the project but its siblings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from targeting.world.kinds import PLACEMENTS, Kind
from targeting.world.people import People
from targeting.world.showings import Showing
from targeting.world.supply import FloatArray

PACKS = (3, 7)  # fewest and most rule packs of a placement
CONCENTRATION = 0.7  # a campaign for the share q of people presses them q^-0.7 times as hard as one for all


@dataclass(frozen=True)
class Audience:
    """One standing campaign.

    Attributes:
        placement: 0 (video) or 1 (live).
        weight: relative pressure on everybody, 0 outside, (n,).
        days: whether it runs, (history_days,).
    """

    name: str
    placement: int
    weight: FloatArray
    days: NDArray[np.bool_]


def broad_audiences(people: People, kind: Kind) -> list[Audience]:
    """One campaign a placement for everybody: the platform shows to whom it expects to follow and to buy."""
    favour = _favour(people, kind)
    always = np.ones(kind.history_days, bool)
    return [Audience(name, j, favour[:, j], always) for j, name in enumerate(PLACEMENTS)]


def draw_audiences(rng: np.random.Generator, people: People, kind: Kind) -> list[Audience]:
    """The standing campaigns of a kind."""
    broad = broad_audiences(people, kind)
    how = kind.buying.audiences
    if how == "all":
        return broad
    found: list[Audience] = []
    for one in broad:
        for number, inside in enumerate(_SETS[how](rng, people, kind, one.placement)):
            share = max(float(inside.mean()), 0.01)
            press = rng.lognormal(0.0, 0.4) * share**-CONCENTRATION
            if how == "packs":
                press *= 0.5  # about two of them reach each person
            runs = rng.random(kind.history_days) < (0.7 if how == "packs" else 1.0)
            name = f"{how}-{number + 1}-{one.name}"
            found.append(Audience(name, one.placement, press * one.weight * inside, runs))
    return found


def pressures(
    audiences: Sequence[Audience], level: FloatArray, *, day: int, emphasis: FloatArray
) -> FloatArray:
    """Summed pressure (n, 2) of the campaigns that run on `day`, at `level` (2,) a placement."""
    total = np.zeros((len(audiences[0].weight), 2))
    for one, extra in zip(audiences, emphasis, strict=True):
        if one.days[day]:
            total[:, one.placement] += one.weight * level[one.placement] * extra
    return total


def split_rows(
    rng: np.random.Generator, rows: Showing, audiences: Sequence[Audience], *, day: int, emphasis: FloatArray
) -> Showing:
    """The rows of a day, one per campaign: impressions fall to campaigns in proportion to their pressure.

    The experiment's rows keep campaign -1. One impression of the row, drawn evenly, led to its follow.
    """
    own = (rows.placement < 2) & ~rows.randomized
    if len(audiences) == 2:  # a campaign a placement: nothing to split
        return replace(rows, campaign=np.where(own, rows.placement, -1))
    parts = [_taken(rows, np.flatnonzero(~own))]
    for j in range(2):
        mine = [(i, a) for i, a in enumerate(audiences) if a.placement == j and a.days[day]]
        usual = _taken(rows, np.flatnonzero(own & (rows.placement == j)))
        if len(mine) == 1:
            parts.append(replace(usual, campaign=np.full(len(usual.user), mine[0][0])))
        elif mine:
            weight = np.column_stack([a.weight[usual.user] * emphasis[i] for i, a in mine])
            parts.append(_shared_out(rng, usual, weight, np.array([i for i, _ in mine])))
    return _joined(parts)


def _shared_out(
    rng: np.random.Generator, rows: Showing, weight: FloatArray, index: NDArray[np.int64]
) -> Showing:
    """Rows split by `weight` (rows, campaigns)."""
    share = weight / weight.sum(axis=1, keepdims=True)
    counts = rng.multinomial(rows.impressions, share)
    luckiest = counts.cumsum(axis=1) > (rng.random(len(counts)) * rows.impressions)[:, None]
    first = luckiest.argmax(axis=1)
    row, column = np.nonzero(counts)
    part = counts[row, column] / rows.impressions[row]
    chosen = column == first[row]
    split = _taken(rows, row)
    return replace(
        split,
        impressions=counts[row, column],
        cost_cny=split.cost_cny * part,
        entered=split.entered & chosen,
        followed=split.followed & chosen,
        campaign=index[column],
    )


def _taken(rows: Showing, index: NDArray[np.int64]) -> Showing:
    return Showing(*(getattr(rows, name)[index] for name in Showing.__dataclass_fields__))


def _joined(parts: Sequence[Showing]) -> Showing:
    return Showing(*(np.concatenate([getattr(p, f) for p in parts]) for f in Showing.__dataclass_fields__))


def _favour(people: People, kind: Kind) -> FloatArray:
    """(n, 2) relative pressure, mean 1: the platform shows to whom it expects to follow and to buy."""
    worth = _likely_worth(people)
    weight = np.exp(
        kind.buying.favour * np.clip(worth, -2.5, 2.5) + kind.intent_delivery * people.intent[:, None]
    )
    pressure: FloatArray = weight / weight.mean(axis=0)
    return pressure


def _likely_worth(people: People) -> FloatArray:
    """(n, 2) standardised log of likely follows and purchases."""
    worth = np.log(people.follow_given_features) + 0.5 * np.log(people.buy_given_features)
    return np.asarray((worth - worth.mean(axis=0)) / np.maximum(worth.std(axis=0), 1e-9))


def _segment_sets(
    rng: np.random.Generator, people: People, kind: Kind, placement: int
) -> list[NDArray[np.bool_]]:
    """Disjoint sets that are everybody: two rules crossed."""
    one, two = _rule(rng, people), _rule(rng, people)
    return [s for s in (one & two, one & ~two, ~one & two, ~one & ~two) if s.any()]


def _pack_sets(
    rng: np.random.Generator, people: People, kind: Kind, placement: int
) -> list[NDArray[np.bool_]]:
    """Rule packs of one to three rules that overlap, and one broad pack that leaves nobody out."""
    sets = [np.ones(len(people.intent), bool)]
    for _ in range(rng.integers(*PACKS)):
        inside = np.ones(len(people.intent), bool)
        for _ in range(rng.integers(1, 4)):
            narrower = inside & _rule(rng, people)
            inside = narrower if narrower.mean() > 0.02 else inside
        sets.append(inside)
    return sets


def _lookalike_sets(
    rng: np.random.Generator, people: People, kind: Kind, placement: int
) -> list[NDArray[np.bool_]]:
    """Everybody, and the tenth to third that looks most like buyers, seen through noise."""
    looks = _likely_worth(people)[:, placement] + rng.normal(size=len(people.intent))
    share = rng.uniform(0.1, 0.35)
    return [np.ones(len(looks), bool), looks >= np.quantile(looks, 1.0 - share)]


_SETS = {"segments": _segment_sets, "packs": _pack_sets, "lookalike": _lookalike_sets}


def _rule(rng: np.random.Generator, people: People) -> NDArray[np.bool_]:
    """Whom one rule on one observed feature lets in: a level or two of a category, a side of a number."""
    column = people.features.to_series(int(rng.integers(people.features.width)))
    if column.dtype.is_numeric():
        cut = column.quantile(float(rng.uniform(0.25, 0.75)))
        side = column >= cut if rng.random() < 0.6 else column <= cut
        return side.fill_null(False).to_numpy()
    text = column.cast(pl.String)
    levels = text.drop_nulls().unique().sort().to_list()
    some = rng.choice(levels, max(1, round(0.5 * len(levels))), replace=False).tolist()
    return text.is_in(some).fill_null(False).to_numpy()
