"""The allocation as a table for people who do not read English: headers, names and reasons in their words."""

from __future__ import annotations

import polars as pl

from targeting.plan.decided import DecidedPlan
from targeting.report.saying import reason
from targeting.words import words_in


def translated(plan: DecidedPlan, language: str) -> dict[str, pl.DataFrame | str]:
    """`allocation.<language>.csv`, the plan's allocation said in that language; nothing in English."""
    words = words_in(language)
    if language == "en":
        return {}
    said = {
        "segment": words.segment,
        "placement": words.placement,
        "reason": lambda text: reason(words, text),
    }
    told = plan.allocation.with_columns(
        pl.col(name).map_elements(say, return_dtype=pl.String) for name, say in said.items()
    )
    return {f"allocation.{language}.csv": told.rename({c: words.columns.get(c, c) for c in told.columns})}
