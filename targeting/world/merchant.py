"""Assembles a world: people, their history, the contract's tables, the brief of the next campaign, the truth.

Everything random comes from one generator seeded by the caller. It must not import anything of the project
but its siblings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from targeting.world.audiences import Audience, draw_audiences
from targeting.world.damage import damage
from targeting.world.history import draw_calendar, run_history
from targeting.world.kinds import FEWEST_PEOPLE, PLACEMENTS, RANDOM, Kind, kind_named
from targeting.world.people import People, choose_fans, draw_people, users_frame
from targeting.world.purchases import Seen, orders_frame
from targeting.world.random import draw_world
from targeting.world.showings import Showing, exposures_frame, orders_of
from targeting.world.truth import Truth

STARTS_AT = datetime(2020, 11, 11)
GROSS_MARGIN, FEE_RATE = 0.45, 0.05
PEOPLE_PER_USER = 570  # 40,000 users stand for a shop with 3.2 million fans


@dataclass(frozen=True)
class World:
    """A simulated merchant: what it would hand in, and the truth that it cannot know.

    Attributes:
        users, exposures, orders: tables of DESIGN 3.1; every feature is known at the start of the history.
        campaign: the brief of the next campaign as a mapping (DESIGN 3.2), starting at `as_of`.
        last_plan: segment, placement, slot, spend_cny: what the merchant did last, segment `all`, per day.
        as_of: the moment of planning; nothing later is in the tables.
    """

    kind: Kind
    users: pl.DataFrame
    exposures: pl.DataFrame
    orders: pl.DataFrame
    campaign: Mapping[str, object]
    last_plan: pl.DataFrame
    as_of: datetime
    truth: Truth

    @property
    def about(self) -> dict[str, object]:
        """The merchant at its real size, for reports; the tables sample one person in `PEOPLE_PER_USER`."""
        fans = self.users["is_fan"].to_numpy()
        male = (self.users["gender"] == "m").fill_null(False).to_numpy()
        month = self.orders["gmv_cny"].sum() / 2  # orders reach back two months
        return {
            "sentence": self.kind.sentence,
            "people_per_user": PEOPLE_PER_USER,
            "fans": int(fans.sum()) * PEOPLE_PER_USER,
            "male_content_share": float((male & self.truth.people.content)[fans].mean()),
            "month_gmv_cny": round(float(month) * PEOPLE_PER_USER, 2),
        }

    @property
    def users_now(self) -> pl.DataFrame:
        """`users` with `is_fan` brought up to `as_of`: whoever was seen to follow is in."""
        followers = self.exposures.filter("followed")["user_id"].unique()
        return self.users.with_columns(pl.col("is_fan") | pl.col("user_id").is_in(followers.implode()))


def simulate(kind: str = "jewellery", *, users: int | None = None, seed: int = 0) -> World:
    """A world of the registered kind (`KINDS`), or a `random` one; the same arguments give identical frames.

    A random world's mechanisms follow from the seed alone, whatever the number of users.

    Args:
        users: people; None for the world's own number, 40,000 or drawn between 3,000 and 200,000.

    Raises:
        CampaignError: no such kind.
    """
    rng = np.random.default_rng(seed)
    if kind == RANDOM:
        chosen, people, fans = draw_world(seed, users)
    else:
        chosen = kind_named(kind)
        asked = chosen.people if users is None else users
        people = draw_people(rng, max(FEWEST_PEOPLE, round(asked * chosen.people_share)), chosen)
        fans = choose_fans(rng, people)
    return _lived(rng, chosen, people, fans)


def _lived(rng: np.random.Generator, chosen: Kind, people: People, fans: np.ndarray) -> World:
    """The world after its history: tables, brief and truth."""
    origin = STARTS_AT - timedelta(days=chosen.history_days)
    table = users_frame(people, fans, origin)
    calendar = draw_calendar(rng, chosen)
    audiences = draw_audiences(rng, people, chosen)
    rows = run_history(rng, people, chosen, eligible=~fans, calendar=calendar, audiences=audiences)
    end = float(chosen.history_days)
    orders = orders_of(rng, people, chosen, rows, fans=fans, start=-30.0, end=end)
    seen = Seen(table["user_id"], origin, until=end)
    exposures = exposures_frame(
        rows, seen, campaign_id=_campaigns(rows, calendar.tested, audiences), prefix="e"
    )
    order_table = orders_frame(rng, orders, seen, prefix="o")
    if chosen.damaged:
        exposures, order_table = damage(rng, exposures, order_table)
    eligible = ~fans
    eligible[rows.user[rows.followed]] = False
    truth = Truth(
        kind=chosen,
        people=people,
        user_id=seen.user_id,
        fans=fans,
        eligible=eligible,
        starts_at=STARTS_AT,
        margin=GROSS_MARGIN - FEE_RATE,
        expected_before=_expected_before(people, rows),
    )
    daily = float(rows.cost_cny.sum()) / chosen.history_days
    low, high = chosen.budget_days
    asked = daily * rng.uniform(low, high)
    budget = round(asked, -1 if asked >= 25 else 2)
    return World(
        kind=chosen,
        users=table,
        exposures=exposures,
        orders=order_table,
        campaign=_brief(
            chosen, budget=budget, fans=int(fans.sum()), month_gmv=float(order_table["gmv_cny"].sum()) / 2
        ),
        last_plan=_last_plan(rows, chosen.history_days),
        as_of=STARTS_AT,
        truth=truth,
    )


def _expected_before(people: People, rows: Showing) -> np.ndarray:
    """Follows that each one's impressions would have brought without hidden intent, (n,)."""
    shown = rows.placement < 2
    user, place = rows.user[shown], rows.placement[shown]
    expected = people.follow_given_features[user, place] * rows.impressions[shown]
    return np.bincount(user, expected, len(people.intent))


