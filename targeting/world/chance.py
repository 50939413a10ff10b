"""What may really come of a plan: new fans and their net GMV, chance included, without making tables.

It must not import anything of the project but its siblings.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from targeting.world.delivery import draw_impressions, room_left
from targeting.world.purchases import orders_of_followers
from targeting.world.showings import ORGANIC, who_follows
from targeting.world.supply import FloatArray
from targeting.world.truth import Truth


def realised_totals(
    truth: Truth, assignment: pl.DataFrame, spend: pl.DataFrame, *, rng: np.random.Generator, times: int
) -> FloatArray:
    """(times, 2): new fans that a one-day campaign won, and their net GMV within the horizon."""
    mean = truth.fate(assignment, spend).impressions
    active = mean.sum(axis=1) > 0
    let_in = np.array([1.0, room_left(float(truth.people.enter @ mean[:, 1]), truth.places)])
    found = np.zeros((times, 2))
    for i in range(times):
        shown = draw_impressions(rng, mean, cap=truth.kind.cap)
        cause = who_follows(rng, truth.people, shown=shown, active=active, hazard_scale=let_in)
        user = np.flatnonzero((cause >= 0) & (cause < ORGANIC))
        orders = orders_of_followers(
            rng, truth.people, truth.kind, user=user, placement=cause[user], day=np.zeros(len(user))
        )
        found[i] = len(user), float((orders.gmv_cny - orders.refund_cny).sum())
    return found
