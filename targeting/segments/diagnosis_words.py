"""The diagnosis in a merchant's words: who the fans are, where fans and money differ, what the segments hold.

Text only: the numbers are those of `diagnosis`, which it must not import.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from targeting.segments.formation import Segmentation
from targeting.segments.segment_names import CONTENT, MIXED, PRECISE
from targeting.segments.segment_settings import SETTINGS

UNKNOWN = "unknown"
WORDS = {("gender", "m"): "Men", ("gender", "f"): "Women"}
PHRASES = {"age_band": "People aged {}", "age": "People aged {}", "city_tier": "People in cities of tier {}"}


def fan_sentences(numbers: Mapping[str, float], segmentation: Segmentation, horizon_days: int) -> list[str]:
    """How many fans are content fans, and what part of the money is theirs."""
    fans, told = int(numbers["fans"]), MIXED not in segmentation.segmenter.kinds
    if fans == 0:
        return ["No present fan is in the data, so the fan base cannot be described."]
    sentences = []
    line = f"{segmentation.p_precise_threshold:.1%}"
    if told and "content_share" in numbers:
        sentences.append(
            f"Of {fans:,} fans in the data {numbers['content_share']:.0%} are content fans: "
            f"their estimated chance to buy within {horizon_days} days is below {line}, "
            "the line between content and precise fans."
        )
        if "precise_share_public" in numbers:
            sentences.append(
                f"Of the {int(numbers['public']):,} people who do not follow yet "
                f"{numbers['precise_share_public']:.0%} are above that line, of the present fans "
                f"{1.0 - numbers['content_share']:.0%}."
            )
    elif "content_share" in numbers:
        sentences.append(f"The data does not tell precise from content fans among {fans:,} fans.")
    if "gmv_share_of_fans" in numbers:
        sentences.append(
            f"In the last {horizon_days} days {numbers['fans_who_bought']:.1%} of the fans bought; "
            f"{numbers['gmv_share_of_fans']:.0%} of the {numbers['gmv_cny']:,.0f} CNY of net GMV came from "
            "them."
        )
    else:
        sentences.append(f"Nobody bought in the last {horizon_days} days.")
    return sentences


def profile_sentences(profile: pl.DataFrame) -> list[str]:
    """For each telling column the level where the share of fans and the share of the money differ most."""
    sentences = []
    told = profile.filter(pl.col("gmv").is_not_null() & pl.col("fans").is_not_null())
    for name in told["column"].unique(maintain_order=True).to_list():
        column = told.filter((pl.col("column") == name) & (pl.col("level") != UNKNOWN))
        if column.height == 0:
            continue
        apart = column.sort(pl.col("fans") - pl.col("gmv"), "level", descending=[True, False])
        row = apart.row(0, named=True)
        if row["fans"] - row["gmv"] < SETTINGS.least_gap:
            continue
        phrase = PHRASES.get(name, f"People with {name} {{}}")
        who = WORDS.get((name, row["level"]), phrase.format(row["level"]))
        fans, buyers, gmv = (f"{row[group]:.0%}" for group in ("fans", "buyers", "gmv"))
        sentences.append(
            f"{who} are {fans} of the fans, {buyers} of the buyers and {gmv} of the buyers' money."
        )
    return sentences[: SETTINGS.profile_sentences]


def segment_sentences(segmentation: Segmentation) -> list[str]:
    """What the precise segments hold of the people and of the money, where both kinds are told apart."""
    cells = segmentation.cells.with_columns(
        worth=pl.col("users") * pl.col("p_follow") * pl.col("gmv_per_fan_cny")
    )
    best = cells.group_by("segment", "fan_kind", maintain_order=True).agg(
        pl.col("users").first(), pl.col("worth").max()
    )
    precise, all_users = best.filter(pl.col("fan_kind") == PRECISE), float(best["users"].sum())
    worth = float(best["worth"].sum())
    if precise.height == 0 or worth <= 0 or best.filter(pl.col("fan_kind") == CONTENT).height == 0:
        return []
    people, value = float(precise["users"].sum()) / all_users, float(precise["worth"].sum()) / worth
    who = "precise segment holds" if precise.height == 1 else f"{precise.height} precise segments hold"
    return [
        f"The {who} {people:.0%} of the people who can be won "
        f"and {value:.0%} of what one impression each would bring."
    ]
