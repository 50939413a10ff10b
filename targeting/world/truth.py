"""The truth about a world: what any plan is worth in closed form, and one random realisation of it.

A segment's money puts everybody in it under one pressure, which gives each one a_uj mean impressions a day
(`delivery`) and z_uj = h_uj a_uj without a cap, and
    new fans = sum_u (1 - exp(-z_u)),   new-fan GMV = sum_u sum_j g_uj z_uj / z_u (1 - exp(-z_u))
(DESIGN 4.2 with every user apart), incremental over organic. It must not import anything of the project but
its siblings.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from targeting.world.delivery import (
    daily_impressions,
    draw_impressions,
    follow_rate,
    room_left,
    segment_sums,
    supply_of,
)
from targeting.world.kinds import PLACEMENTS, Kind
from targeting.world.people import People, follow_lift
from targeting.world.purchases import Seen, orders_frame
from targeting.world.showings import exposures_frame, orders_of, show
from targeting.world.supply import FloatArray

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Realised:
    """One random outcome of a plan: tables as in the contract, orders followed for the whole horizon."""

    exposures: pl.DataFrame
    orders: pl.DataFrame


@dataclass(frozen=True)
class Fate:
    """What a plan does to each person, (n, 2) each: z, mean impressions, live entries let in."""

    z: FloatArray
    impressions: FloatArray
    entries: FloatArray

    @property
    def new_fans(self) -> FloatArray:
        """Expected follows (n, 2): a person becomes a fan once, credited in proportion to z."""
        total = self.z.sum(axis=1, keepdims=True)
        return np.asarray(self.z * np.where(total > 0, -np.expm1(-total) / np.maximum(total, 1e-300), 1.0))


@dataclass(frozen=True)
class Truth:
    """What nobody can know.

    Attributes:
        user_id: in the order of `people`.
        eligible: (n,) not a fan when the campaign starts (followers of the history are fans).
        margin: gross margin minus fees, for profit.
        expected_before: (n,) follows that the logged impressions would have brought without hidden intent.
    """

    kind: Kind
    people: People
    user_id: pl.Series
    fans: NDArray[np.bool_]
    eligible: NDArray[np.bool_]
    starts_at: datetime
    margin: float
    expected_before: FloatArray

    @property
    def hazard(self) -> FloatArray:
        """(n, 2) incremental follows per impression on the campaign's day, intent included."""
        return self.people.follow

    @property
    def gmv_per_fan_cny(self) -> FloatArray:
        """(n, 2) expected net GMV within the horizon after following, over organic."""
        return self.people.buy * self.worth_of_buyer_cny[:, None]

    @property
    def worth_of_buyer_cny(self) -> FloatArray:
        """(n,) expected net GMV within the horizon of each one, given that it buys."""
        return self.people.amount_cny * self.kind.orders_per_buyer * self.kind.kept_share

    @property
    def places(self) -> float | None:
        """Live entries a day that the live room holds; None without a limit."""
        share = self.kind.room_share
        return None if share is None else share * len(self.user_id)

    def scores(self) -> pl.DataFrame:
        """The perfect `scores` table: expectations given the observed features (DESIGN 3.3, 4.1).

        Value is of a *fan*, so it is expected given that the person follows: the intent that nobody sees
        makes people follow and buy, so followers buy E[lift lift_b] = exp(intent_buy intent_sd^2) times what
        their features say. p_precise counts any kept order within the horizon, also one that would have come
        anyway.
        """
        p, kind = self.people, self.kind
        chosen = np.exp(kind.intent_buy * kind.intent_sd**2)
        organic_lift = follow_lift(kind, p.intent, kind.intent_organic)
        return self._table(
            follow=p.follow_given_features,
            buy=np.minimum(p.buy_given_features * chosen, 0.9),
            organic_orders=p.organic_orders / organic_lift * np.exp(kind.intent_organic * kind.intent_sd**2),
        )

    def individuals(self) -> pl.DataFrame:
        """The same table of what each person will really do, the intent that nobody sees included.

        Whoever is still not a fan has less of it than their features say: those with most have followed
        already. Means over groups of these rows are what predictions for the campaign's day are held against.
        """
        p = self.people
        return self._table(follow=p.follow, buy=p.buy, organic_orders=p.organic_orders)

    def _table(self, *, follow: FloatArray, buy: FloatArray, organic_orders: FloatArray) -> pl.DataFrame:
        """A `scores` table, users in the order of `people`."""
        given_back = self.kind.refund_full
        never = given_back * np.exp(-self.kind.repeats * (1 - given_back))
        anyway = organic_orders * self.kind.horizon_days * (1 - given_back)
        n = len(self.user_id)
        return pl.DataFrame(
            {
                "user_id": self.user_id.gather(np.repeat(np.arange(n), 2)),
                "placement": pl.Series(np.tile(np.array(PLACEMENTS), n), dtype=pl.String),
                "p_follow": follow.ravel(),
                "gmv_per_fan_cny": (buy * self.worth_of_buyer_cny[:, None]).ravel(),
                "p_precise": (1 - (1 - buy * (1 - never)) * np.exp(-anyway)[:, None]).ravel(),
                "eligible": np.repeat(self.eligible, 2),
            }
        )

    def everyone(self, segment: str = "all") -> pl.DataFrame:
        """The assignment that puts every user in one segment."""
        return pl.DataFrame({"user_id": self.user_id}).with_columns(segment=pl.lit(segment))

    def cells(self, assignment: pl.DataFrame, spend: pl.DataFrame, *, days: float = 1.0) -> pl.DataFrame:
        """True outcomes per segment and placement.

        Args:
            assignment: user_id, segment; users who are not eligible get no impressions.
            spend: segment, placement, spend_cny and perhaps slot (each is `days / slots` days of supply).
            days: length of the campaign.

        Returns:
            segment, placement, users, spend_cny, impressions, live_entries, new_fans, new_fan_gmv_cny.
        """
        names, code = self.segment_codes(assignment)
        money, slots = _by_slot(spend, names)
        size = len(names)
        fate = self.follow_rates(code, money, days=days / slots)
        fans = fate.new_fans
        users = np.bincount(code[code >= 0], minlength=size)
        return pl.DataFrame(
            {
                "segment": np.repeat(np.array(names, dtype=object), 2).astype(str),
                "placement": np.tile(np.array(PLACEMENTS), size),
                "users": np.repeat(users, 2),
                "spend_cny": money.sum(axis=0).ravel(),
                "impressions": segment_sums(code, fate.impressions, size).ravel(),
                "live_entries": segment_sums(code, fate.entries, size).ravel(),
                "new_fans": segment_sums(code, fans, size).ravel(),
                "new_fan_gmv_cny": segment_sums(code, fans * self.gmv_per_fan_cny, size).ravel(),
            }
        )

    def value(self, assignment: pl.DataFrame, spend: pl.DataFrame, *, days: float = 1.0) -> dict[str, float]:
        """Expected totals: spend_cny, impressions, live_entries, new_fans, new_fan_gmv_cny, profit_cny."""
        names, code = self.segment_codes(assignment)
        money, slots = _by_slot(spend, names)
        return self.totals(code, money, days=days / slots)

    def totals(self, code: IntArray, money: FloatArray, *, days: float) -> dict[str, float]:
        """The same of segments `code` (n,) that get `money` (slots, segments, 2) over slots of `days`."""
        fate = self.follow_rates(code, money, days=days)
        gmv = float((fate.new_fans * self.gmv_per_fan_cny).sum())
        return {
            "spend_cny": float(money.sum()),
            "impressions": float(fate.impressions.sum()),
            "live_entries": float(fate.entries.sum()),
            "new_fans": float(fate.new_fans.sum()),
            "new_fan_gmv_cny": gmv,
            "profit_cny": self.margin * gmv - float(money.sum()),
        }

    def segment_codes(self, assignment: pl.DataFrame) -> tuple[list[str], IntArray]:
        """Names of the segments and, per user, the index of its segment (-1: none, or not eligible)."""
        pairs = assignment.select("user_id", "segment").unique("user_id", keep="first", maintain_order=True)
        names = sorted(pairs["segment"].unique().to_list())
        order = pl.DataFrame(
            {"segment": names, "code": np.arange(len(names))}, schema={"segment": pl.String, "code": pl.Int64}
        )
        found = (
            pl.DataFrame({"user_id": self.user_id})
            .join(pairs, on="user_id", how="left", maintain_order="left")
            .join(order, on="segment", how="left", maintain_order="left")["code"]
        )
        return names, np.where(self.eligible, found.fill_null(-1).to_numpy(), -1)

    def supply(self, code: IntArray, size: int) -> tuple[FloatArray, FloatArray]:
        """Capacity K and capacity-weighted price c of each segment and placement, (size, 2) each."""
        return supply_of(code, size, capacity=self.people.capacity, price_cny=self.people.price_cny)

    def fate(self, assignment: pl.DataFrame, spend: pl.DataFrame, *, days: float = 1.0) -> Fate:
        """What a plan does to everybody."""
        names, code = self.segment_codes(assignment)
        money, slots = _by_slot(spend, names)
        return self.follow_rates(code, money, days=days / slots)

    def follow_rates(self, code: IntArray, money: FloatArray, *, days: float) -> Fate:
        """What `money` (slots, segments, 2) does to everybody over slots of `days` each."""
        p, cap = self.people, self.kind.cap
        zero = np.zeros(p.capacity.shape)
        z, shown, entries = zero, zero, zero
        for slot in money:
            daily = daily_impressions(
                self.kind, code, slot / days, capacity=p.capacity, price_cny=p.price_cny
            )
            arrivals = daily * np.column_stack([np.zeros(len(code)), p.enter])
            let_in = np.array([1.0, room_left(float(arrivals.sum()), self.places)])
            z = z + days * follow_rate(daily, self.hazard * let_in, cap=cap)
            shown, entries = shown + days * daily, entries + days * arrivals * let_in
        return Fate(z, shown, entries)

    def realise(
        self,
        assignment: pl.DataFrame,
        spend: pl.DataFrame,
        *,
        rng: np.random.Generator,
        campaign_id: str = "realised",
    ) -> Realised:
        """One random outcome of a one-day campaign, with organic follows and orders, as logs would show."""
        names, code = self.segment_codes(assignment)
        money, _ = _by_slot(spend, names)
        fate = self.fate(assignment, spend)
        shown = draw_impressions(rng, fate.impressions, cap=self.kind.cap)
        arrivals = float(self.people.enter @ fate.impressions[:, 1])
        got = segment_sums(code, shown.astype(float), len(names))
        price = money.sum(axis=0) / np.maximum(got, 1)
        rows = show(
            rng,
            self.people,
            day=0,
            shown=shown,
            cost_cny=np.asarray(shown * np.where((code >= 0)[:, None], price[code], 0.0), dtype=np.float64),
            held_out=np.zeros(len(code), bool),
            randomized=np.zeros(len(code), bool),
            propensity=np.full(len(code), np.nan),
            hazard_scale=np.ones(2),
            room=room_left(arrivals, self.places),
        )
        end = self.kind.horizon_days + 2.0
        orders = orders_of(rng, self.people, self.kind, rows, fans=self.fans, start=0.0, end=end)
        seen = Seen(
            self.user_id, self.starts_at, until=self.kind.horizon_days + 90.0
        )  # every refund has come by then
        campaign = pl.Series([campaign_id]).new_from_index(0, len(rows.user))
        return Realised(
            exposures=exposures_frame(rows, seen, campaign_id=campaign, prefix="fe"),
            orders=orders_frame(rng, orders, seen, prefix="fo"),
        )


def _by_slot(spend: pl.DataFrame, names: list[str]) -> tuple[FloatArray, int]:
    """Money as (slots, segments, 2); spend on unknown segments buys nothing and is left out."""
    frame = spend if "slot" in spend.columns else spend.with_columns(slot=pl.lit(0))
    slots = sorted(frame["slot"].unique().to_list())
    money = np.zeros((max(len(slots), 1), len(names), 2))
    index = {name: i for i, name in enumerate(names)}
    for segment, placement, slot, cny in frame.select(
        "segment", "placement", "slot", "spend_cny"
    ).iter_rows():
        if segment in index and placement in PLACEMENTS:
            money[slots.index(slot), index[segment], PLACEMENTS.index(placement)] += cny
    return money, max(len(slots), 1)
