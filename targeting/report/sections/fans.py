"""Who the present fans are, against who buys."""

from __future__ import annotations

import polars as pl

from targeting.plan.decided import DecidedPlan
from targeting.report.console_terms import level_words
from targeting.report.section import Reader, Section
from targeting.segments.diagnosis import Diagnosis
from targeting.segments.segment_settings import SETTINGS
from targeting.words import Words


def section(plan: DecidedPlan, reader: Reader) -> Section | None:
    """Sentences, and bars of the share of the fans and of the money."""
    diagnosis = None if plan.audience is None else plan.audience.diagnosis
    if diagnosis is None:
        return None
    w = reader.words
    said = diagnosis.sentences if w.language == "en" else sentences(diagnosis, plan, w)
    return Section("fans", {"sentences": said, "bars": _bars(diagnosis, w)})


def sentences(diagnosis: Diagnosis, plan: DecidedPlan, w: Words) -> list[str]:
    """The diagnosis' own numbers in the reader's language."""
    n, said = diagnosis.numbers, []
    fans = w.count(n.get("fans", 0.0))
    if "content_share" in n:
        said.append(w.fans_content.format(fans=fans, share=w.share(n["content_share"])))
        if "precise_share_public" in n:
            said.append(
                w.fans_public.format(
                    public=w.count(n["public"]),
                    share=w.share(n["precise_share_public"]),
                    own=w.share(1.0 - n["content_share"]),
                )
            )
    if "gmv_share_of_fans" in n:
        said.append(
            w.fans_bought.format(
                days=plan.campaign.horizon_days,
                share=w.share(n["fans_who_bought"]),
                money=w.share(n["gmv_share_of_fans"]),
                gmv=w.yuan(n["gmv_cny"]),
            )
        )
    return [*said, *_apart(diagnosis, w)]


def _apart(diagnosis: Diagnosis, w: Words) -> list[str]:
    """For each column the level whose share of the fans exceeds that of the money most."""
    profile = diagnosis.profile.filter(pl.col("gmv").is_not_null() & (pl.col("level") != "unknown"))
    gap = pl.col("fans") - pl.col("gmv")
    telling = profile.sort(gap, descending=True).unique("column", keep="first", maintain_order=True)
    told = telling.filter(gap >= SETTINGS.least_gap).head(SETTINGS.profile_sentences)
    return [
        w.fans_profile.format(
            who=level_words(w, row["column"], row["level"]),
            **{name: w.share(row[name]) for name in ("fans", "buyers", "gmv")},
        )
        for row in told.to_dicts()
    ]


def _bars(diagnosis: Diagnosis, w: Words) -> list[dict[str, object]]:
    """Fans against money, for the two columns on which they differ most."""
    profile = diagnosis.profile
    if profile.is_empty() or profile["gmv"].null_count() == profile.height:
        return []
    apart = profile.group_by("column").agg(gap=(pl.col("fans") - pl.col("gmv")).abs().sum())
    columns = apart.sort("gap", "column", descending=[True, False]).filter(pl.col("gap") > 0)["column"]
    shown = profile.filter(pl.col("column").is_in(columns.head(2).implode()))
    return [
        {
            "label": level_words(w, row["column"], row["level"]),
            "fans": w.share(row["fans"] or 0.0),
            "gmv": w.share(row["gmv"] or 0.0),
            "fans_bar": round(100 * (row["fans"] or 0.0), 1),
            "gmv_bar": round(100 * (row["gmv"] or 0.0), 1),
        }
        for row in shown.to_dicts()
    ]
