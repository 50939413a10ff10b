"""On how many people a unit's money was spread. In: impressions, reach, who was shown often. Out: audiences.

A campaign's audience on a day is unknown: reach counts only those who were shown at least once. What can be
counted without the others are *pairs*: sum n (n - 1) over people, and the crowd n (N - 1), where N is what
all campaigns showed that person in that placement on that day. Where person u is shown Poisson(lambda k_u)
times, k of mean 1 and E[k^2] = h,

    sum n (N - 1) / sum n = h lambda        (zeros count for nothing on either side)
    reached / audience = 1 - (1 + (h - 1) lambda)^(-1 / (h - 1))     for gamma k: negative binomial counts

The first gives pressure, overlapping campaigns added up; the second the unevenness h of each placement, and
pressure where only reach is known. Unevenness is people's activity, or campaigns that press some harder than
others: only of the former is a pressure to be cleared, the latter *is* pressure. Half of log h is taken for
activity. A few pairs say little, so pressures are pooled: over the days of a campaign in a segment, whose
audience is taken to stay while its money changes, as far as the days' own pairs do not speak against it.

It must not import anything above numpy and the settings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.arrays import BoolArray, FloatArray, IntArray
from models.supply.settings import SUPPLY


def pairs_of_reach(shown: FloatArray, reached: FloatArray) -> FloatArray:
    """Pairs that the mean frequency of the people reached implies, at the usual unevenness."""
    h = 1.0 + SUPPLY.unevenness
    pressure = np.geomspace(1e-4, 300.0, 2000)
    frequency = pressure / share_reached(pressure, h)
    seen = shown / np.maximum(reached, 1e-9)
    return np.asarray(shown * h * np.where(reached > 0, np.interp(seen, frequency, pressure), np.nan))


def share_reached(pressure: FloatArray, unevenness: float) -> FloatArray:
    """Share of an audience that is shown at least once at `pressure` impressions a head."""
    k = unevenness - 1.0
    return np.asarray(-np.expm1(-np.log1p(k * pressure) / k))


@dataclass(frozen=True)
class Counts:
    """What is counted of every unit, (n_units,).

    Attributes:
        shown, reached: impressions, people shown to.
        pairs, crowd: sums n (n - 1) and n (N - 1).
        ever, ever_pairs: people shown to by the group on any day, and pairs over all its days; NaN where
            people cannot be told apart from day to day.
        group: the campaign in its segment and placement.
        buy: the campaign in its placement on that day: one purchase, whatever segments it met.
        market: the placement on that day.
        place: the placement.
    """

    shown: FloatArray
    reached: FloatArray
    pairs: FloatArray
    crowd: FloatArray
    ever: FloatArray
    ever_pairs: FloatArray
    group: IntArray
    buy: IntArray
    market: IntArray
    place: IntArray

    def unlimited(self, limited: BoolArray) -> Counts:
        """The pairs that there would be where the platform stops at some number of showings a day.

        A limit takes pairs out of a day and leaves those of different days as they are: they stand for them,
        and the crowd grows as the pairs of its placement do.

        Args:
            limited: (n_units,) whether a limit holds there.
        """
        total, square = _sum_by(self.group, self.shown), _sum_by(self.group, self.shown**2)
        across = (self.ever_pairs - _sum_by(self.group, self.pairs)) / np.maximum(total**2 - square, 1e-12)
        known = limited & (across > 0)
        pairs = np.where(known, across * self.shown**2, self.pairs)
        grown = np.maximum(
            _ratio(self.place, np.where(known, pairs, 0.0), np.where(known, self.pairs, 0.0)), 1.0
        )
        met = self.crowd - self.pairs
        return replace(self, pairs=pairs, crowd=pairs + np.where(known, grown, 1.0) * met)

    def audiences(self, size: FloatArray) -> FloatArray:
        """People that each unit's money was spread over, (n_units,): its impressions over their pressure.

        Args:
            size: People of the segment, (n_units,): the audience is never larger. Infinite where unknown.
        """
        expected = _two_way(self.shown, self.group, self.buy)
        shown = expected * _kept(self.shown, expected, noise=1.0)
        effective = self._effective(size)
        own = shown / effective
        own = own * _kept(self.pairs, self.shown * own, noise=2.0)
        rivals = _sum_by(self.market, self.shown) - _sum_by(self.buy, self.shown)
        met = np.maximum(self.crowd - self.pairs, 0.0)
        others = rivals * _ratio(self.group, met, self.shown * rivals)
        others = others * _kept(met, self.shown * others, noise=2.0)
        uneven = self._unevenness(effective)
        return np.asarray(np.minimum(self.shown * uneven / (own + others), size))

    def _unevenness(self, effective: FloatArray) -> FloatArray:
        """h of people's activity on one day for each unit, (n_units,), from those whom a campaign showed.

        Over all its days a campaign reaches most of its audience, and what is still missing depends little on
        the form of the activity. That its audience is larger than `effective` h says who was away on a day.
        """
        h = np.full(len(self.shown), 1.0 + SUPPLY.unevenness)
        first = np.unique(self.group, return_index=True)[1]
        first = first[np.isfinite(self.ever[first]) & (self.ever_pairs[first] > 0)]
        total = _sum_by(self.group, self.shown)
        for j in np.unique(self.place):
            at = first[self.place[first] == j]
            if not len(at):
                continue
            whole = total[at] ** 2 / self.ever_pairs[at]
            away = np.average(
                np.log(whole / effective[at]), weights=_sum_by(self.group, self.pairs)[at] + 1.0
            )
            stable = unevenness(total[at], self.ever[at], whole, self.ever_pairs[at])
            h[self.place == j] = stable**SUPPLY.activity_share * np.exp(
                np.clip(away, 0.0, np.log(SUPPLY.most_away))
            )
        return h

    def _effective(self, size: FloatArray) -> FloatArray:
        """Audience over h of each group: impressions^2 over pairs; without pairs like its placement's."""
        square = self.shown**2
        usual = size / np.maximum(_ratio(self.place, self.pairs, square / size), 1.0)
        own = np.maximum(_ratio(self.group, square, self.pairs), self.shown)
        prior = np.where(np.isfinite(size), usual, own)
        expected = _sum_by(self.group, square / prior) + SUPPLY.pairs
        return np.asarray(prior * expected / (_sum_by(self.group, self.pairs) + SUPPLY.pairs))


