"""The truth about a world: what any plan is worth in closed form, and one random realisation of it.

A segment's impressions spread evenly over its eligible users, z_uj = h_uj a_ij(s) / N_i, and
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

from targeting.world.kinds import HORIZON_DAYS, PLACEMENTS, Kind
from targeting.world.people import KEPT_SHARE, REFUND_FULL, REPEATS, People
from targeting.world.purchases import Seen, orders_frame
from targeting.world.showings import exposures_frame, orders_of, show
from targeting.world.supply import FloatArray, impressions

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Realised:
    """One random outcome of a plan: tables as in the contract, orders followed for the whole horizon."""

    exposures: pl.DataFrame
    orders: pl.DataFrame


@dataclass(frozen=True)
class Truth:
    """What nobody can know.

    Attributes:
        user_id: in the order of `people`.
        eligible: (n,) not a fan when the campaign starts (followers of the history are fans).
        margin: gross margin minus fees, for profit.
    """

    kind: Kind
    people: People
    user_id: pl.Series
    fans: NDArray[np.bool_]
    eligible: NDArray[np.bool_]
    starts_at: datetime
    margin: float

    @property
    def hazard(self) -> FloatArray:
        """(n, 2) incremental follows per impression on the campaign's day, intent included."""
        return self.people.follow

    @property
    def gmv_per_fan_cny(self) -> FloatArray:
        """(n, 2) expected net GMV within the horizon after following, over organic."""
        return self.people.buy * self._worth[:, None]

    @property
    def _worth(self) -> FloatArray:
        return self.people.amount_cny * (1.0 + REPEATS) * KEPT_SHARE

    def scores(self) -> pl.DataFrame:
        """The perfect `scores` table: expectations given the observed features (DESIGN 3.3, 4.1).

        Value is of a *fan*, so it is expected given that the person follows: the intent that nobody sees
        makes people follow and buy, so followers buy E[lift^2] = exp(intent_sd^2) times what their features
        say. p_precise counts any kept order within the horizon, also one that would have come anyway.
        """
        p = self.people
        chosen = np.exp(self.kind.intent_sd**2)
        lift = np.exp(self.kind.intent_sd * p.intent - 0.5 * self.kind.intent_sd**2)
        return self._table(
            follow=p.follow_given_features,
            buy=np.minimum(p.buy_given_features * chosen, 0.9),
            organic_orders=p.organic_orders / lift * chosen,
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
        never = REFUND_FULL * np.exp(-REPEATS * (1 - REFUND_FULL))
        anyway = organic_orders * HORIZON_DAYS * (1 - REFUND_FULL)
        n = len(self.user_id)
        return pl.DataFrame(
            {
                "user_id": self.user_id.gather(np.repeat(np.arange(n), 2)),
                "placement": pl.Series(np.tile(np.array(PLACEMENTS), n), dtype=pl.String),
                "p_follow": follow.ravel(),
                "gmv_per_fan_cny": (buy * self._worth[:, None]).ravel(),
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
        z, bought = self.follow_rates(code, money, days=days / slots)
        total = z.sum(axis=1)
        fans = z * np.where(total > 0, -np.expm1(-total) / np.maximum(total, 1e-300), 1.0)[:, None]
        inside = code >= 0
        sums = [
            np.column_stack([np.bincount(code[inside], x[inside, j], len(names)) for j in range(2)])
            for x in (fans, fans * self.gmv_per_fan_cny)
        ]
        users = np.bincount(code[inside], minlength=len(names))
        entry = np.bincount(code[inside], self.people.enter[inside], len(names)) / np.maximum(users, 1)
        entries = bought * np.column_stack([np.zeros(len(names)), entry])
        return pl.DataFrame(
            {
                "segment": np.repeat(np.array(names, dtype=object), 2).astype(str),
                "placement": np.tile(np.array(PLACEMENTS), len(names)),
                "users": np.repeat(users, 2),
                "spend_cny": money.sum(axis=0).ravel(),
                "impressions": bought.ravel(),
                "live_entries": entries.ravel(),
                "new_fans": sums[0].ravel(),
                "new_fan_gmv_cny": sums[1].ravel(),
            }
        )

    def value(self, assignment: pl.DataFrame, spend: pl.DataFrame, *, days: float = 1.0) -> dict[str, float]:
        """Expected totals: spend_cny, impressions, live_entries, new_fans, new_fan_gmv_cny, profit_cny."""
        totals = self.cells(assignment, spend, days=days).select(pl.col(pl.Float64).sum()).row(0, named=True)
        profit = self.margin * totals["new_fan_gmv_cny"] - totals["spend_cny"]
        return {**totals, "profit_cny": profit}

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
        inside, p = code >= 0, self.people
        k = np.column_stack([np.bincount(code[inside], p.capacity[inside, j], size) for j in range(2)])
        kc = p.capacity * p.price_cny
        total = np.column_stack([np.bincount(code[inside], kc[inside, j], size) for j in range(2)])
        return k.astype(float), np.where(k > 0, total / np.maximum(k, 1e-300), 1.0)

    def follow_rates(
        self, code: IntArray, money: FloatArray, *, days: float
    ) -> tuple[FloatArray, FloatArray]:
        """z (n, 2) of every user and impressions bought (segments, 2), for money (slots, segments, 2)."""
        size = money.shape[1]
        k, c = self.supply(code, size)
        daily = impressions(money / days, capacity=k, price_cny=c, theta=self.kind.theta)
        bought = days * daily.sum(axis=0)
        users = np.bincount(code[code >= 0], minlength=size)
        each = bought / np.maximum(users, 1)[:, None]
        return np.where((code >= 0)[:, None], each[code] * self.hazard, 0.0), bought

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
        money, slots = _by_slot(spend, names)
        _, bought = self.follow_rates(code, money, days=1.0 / slots)
        users = np.maximum(np.bincount(code[code >= 0], minlength=len(names)), 1)
        each = np.where((code >= 0)[:, None], (bought / users[:, None])[code], 0.0)
        shown = rng.poisson(each)
        got = np.column_stack(
            [np.bincount(code[code >= 0], shown[code >= 0, j], len(names)) for j in range(2)]
        )
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
        )
        end = HORIZON_DAYS + 2.0
        orders = orders_of(rng, self.people, self.kind, rows, fans=self.fans, start=0.0, end=end)
        seen = Seen(self.user_id, self.starts_at, until=HORIZON_DAYS + 90.0)  # every refund has come by then
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
