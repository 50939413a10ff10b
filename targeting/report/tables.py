"""The allocation as a table for people who do not read English: headers, names and reasons in their words."""

from __future__ import annotations

import polars as pl

from models.escaping.tables import for_cells
from targeting.plan.decided import DecidedPlan
from targeting.report.saying import reason
from targeting.words import Words, words_in


def allocation_in(plan: DecidedPlan, words: Words) -> pl.DataFrame:
    """The plan's allocation with the reader's headers, names and reasons; in English as it is."""
    if words.language == "en":
        return plan.allocation
    said = {
        "segment": words.segment,
        "placement": words.placement,
        "reason": lambda text: reason(words, text),
    }
    told = plan.allocation.with_columns(
        pl.col(name).map_elements(say, return_dtype=pl.String) for name, say in said.items()
    )
    return told.rename({c: words.columns.get(c, c) for c in told.columns})


def sheet_text(sheet: pl.DataFrame) -> str:
    """The table as a CSV that a spreadsheet opens with its Chinese letters (BOM) and takes for no formula."""
    return "\ufeff" + for_cells(sheet).write_csv()


def translated(plan: DecidedPlan, language: str) -> dict[str, pl.DataFrame | str]:
    """`allocation.<language>.csv`, the plan's allocation said in that language; nothing in English."""
    if language == "en":
        return {}
    return {f"allocation.{language}.csv": sheet_text(allocation_in(plan, words_in(language)))}
