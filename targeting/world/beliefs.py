"""What can be believed about people: everything, what their features tell, or what somebody's scores say.

Features do not tell the intent i, which multiplies following by L_i, and of which those have less who are
still not fans after having been shown a lot. So a person is believed to be one of a few, i_q with

    weight_q ~ w_q exp(-L_q H),   H: follows expected of its logged impressions without intent,

w_q the Gauss-Hermite weights: what any plan is worth given the features is the mean over q. It must not
import anything of the project but its siblings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from targeting.world.kinds import PLACEMENTS
from targeting.world.people import follow_lift
from targeting.world.supply import FloatArray
from targeting.world.truth import Truth

NODES = 7


@dataclass(frozen=True)
class Beliefs:
    """A mixture of q possible selves of everybody.

    Attributes:
        weight: (q, n), sums to 1 over q.
        follow: incremental follows per impression, (q, n, 2).
        gmv_cny: incremental GMV of a new fan, (q, n, 2).
    """

    weight: FloatArray
    follow: FloatArray
    gmv_cny: FloatArray


def all_known(truth: Truth) -> Beliefs:
    """Everybody as they are, intent included."""
    one = np.ones((1, len(truth.user_id)))
    return Beliefs(one, truth.hazard[None], truth.gmv_per_fan_cny[None])


def given_features(truth: Truth) -> Beliefs:
    """The best that features (and having been shown without following) can tell."""
    people, kind = truth.people, truth.kind
    if kind.intent_sd == 0.0:
        return all_known(truth)
    node, weight = np.polynomial.hermite_e.hermegauss(NODES)
    lift, buy_lift = follow_lift(kind, node), follow_lift(kind, node, kind.intent_buy)
    still = weight[:, None] * np.exp(-lift[:, None] * truth.expected_before[None])
    follow = np.minimum(people.follow_given_features[None] * lift[:, None, None], 0.6)
    buy = np.minimum(people.buy_given_features[None] * buy_lift[:, None, None], 0.9)
    return Beliefs(still / still.sum(axis=0), follow, buy * truth.worth_of_buyer_cny[None, :, None])


def from_scores(truth: Truth, scores: pl.DataFrame) -> Beliefs:
    """What a `scores` table (user_id, placement, p_follow, gmv_per_fan_cny) says; 0 for those left out."""
    order = pl.DataFrame({"user_id": truth.user_id})
    columns = []
    for placement in PLACEMENTS:
        one = scores.filter(pl.col("placement") == placement).select("user_id", "p_follow", "gmv_per_fan_cny")
        both = order.join(one.unique("user_id"), on="user_id", how="left", maintain_order="left").fill_null(
            0.0
        )
        columns.append(both.select("p_follow", "gmv_per_fan_cny").to_numpy())
    table = np.stack(columns, axis=1)
    return Beliefs(np.ones((1, order.height)), table[None, :, :, 0], table[None, :, :, 1])
