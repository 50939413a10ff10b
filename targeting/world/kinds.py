"""The parameters of a world, and the registry of named ones: one shared code path for all of them.

A named kind exists to break one assumption that a targeting product might lean on; `random` draws a kind.
Nothing outside this package may read these numbers: the worlds are an instrument, not a target. It must not
import anything of the project but `models.errors` and `supply`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from models.errors import CampaignError
from targeting.world.supply import Power, PriceShape

PLACEMENTS = ("video", "live")
RANDOM = "random"
FEWEST_PEOPLE = 200
USUAL_SHAPE = Power(2.0)


@dataclass(frozen=True)
class Buying:
    """How the history was bought.

    Attributes:
        audiences: `all` (one campaign a placement), `segments` (campaigns that share out the people), `packs`
            (rule packs that overlap) or `lookalike` (those most like buyers, and a broad campaign).
        favour: how strongly delivery within an audience follows likely followers and buyers (log per sd).
        rhythm: of the budgets: `steady`, `ordinary`, `bursts`, or `returns` (money chases last week's).
        pressure: (video, live) on everybody on an ordinary day.
        test_share: share of days and placements whose budget a coin sets, where people are randomised too.
    """

    audiences: str = "all"
    favour: float = 0.5
    rhythm: str = "ordinary"
    pressure: tuple[float, float] = (0.11, 0.10)
    test_share: float = 0.4


@dataclass(frozen=True)
class Kind:
    """Parameters of one world; pairs are (video, live).

    Attributes:
        name, sentence: what the registry and the command line show.
        people: users where nobody asks for a number; people_share: users simulated of those asked for.
        differs: 0 makes everybody the same person, 1 is the flagship's heterogeneity.
        reversed_roles: video brings the precise fans and live the content fans.
        intent_sd: sd (log scale) of the unobserved intent in following and buying.
        intent_delivery: how strongly the platform's delivery follows that intent (log pressure per sd).
        organic_scale: multiplies organic follows and organic orders.
        quick_shares: share of first orders within the hour, and between an hour and half a day.
        tail_days: mean of the exponential tail of the other first orders (cut at the horizon).
        amount_sd: sd of log order amount; pareto_alpha: tail index of a Pareto amount instead of it.
        explore_share: share of eligible users who enter the randomised experiment each day.
        hazard_scale, capacity_scale, price_scale: multiply hazards, impressions per user and day, prices.
        buy_scale, amount_scale: multiply the chance of a follower to buy, and the size of orders.
        shape: of the price curve (`supply`).
        even_spread: a segment's impressions go evenly to its people; otherwise in proportion to capacity.
        cap: most impressions of a placement that a person gets a day.
        room_share: live entries a day that fit into the live room, as a share of all people.
        drift_hazard, drift_price: log change of hazards and price between the first day and the campaign.
        festival_price: price multiple on three festival days in the middle of the history.
        weekly, season: sd (log) of the hazard over weekdays; amplitude (log) of a slow wave of 40 days.
        damaged: rows are missing, doubled and restated, and more features are null.
        history_days, horizon_days: days of logs; days after a follow in which orders count.
        repeats: mean further orders of a buyer. refund_full, refund_half: shares of orders given back wholly
            or half; refund_days: mean days until then. fan_vigour: what old fans buy, as a share of new ones.
        intent_buy, intent_organic: what an sd of intent does to buying, and to organic follows and orders, in
            units of what it does to following.
        budget_days: lowest and highest budget, in days of the history's mean spend.
        buying: how the history was bought.
        mechanisms: what was drawn, by name, for tables; empty for a named world.
    """

    name: str
    sentence: str
    people: int = 40_000
    people_share: float = 1.0
    differs: float = 1.0
    reversed_roles: bool = False
    intent_sd: float = 0.2
    intent_delivery: float = 0.0
    organic_scale: float = 1.0
    quick_shares: tuple[float, float] = (0.35, 0.15)
    tail_days: float = 6.0
    amount_sd: float = 0.8
    pareto_alpha: float | None = None
    explore_share: float = 0.05
    hazard_scale: float = 1.0
    capacity_scale: float = 1.0
    price_scale: float = 1.0
    buy_scale: float = 1.0
    amount_scale: float = 1.0
    shape: PriceShape = USUAL_SHAPE
    even_spread: bool = True
    cap: int | None = None
    room_share: float | None = None
    drift_hazard: tuple[float, float] = (0.0, 0.0)
    drift_price: float = 0.0
    festival_price: float = 1.0
    weekly: float = 0.0
    season: float = 0.0
    damaged: bool = False
    history_days: int = 28
    horizon_days: int = 30
    repeats: float = 0.25
    refund_full: float = 0.12
    refund_half: float = 0.05
    refund_days: float = 4.0
    fan_vigour: float = 0.6
    intent_buy: float = 1.0
    intent_organic: float = 1.0
    budget_days: tuple[float, float] = (1.5, 3.0)
    buying: Buying = Buying()
    mechanisms: Mapping[str, str] = field(default_factory=dict)

    @property
    def kept_share(self) -> float:
        """Share of what is ordered that is not refunded."""
        return 1.0 - self.refund_full - 0.5 * self.refund_half

    @property
    def orders_per_buyer(self) -> float:
        """Mean orders within the horizon of whoever buys."""
        return 1.0 + self.repeats


_FLAGSHIP = Kind(
    "jewellery", "A jewellery shop whose fans came for the videos: 80 % male content fans, few buyers."
)


def _kind(name: str, sentence: str, **changes: object) -> Kind:
    return replace(_FLAGSHIP, name=name, sentence=sentence, **changes)  # type: ignore[arg-type]


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        _FLAGSHIP,
        _kind(
            "jeweller",
            "The same shop at the prices of a live-commerce platform: a few yuan a fan, orders of 140 yuan, "
            "two in five given back.",
            hazard_scale=0.55,
            capacity_scale=4.0,
            price_scale=0.058,
            buy_scale=0.9,
            amount_scale=0.32,
            refund_full=0.35,
            refund_half=0.1,
            # A day like the others with a tenth more: the plan is mostly within what was tried.
            budget_days=(1.1, 1.1),
        ),
        _kind(
            "null",
            "Nobody differs from anybody and both placements pay the same.",
            differs=0.0,
            intent_sd=0.0,
        ),
        _kind("reversed", "Video brings the precise fans, live brings the crowd.", reversed_roles=True),
        _kind(
            "confounded",
            "An intent that nobody logs drives delivery, following and buying at once.",
            intent_sd=0.6,
            intent_delivery=0.6,
            organic_scale=3.0,
        ),
        _kind(
            "long_delay",
            "Most first orders come weeks after the follow, so recent fans are heavily censored.",
            quick_shares=(0.08, 0.07),
            tail_days=15.0,
        ),
        _kind(
            "heavy_tail", "Order amounts have a Pareto tail: a few orders carry the month.", pareto_alpha=1.8
        ),
        _kind(
            "no_exploration", "The platform never randomised and never held anybody out.", explore_share=0.0
        ),
        _kind(
            "overlap",
            "The same people follow easily through either placement, so the placements compete.",
            hazard_scale=2.5,
            capacity_scale=1.5,
        ),
        _kind("tiny", "One twentieth of the people: a handful of buyers.", people_share=0.05),
        _kind(
            "steep_prices",
            "Attention is scarce: the price doubles soon.",
            shape=Power(0.6),
            capacity_scale=0.7,
        ),
        _kind(
            "drift",
            "Video wears out and attention grows dearer from the first day to the campaign.",
            drift_hazard=(-0.4, 0.1),
            drift_price=0.25,
        ),
        _kind(
            "festival", "Three festival days in the history: double price, triple spend.", festival_price=2.0
        ),
        _kind("restated", "Logs with missing days, doubled and restated rows and many nulls.", damaged=True),
    )
}


def kind_named(name: str) -> Kind:
    """The registered kind.

    Raises:
        CampaignError: no such world; the message names the nearest and lists all.
    """
    if name in KINDS:
        return KINDS[name]
    near = get_close_matches(name, KINDS, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise CampaignError(f"world {name!r} does not exist: {hint}expected one of {', '.join((*KINDS, RANDOM))}")
