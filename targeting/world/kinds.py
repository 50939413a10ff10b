"""The registry of named worlds: one frozen set of parameters each, one shared code path for all of them.

A kind exists to break one assumption that a targeting product might lean on. Nothing outside this package
may read these numbers: the worlds are an instrument, not a target. It must not import anything of the
project but `models.errors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches

from models.errors import CampaignError

HISTORY_DAYS = 28
HORIZON_DAYS = 30
PLACEMENTS = ("video", "live")


@dataclass(frozen=True)
class Kind:
    """Parameters of one world; pairs are (video, live).

    Attributes:
        name, sentence: what the registry and the command line show.
        people_share: users simulated, as a share of what was asked for.
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
        theta: shape of the price curve (`supply`), small = steep.
        drift_hazard, drift_price: log change of hazards and price between the first day and the campaign.
        festival_price: price multiple on three festival days in the middle of the history.
        damaged: rows are missing, doubled and restated, and more features are null.
    """

    name: str
    sentence: str
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
    theta: float = 2.0
    drift_hazard: tuple[float, float] = (0.0, 0.0)
    drift_price: float = 0.0
    festival_price: float = 1.0
    damaged: bool = False


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
        _kind("steep_prices", "Attention is scarce: the price doubles soon.", theta=0.6, capacity_scale=0.7),
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
    raise CampaignError(f"world {name!r} does not exist: {hint}expected one of {', '.join(KINDS)}")
