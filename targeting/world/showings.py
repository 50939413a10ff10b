"""Impressions to follows: the race between placements and the organic follow, for one day of any plan.

History and the realised future campaign share it, so the logs and the closed-form truth speak of one process.
It must not import anything of the project but its siblings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from targeting.world.kinds import PLACEMENTS, Kind
from targeting.world.people import People
from targeting.world.purchases import (
    Orders,
    Seen,
    joined,
    orders_of_followers,
    orders_without_follow,
    stamps,
)
from targeting.world.supply import FloatArray

IntArray = NDArray[np.int64]
ORGANIC, NOBODY = 2, -1
MOST_LIKELY = 0.95  # a follow per impression on the best of days
_HOURS = np.array([2, 1, 1, 0.5, 0.5, 0.5, 1, 2, 3, 3, 3, 4, 5, 4, 3, 3, 3, 4, 5, 7, 9, 9, 7, 4], float)


@dataclass(frozen=True)
class Showing:
    """Rows of one day: a user x placement with an impression or more, or a held-out user (placement 2).

    `campaign` is the index of the row's audience, -1 in the experiment and where nobody split the rows.
    """

    user: IntArray
    placement: IntArray
    day: FloatArray
    impressions: IntArray
    cost_cny: FloatArray
    entered: NDArray[np.bool_]
    followed: NDArray[np.bool_]
    followed_day: FloatArray
    cause: IntArray
    randomized: NDArray[np.bool_]
    propensity: FloatArray
    campaign: IntArray


def show(
    rng: np.random.Generator,
    people: People,
    *,
    day: int,
    shown: IntArray,
    cost_cny: FloatArray,
    held_out: NDArray[np.bool_],
    randomized: NDArray[np.bool_],
    propensity: FloatArray,
    hazard_scale: FloatArray,
    room: float = 1.0,
) -> Showing:
    """What happens to users who got `shown` (n, 2) impressions for `cost_cny` (n, 2) on one day.

    One impression leads to a follow with probability h, so z_uj = -n_uj log(1 - h_uj), and a user follows
    with 1 - exp(-sum_j z_uj - organic), caused by j in proportion to z_uj. A Poisson number of impressions
    with mean a then leads to a follow with exactly 1 - exp(-a h): the closed form of `truth`. `room` is the
    share of live arrivals that the room lets in.
    """
    n = len(held_out)
    hazard_scale = hazard_scale * np.array([1.0, room])
    cause = who_follows(
        rng, people, shown=shown, active=held_out | (shown.sum(axis=1) > 0), hazard_scale=hazard_scale
    )
    kept_out_of_fans = np.maximum(people.enter * room - people.follow[:, 1] * hazard_scale[1], 0.0)
    enters = (rng.poisson(shown[:, 1] * kept_out_of_fans) > 0) | (cause == 1)
    hour = rng.choice(24, n, p=_HOURS / _HOURS.sum()) / 24 + rng.random(n) / 24
    first_row = np.where(shown[:, 0] > 0, 0, np.where(shown[:, 1] > 0, 1, 2))
    user = np.concatenate(
        [np.flatnonzero(shown[:, 0]), np.flatnonzero(shown[:, 1]), np.flatnonzero(held_out)]
    )
    sizes = [(shown[:, 0] > 0).sum(), (shown[:, 1] > 0).sum(), held_out.sum()]
    placement = np.repeat(np.arange(3), sizes)
    column = np.minimum(placement, 1)
    followed = (cause[user] == placement) & (placement < 2)
    followed |= (cause[user] == ORGANIC) & (first_row[user] == placement)
    wait = np.minimum(rng.exponential(0.05, len(user)), 0.99)
    started = day + hour[user]
    return Showing(
        user=user,
        placement=placement,
        day=started,
        impressions=np.where(placement < 2, shown[user, column], 0),
        cost_cny=np.where(placement < 2, cost_cny[user, column], 0.0),
        entered=enters[user] & (placement == 1),
        followed=followed,
        followed_day=started + wait,
        cause=np.where(followed, cause[user], NOBODY),
        randomized=randomized[user],
        propensity=propensity[user],
        campaign=np.full(len(user), NOBODY),
    )


def who_follows(
    rng: np.random.Generator,
    people: People,
    *,
    shown: IntArray,
    active: NDArray[np.bool_],
    hazard_scale: FloatArray,
) -> IntArray:
    """What each user follows because of, (n,): a placement, `ORGANIC` (of the active) or `NOBODY`."""
    rate = -np.log1p(-np.minimum(people.follow * hazard_scale, MOST_LIKELY))
    z = np.column_stack([shown * rate, people.organic_follow * active])
    total = z.sum(axis=1)
    follows = rng.random(len(total)) < -np.expm1(-total)
    pick = rng.random(len(total)) * total
    first = np.minimum((pick[:, None] >= np.cumsum(z, axis=1)).sum(axis=1), ORGANIC)
    return np.where(follows, first, NOBODY)


def orders_of(
    rng: np.random.Generator,
    people: People,
    kind: Kind,
    rows: Showing,
    *,
    fans: NDArray[np.bool_],
    start: float,
    end: float,
) -> Orders:
    """Orders of the followers that the rows won, and everybody's ordinary orders between two days."""
    new = rows.followed
    won = orders_of_followers(
        rng,
        people,
        kind,
        user=rows.user[new],
        placement=np.minimum(rows.placement[new], 1),
        day=rows.followed_day[new],
    )
    return joined(won, orders_without_follow(rng, people, kind, fans=fans, start=start, end=end))


def gathered(parts: list[Showing]) -> Showing:
    """All days in one, in order of day."""
    return Showing(
        *(np.concatenate([getattr(p, name) for p in parts]) for name in Showing.__dataclass_fields__)
    )


def exposures_frame(rows: Showing, seen: Seen, *, campaign_id: pl.Series, prefix: str) -> pl.DataFrame:
    """The `exposures` table of DESIGN 3.1; a later follow has not been seen yet."""
    followed = rows.followed & (rows.followed_day < seen.until)
    n = len(rows.user)
    live = pl.Series(rows.placement == 1)
    return pl.DataFrame(
        {
            "exposure_id": prefix + pl.Series(np.arange(n)).cast(pl.String).str.zfill(7),
            "user_id": seen.user_id.gather(rows.user),
            "campaign_id": campaign_id,
            "placement": pl.Series(np.array([*PLACEMENTS, "none"])[rows.placement], dtype=pl.String),
            "exposed_at": stamps(seen.origin, rows.day),
            "impressions": rows.impressions.astype(np.int64),
            "cost_cny": np.round(rows.cost_cny, 4),
            "entered_live": pl.Series(rows.entered).set(~live, None),
            "followed": followed,
            "followed_at": stamps(seen.origin, rows.followed_day).set(~pl.Series(followed), None),
            "randomized": rows.randomized,
            "propensity": pl.Series(rows.propensity, nan_to_null=True),
        }
    )
