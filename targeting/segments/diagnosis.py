"""Diagnosis: who the present fans are, against who buys.

A merchant with millions of fans who came for the videos sells little to them. This module says so in numbers:
the share of content fans, how fans, buyers and the public differ by gender, age, city or whatever the data
has, what part of the fans bought in the last horizon and what part of the money came from them. Nothing here
is used by the optimiser; it is what a merchant reads first. It must not import estimators or the allocator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

import polars as pl

from models.errors import DataError
from models.escaping.media import for_html
from models.stored import Rows
from targeting.segments.diagnosis_words import UNKNOWN, fan_sentences, profile_sentences, segment_sentences
from targeting.segments.formation import Segmentation
from targeting.segments.rules import NOT_FEATURES
from targeting.segments.segment_settings import SETTINGS
from targeting.segments.wide_scores import tree_features, widen

# Columns asked about first; others follow by how much fans and money differ on them.
FIRST_COLUMNS = ("gender", "age_band", "city_tier", "city", "province")
GROUPS = ("fans", "public", "buyers", "gmv")
PROFILE = {"column": pl.String, "level": pl.String, **dict.fromkeys(GROUPS, pl.Float64)}
SEGMENTS = {"segment": pl.String, "fan_kind": pl.String, "users": pl.Float64, "fans": pl.Float64}


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What is wrong with the fan base, in numbers and sentences.

    Attributes:
        sentences: what follows said to people, most telling first.
        numbers: fans, public, content_share (of fans; absent where kinds cannot be told apart),
            precise_share_public, fans_who_bought (share), gmv_cny, gmv_share_of_fans, buyers.
        profile: column, level, fans, public, buyers, gmv: the share of each group (of net GMV for `gmv`) that
            has the level; the shares of a column sum to 1.
        segments: segment, fan_kind, users, fans: how the public and the present fans fall into the segments.
    """

    sentences: tuple[str, ...]
    numbers: Mapping[str, float]
    profile: Annotated[pl.DataFrame, Rows(PROFILE)]
    segments: Annotated[pl.DataFrame, Rows(SEGMENTS)]

    def __str__(self) -> str:
        """Its sentences, a line each."""
        return "\n".join(self.sentences)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Its sentences, for a notebook."""
        return f"<ul>{''.join(f'<li>{for_html(line)}</li>' for line in self.sentences)}</ul>"


def diagnose(
    users: pl.DataFrame,
    orders: pl.DataFrame,
    scores: pl.DataFrame,
    segmentation: Segmentation,
    *,
    as_of: datetime,
    horizon_days: int = 30,
    more: tuple[str, ...] = (),
) -> Diagnosis:
    """Compare present fans with buyers and with the public.

    Args:
        users: contract table `users` (is_fan, features; none of the features is needed).
        orders: contract table `orders`; may be empty.
        scores: score table of all users, fans too.
        segmentation: of the same scores.
        as_of: end of the period looked at.
        horizon_days: length of the period, days.
        more: sentences of others, to end with.
    """
    if users.height == 0:
        raise DataError("users: no user; expected at least one row to describe the fan base")
    bought = _bought(orders, as_of=as_of, horizon_days=horizon_days)
    table = users.join(bought, on="user_id", how="left", maintain_order="left").with_columns(
        pl.col("net_cny").fill_null(0.0), pl.col("is_fan").fill_null(False)
    )
    numbers, profile = _numbers(table, _precise(scores, segmentation)), _profile(table)
    return Diagnosis(
        numbers=numbers,
        profile=profile,
        segments=_segments(users, scores, segmentation),
        sentences=(
            *fan_sentences(numbers, segmentation, horizon_days),
            *profile_sentences(profile),
            *segment_sentences(segmentation),
            *more,
        ),
    )


def _bought(orders: pl.DataFrame, *, as_of: datetime, horizon_days: int) -> pl.DataFrame:
    """Net GMV of each buyer in the period."""
    since = as_of - timedelta(days=horizon_days)
    net = (pl.col("gmv_cny") - pl.col("refund_cny").fill_null(0.0)).clip(0.0)
    return (
        orders.filter((pl.col("ordered_at") > since) & (pl.col("ordered_at") <= as_of))
        .group_by("user_id")
        .agg(net.sum().alias("net_cny"))
        .filter(pl.col("net_cny") > 0)
    )


def _precise(scores: pl.DataFrame, segmentation: Segmentation) -> pl.DataFrame:
    """user_id, precise: which side of the threshold every scored user is on."""
    placements = segmentation.segmenter.placements
    wide = widen(scores, placements=placements, everyone=True)
    chance = tree_features(wide, placements)[:, 0]
    return pl.DataFrame({"user_id": wide["user_id"], "precise": chance >= segmentation.p_precise_threshold})


def _numbers(table: pl.DataFrame, precise: pl.DataFrame) -> dict[str, float]:
    fans, public = table.filter("is_fan"), table.filter(~pl.col("is_fan"))
    gmv = round(float(table["net_cny"].sum()), 6)  # parallel sums differ in the last digit from run to run
    numbers = {
        "fans": float(fans.height),
        "public": float(public.height),
        "buyers": float((table["net_cny"] > 0).sum()),
        "gmv_cny": gmv,
    }
    if fans.height:
        numbers["fans_who_bought"] = float((fans["net_cny"] > 0).sum()) / fans.height
    if gmv > 0:
        numbers["gmv_share_of_fans"] = round(float(fans["net_cny"].sum()) / gmv, 9)
    for name, group in (("content_share", fans), ("precise_share_public", public)):
        known = group.select("user_id").join(precise, on="user_id", how="inner")["precise"]
        if len(known):
            share = float(known.sum()) / len(known)
            numbers[name] = 1.0 - share if name == "content_share" else share
    return numbers


def _profile(table: pl.DataFrame) -> pl.DataFrame:
    """Shares of each group by level, for the columns that tell most."""
    groups = {
        "fans": pl.col("is_fan").cast(pl.Float64),
        "public": (~pl.col("is_fan")).cast(pl.Float64),
        "buyers": (pl.col("net_cny") > 0).cast(pl.Float64),
        "gmv": pl.col("net_cny"),
    }
    parts: list[tuple[float, pl.DataFrame]] = []
    for name in _columns(table):
        sums = table.group_by(_level(table[name])).agg(**{name: of.sum() for name, of in groups.items()})
        if sums.height < 2:
            continue
        all_of = pl.col(GROUPS)
        shares = sums.with_columns(pl.when(all_of.sum() > 0).then((all_of / all_of.sum()).round(9)))
        shares = shares.sort("level")
        gap = shares.select((pl.col("fans") - pl.col("gmv").fill_null(pl.col("public"))).abs().max()).item()
        rank = 10.0 - FIRST_COLUMNS.index(name) if name in FIRST_COLUMNS else float(gap or 0.0)
        parts.append((rank, shares.select(pl.lit(name).alias("column"), "level", *GROUPS)))
    if not parts:
        return pl.DataFrame(schema=PROFILE)
    parts.sort(key=lambda part: -part[0])
    return pl.concat([frame for _, frame in parts[: SETTINGS.profile_columns]])


def _columns(table: pl.DataFrame) -> list[str]:
    """Columns with few levels (numbers only where they are whole: tiers, not probabilities)."""
    chosen = []
    for name in table.columns:
        column = table[name]
        kind = column.dtype
        if name in (*NOT_FEATURES, "net_cny") or kind.is_temporal() or kind.is_nested():
            continue
        whole = not kind.is_float() or (column.drop_nulls() % 1 == 0).all()
        if whole and 2 <= column.n_unique() <= SETTINGS.profile_levels:
            chosen.append(name)
    return chosen


def _level(column: pl.Series) -> pl.Expr:
    written = pl.col(column.name).cast(pl.String)
    whole = written.str.strip_suffix(".0") if column.dtype.is_float() else written
    return whole.fill_null(UNKNOWN).alias("level")


def _segments(users: pl.DataFrame, scores: pl.DataFrame, segmentation: Segmentation) -> pl.DataFrame:
    everyone = segmentation.segmenter.assign(scores, everyone=True)
    fans = (
        everyone.join(users.filter("is_fan").select("user_id"), on="user_id", how="semi")
        .group_by("segment")
        .agg(pl.len().cast(pl.Int64).alias("fans"))
    )
    summary = segmentation.summary.select("segment", "fan_kind", pl.col("users").cast(pl.Int64))
    joined = summary.join(fans, on="segment", how="left", maintain_order="left")
    return joined.with_columns(pl.col("fans").fill_null(0))
