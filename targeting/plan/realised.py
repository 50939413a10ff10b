"""What will really come of a spend vector, chance included, beside what is expected of it.

The interval of the expectation says what is not known of curves, follow rates and values. One campaign also
has luck: who happens to follow and buy, and for how much (`models.chance`). Both are drawn together:
each joint draw of the market is an expectation, and is realised several times. It must not import cvxpy,
the planner or anything above.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from models.supply.curves import FloatArray
from targeting.allocation.problem import Market, Metric
from targeting.plan.plan_settings import SETTINGS


@dataclass(frozen=True)
class Range:
    """Ends between which a figure lies in four of five campaigns like this one."""

    low: float
    high: float

    def through(self, rising: Callable[[float], float]) -> Range:
        """The range of a rising function of it."""
        return Range(rising(self.low), rising(self.high))


def realised(
    market: Market,
    drawn: Mapping[Metric, FloatArray] | None,
    *,
    unknown: Collection[str],
    levels: tuple[float, float],
) -> dict[str, Range | None]:
    """80 % ranges of the totals new_fans and new_fan_gmv_cny.

    The stream of chance is fixed: the same plan always gets the same range.

    Args:
        market: with its chance; without (supplied curves) nothing is known.
        drawn: (n_draws, n_cells) expectations at the spend, by metric; None without draws.
        unknown: figures that the curves cannot speak of.
        levels: quantiles of the ends.
    """
    nothing: dict[str, Range | None] = {"new_fans": None, "new_fan_gmv_cny": None}
    chance = market.chance
    if chance is None or drawn is None:
        return nothing
    rng = np.random.default_rng(SETTINGS.chance_stream)
    times = -(-SETTINGS.realisations // len(drawn["fans"]))
    fans, gmv = (np.repeat(drawn[metric], times, axis=0) for metric in ("fans", "gmv"))
    day = chance.delivery(fans.shape, rng)
    people = market.users
    found = dict(nothing)
    if "new_fans" not in unknown:
        found["new_fans"] = _range(chance.fans(day * fans, people, rng), levels)
    if "new_fan_gmv_cny" not in unknown and len(chance.buyer_cny):
        found["new_fan_gmv_cny"] = _range(chance.gmv((day * gmv).sum(axis=1), rng), levels)
    return found


def _range(totals: FloatArray, levels: tuple[float, float]) -> Range:
    low, high = np.quantile(totals, levels)
    return Range(float(low), float(high))