def _sum_by(group: IntArray, values: FloatArray) -> FloatArray:
    """(n_units,) sum over the unit's group."""
    return np.asarray(np.bincount(group, values)[group])


def _ratio(group: IntArray, top: FloatArray, bottom: FloatArray) -> FloatArray:
    """(n_units,) sum of `top` over sum of `bottom` in the unit's group; 0 where that is 0."""
    below = _sum_by(group, bottom)
    return np.where(below > 0, _sum_by(group, top) / np.where(below > 0, below, 1.0), 0.0)


def _two_way(shown: FloatArray, group: IntArray, buy: IntArray) -> FloatArray:
    """Impressions of each unit if every purchase of a campaign met its segments in the same proportions."""
    return _sum_by(buy, shown) * _ratio(group, shown, _sum_by(buy, shown))


def _kept(count: FloatArray, expected: FloatArray, *, noise: float) -> FloatArray:
    """What of count / expected is more than the chance of counting, whose variance is `noise` x expected.

    A pressure taken from few showings is wrong by chance, and a price regressed on it looks flatter than it
    is (errors in variables). The posterior mean of a gamma ratio whose variance is what all units show beyond
    chance: near 1 where audiences stay the same from day to day, the count's own where they do not.
    """
    excess = ((count - expected) ** 2 - noise * expected).sum() / max((expected**2).sum(), 1e-12)
    trust = noise / min(max(excess, 1e-4), 4.0)
    return np.asarray((count + trust) / (expected + trust))


def unevenness(shown: FloatArray, reached: FloatArray, effective: FloatArray, pairs: FloatArray) -> float:
    """The h under which the audiences `effective` h were reached as they were, drawn to a prior.

    Reach falls behind impressions by repeated showings; that it falls less than pairs say is unevenness. The
    first order, half the pairs, is the same for every h, so its noise is what the reach is judged against.
    """
    grid = 1.0 + np.geomspace(0.02, 8.0, 60)
    noise = np.hypot(0.7 * np.sqrt(max(pairs.sum(), 1.0)), SUPPLY.reach_error * shown.sum())
    cost = []
    for h in grid:
        audience = effective * h
        missed = (reached - audience * share_reached(shown / audience, h)).sum() / noise
        far = np.log((h - 1.0) / SUPPLY.unevenness) / SUPPLY.unevenness_sd
        cost.append(missed**2 + far**2)
    return float(grid[int(np.argmin(cost))])
