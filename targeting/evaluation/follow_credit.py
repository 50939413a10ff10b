"""Who became a fan, and by which row: one follow a person, as training counts it (`models.events.event_log`).

Frames in, frames out.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl


def known_by_then(exposures: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    """Exposures up to a moment; a follow that came later had not happened yet."""
    seen = pl.col("followed").fill_null(False) & (pl.coalesce("followed_at", "exposed_at") <= moment)
    return exposures.filter(pl.col("exposed_at") <= moment).with_columns(
        followed=seen, followed_at=pl.when(seen).then("followed_at")
    )


def credited(exposures: pl.DataFrame) -> pl.DataFrame:
    """The row that won each fan, `followed_at` filled; rows in the order of the follows.

    A person's first follow counts. Where several rows claim it, the last that was shown before it has it.
    """
    return (
        exposures.filter(pl.col("followed").fill_null(False))
        .with_columns(followed_at=pl.coalesce("followed_at", "exposed_at"))
        .sort("followed_at", "exposed_at", "exposure_id", descending=[False, True, False])
        .unique("user_id", keep="first", maintain_order=True)
    )


def at_risk(rows: pl.DataFrame, exposures: pl.DataFrame) -> pl.DataFrame:
    """Rows of people who did not follow yet: whoever followed, through whatever row, cannot be won again.

    Args:
        rows: Some of the exposures.
        exposures: All of them: a follow may come up to a day after a row of another day or campaign.

    Returns:
        The rows up to the person's follow, in their order; of those that claim it the one that is credited.
    """
    first = credited(exposures).select("user_id", first="followed_at", winner="exposure_id")
    followed = pl.col("followed").fill_null(False)
    return (
        rows.join(first, on="user_id", how="left", maintain_order="left")
        .filter(pl.col("first").is_null() | (pl.col("exposed_at") <= pl.col("first")))
        .filter(~followed | (pl.col("exposure_id") == pl.col("winner")))
        .drop("first", "winner")
    )
