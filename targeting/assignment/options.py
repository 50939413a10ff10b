"""From scores to offers: what showing a person so many impressions in one or more placements is worth.

In: the score table (DESIGN 3.3), a list of options, the price of an impression. Out: a table of offers for
`targeting.assignment`. For n_j impressions in placement j, with the hazards h_j and values g_j of the scores
(DESIGN 4.2, one person),

    z = sum_j n_j h_j    new_fans = 1 - exp(-z)    gmv_cny = (sum_j n_j h_j g_j) new_fans / z
    live_entries = sum_j n_j p_enter_j    cost_cny = sum_j n_j price_j

and worth is what the brief counts. Scores are taken as they are: the evidence of cells is in plans.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from models.errors import CampaignError, DataError
from targeting.campaign import Campaign

Options = Mapping[str, Mapping[str, float]]
"""Name of each option -> placement -> impressions."""
_SPLIT = ("cost_cny", "impressions", "live_entries")


def offers_of_scores(
    scores: pl.DataFrame, *, options: Options, price_cny: Mapping[str, float], campaign: Campaign
) -> pl.DataFrame:
    """A row per eligible person and option, options being called placements.

    Args:
        scores: user_id, placement, p_follow, gmv_per_fan_cny, eligible (, p_enter); a part of the table will
            do where people are whole in it.
        options: what can be done with a person besides nothing.
        price_cny: of an impression, by placement.
        campaign: its objective says what worth is.

    Returns:
        user_id, placement, worth, cost_cny, impressions, live_entries, new_fans, gmv_cny; where an option has
        several placements, also cost_cny_<placement>, impressions_<placement>, live_entries_<placement>.
    """
    several = any(len(shown) > 1 for shown in options.values())
    places = sorted({place for shown in options.values() for place in shown})
    wide = {place: _of_placement(scores, place) for place in places}
    parts = []
    for name in sorted(options):
        shown = options[name]
        people = None
        for place in shown:
            mine = wide[place]
            people = mine if people is None else people.join(mine, on="user_id", maintain_order="left")
        assert people is not None
        parts.append(_valued(people, name, shown, price_cny, campaign, split=places if several else ()))
    return pl.concat(parts)


def refuse_wrong_options(
    options: Options, *, known: Sequence[str], price_cny: Mapping[str, float], campaign: Campaign, source: str
) -> None:
    """Refuse options that nobody can carry out, in the words of the settings.

    Raises:
        CampaignError: an option is empty, or its placement is not in the brief or has no price.
        DataError: the scores have no such placement.
    """
    for name, shown in options.items():
        if not shown:
            raise CampaignError(f"options.{name}: shows nothing; expected placement: impressions")
        for place in shown:
            if place not in known:
                raise DataError(
                    f"{source}: has no scores for placement {place!r} of option {name!r}; it has "
                    f"{', '.join(known)}: score that placement, or take the option away"
                )
            if place not in campaign.placements:
                raise CampaignError(
                    f"options.{name}: placement {place!r} is not one of the brief's "
                    f"({', '.join(campaign.placements)}); add it there, or take the option away"
                )
            if place not in price_cny:
                raise CampaignError(
                    f"price_cny: placement {place!r} of option {name!r} has no price; add yuan an impression"
                )


def _of_placement(scores: pl.DataFrame, place: str) -> pl.DataFrame:
    """user_id and hazard, value and entry rate of the eligible in one placement, under its name."""
    entry = pl.col("p_enter").fill_null(0.0) if "p_enter" in scores.columns else pl.lit(0.0)
    return scores.filter((pl.col("placement") == place) & pl.col("eligible")).select(
        "user_id",
        pl.col("p_follow").alias(f"h {place}"),
        pl.col("gmv_per_fan_cny").alias(f"g {place}"),
        entry.alias(f"e {place}"),
    )


def _valued(
    people: pl.DataFrame,
    name: str,
    shown: Mapping[str, float],
    price_cny: Mapping[str, float],
    campaign: Campaign,
    *,
    split: Sequence[str],
) -> pl.DataFrame:
    """The offers of one option."""
    z = pl.sum_horizontal(n * pl.col(f"h {place}") for place, n in shown.items())
    paid = pl.sum_horizontal(n * pl.col(f"h {p}") * pl.col(f"g {p}") for p, n in shown.items())
    kept = pl.when(z > 1e-12).then((1.0 - (-z).exp()) / z).otherwise(1.0)
    amounts = {
        "cost_cny": {place: pl.lit(n * price_cny[place]) for place, n in shown.items()},
        "impressions": {place: pl.lit(float(n)) for place, n in shown.items()},
        "live_entries": {place: n * pl.col(f"e {place}") for place, n in shown.items()},
    }
    nothing = pl.lit(0.0)
    table = people.select(
        "user_id",
        placement=pl.lit(name),
        new_fans=z * kept,
        gmv_cny=paid * kept,
        **{what: pl.sum_horizontal(by.values()) for what, by in amounts.items()},
        **{f"{what}_{place}": amounts[what].get(place, nothing) for place in split for what in _SPLIT},
    )
    return table.with_columns(worth=_worth(campaign))


def _worth(campaign: Campaign) -> pl.Expr:
    """What the brief counts."""
    if campaign.objective == "profit" and campaign.economics is not None:
        return campaign.economics.kept_share * pl.col("gmv_cny") - pl.col("cost_cny")
    counted = {"new_fans": "new_fans", "live_entries": "live_entries"}
    return pl.col(counted.get(campaign.objective, "gmv_cny"))
