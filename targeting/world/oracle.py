"""The best plan anybody could have made: of segments or of single people, for any beliefs about them.

An independent check of the certified allocator, so it shares nothing with it: the value of every unit (a
segment or a person) is tabulated on a grid of pressures (sums over single users, no segment means), a
Lagrangian price is bisected until the budget is spent, and the grid is refined around the choice. Each unit's
maximum is global on its grid, so non-concave values of competing placements do no harm. A live room that
fills couples everybody: its loss is priced, mu = -V_live f'(E) / f(E) per entry, and found by iteration. It
must not import `targeting.allocation`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from targeting.world.beliefs import Beliefs, all_known, given_features
from targeting.world.kinds import PLACEMENTS
from targeting.world.supply import FloatArray
from targeting.world.truth import Truth
from targeting.world.unit_values import Objective, Units, best_pressure


@dataclass(frozen=True)
class OraclePlan:
    """Segments, spend (segment, placement, spend_cny) and the true expected totals (`Truth.value`)."""

    assignment: pl.DataFrame
    spend: pl.DataFrame
    value: dict[str, float]


@dataclass(frozen=True)
class PersonalPlan:
    """The best plan person by person: spend (n, 2) and the true expected totals."""

    spend_cny: FloatArray
    value: dict[str, float]


def worth_segments(truth: Truth, *, n_segments: int = 64, beliefs: Beliefs | None = None) -> pl.DataFrame:
    """Non-fans by worth per yuan: strips by the richer placement, then the other.

    Whoever followed during the history is in too, so that its logs can be summed; it is shown nothing.

    Args:
        n_segments: cells; the nearest square number of equal-sized cells not above it is formed.
        beliefs: of what people are worth; default: the truth given the features.
    """
    side = max(1, int(np.sqrt(n_segments)))
    members = np.flatnonzero(~truth.fans)
    if beliefs is None:
        scores = truth.scores()
        value = (scores["p_follow"] * scores["gmv_per_fan_cny"]).to_numpy().reshape(-1, 2)
    else:
        value = np.einsum("qn,qnj->nj", beliefs.weight, beliefs.follow * beliefs.gmv_cny)
    worth = value / truth.people.price_cny
    rich = int(np.argmax(np.quantile(worth[members], 0.9, axis=0))) if len(members) else 0
    order = members[np.argsort(-worth[members, rich], kind="stable")]
    code = np.zeros(len(truth.user_id), np.int64)
    for i, strip in enumerate(np.array_split(order, side)):
        by_video = strip[np.argsort(-worth[strip, 1 - rich], kind="stable")]
        for j, cell in enumerate(np.array_split(by_video, side)):
            code[cell] = i * side + j
    name = pl.Series("segment", code[members]).cast(pl.String).str.zfill(4)
    return pl.DataFrame({"user_id": truth.user_id.gather(members), "segment": "cell-" + name})


def oracle(
    truth: Truth,
    *,
    budget_cny: float,
    n_segments: int = 64,
    objective: Objective = "new_fan_gmv",
    days: float = 1.0,
) -> OraclePlan:
    """The best plan over segments formed from the true worth of the features, not of the hidden intent.

    64 cells of 40,000 users hold about 500 people each, the fewest that a platform lets one target; 256
    cells would be worth 2-3 % more and could not be bought.
    """
    segments = worth_segments(truth, n_segments=n_segments)
    return oracle_on(truth, segments, budget_cny=budget_cny, objective=objective, days=days)


def oracle_on(
    truth: Truth,
    assignment: pl.DataFrame,
    *,
    budget_cny: float,
    objective: Objective = "new_fan_gmv",
    days: float = 1.0,
    beliefs: Beliefs | None = None,
) -> OraclePlan:
    """The best spend for given segments under the true market, and the true worth of people or `beliefs`."""
    names, code = truth.segment_codes(assignment)
    believed = all_known(truth) if beliefs is None else beliefs
    units = Units(truth, code, len(names), believed, objective=objective, days=days)
    spend = units.money(best_pressure(units, budget_cny)[:, :, None])[:, :, 0]
    frame = pl.DataFrame(
        {
            "segment": pl.Series(np.repeat(np.array(names, dtype=object), 2), dtype=pl.String),
            "placement": list(PLACEMENTS) * len(names),
            "spend_cny": spend.ravel(),
        }
    )
    return OraclePlan(assignment, frame, truth.value(assignment, frame, days=days))


def best_for_people(truth: Truth, beliefs: Beliefs, *, budget_cny: float, days: float = 1.0) -> PersonalPlan:
    """The best plan that may treat everybody apart, on the true market."""
    size = int(truth.eligible.sum())
    code = np.full(len(truth.eligible), -1)
    code[truth.eligible] = np.arange(size)
    units = Units(truth, code, size, beliefs, objective="new_fan_gmv", days=days)
    spend = units.money(best_pressure(units, budget_cny)[:, :, None])[:, :, 0]
    return PersonalPlan(spend, truth.totals(code, spend[None], days=days))


def seen(truth: Truth, *, budget_cny: float, days: float = 1.0) -> PersonalPlan:
    """The best plan that features can tell: no plan made from features and logs is expected to do better."""
    return best_for_people(truth, given_features(truth), budget_cny=budget_cny, days=days)


def omniscient(truth: Truth, *, budget_cny: float, days: float = 1.0) -> PersonalPlan:
    """The best plan of whoever knows each one's intent."""
    return best_for_people(truth, all_known(truth), budget_cny=budget_cny, days=days)