def _campaigns(rows: Showing, tested: np.ndarray, audiences: Sequence[Audience]) -> pl.Series:
    """Campaign ids: the standing campaigns of many audiences, or a weekly campaign per placement.

    A weekly one has `-test` on the days whose budget a coin set; the coin's rows go by placement.
    """
    day = np.floor(rows.day).astype(int)
    place = np.minimum(rows.placement, 1)
    weeks = range(len(tested))
    held = np.array([f"w{d // 7 + 1}-holdout" for d in weeks], dtype=object)[day]
    if len(audiences) > len(PLACEMENTS):
        names = np.array([a.name for a in audiences] + [f"coin-{p}" for p in PLACEMENTS], dtype=object)
        shown = names[np.where(rows.campaign >= 0, rows.campaign, len(audiences) + place)]
    else:
        weekly = np.array([[f"w{d // 7 + 1}-{p}" for p in PLACEMENTS] for d in weeks], dtype=object)
        shown = np.where(tested, weekly + "-test", weekly)[day, place]
    return pl.Series(np.where(rows.placement == 2, held, shown).astype(str), dtype=pl.String)


def _last_plan(rows: Showing, history_days: int) -> pl.DataFrame:
    """Mean daily spend of the last week per placement; the merchant never used segments."""
    recent = rows.day >= history_days - 7
    spend = np.bincount(rows.placement[recent], rows.cost_cny[recent], 3)[:2] / 7
    return pl.DataFrame(
        {
            "segment": ["all", "all"],
            "placement": list(PLACEMENTS),
            "slot": [0, 0],
            "spend_cny": np.round(spend, 2),
        }
    )


def _brief(kind: Kind, *, budget: float, fans: int, month_gmv: float) -> dict[str, object]:
    return {
        "campaign_id": f"{kind.name}-1111",
        "merchant": {
            "merchant_id": "m1",
            "category": "jewellery",
            "opened_on": "2018-03-01",
            "month_gmv_cny": round(month_gmv, 2),
            "fans": fans,
            "stars": 4.7,
            "violations": 0,
        },
        "objective": "new_fan_gmv",
        "horizon_days": kind.horizon_days,
        "starts_at": STARTS_AT.isoformat(),
        "days": 1,
        "budget_cny": budget,
        "placements": list(PLACEMENTS),
        "economics": {"gross_margin": GROSS_MARGIN, "fee_rate": FEE_RATE},
        "constraints": [],
        "last_plan": None,
    }
