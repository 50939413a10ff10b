"""What a campaign's fans and GMV would have been without it, as far as logs tell.

Held-out people tell who would have followed, the fans' own past what they would have bought. Frames in. It
must not import estimators or the optimiser.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from models.events.event_log import CONTROL, EventLog
from targeting.evaluation.randomised_rows import in_its_days


def organic_fans(rows: pl.DataFrame, log: EventLog) -> tuple[float, float, int] | None:
    """New fans the campaign would have had anyway, the standard error, and held-out person-days behind it.

    Held-out people of the campaign's days, of whatever campaign, tell how often a person follows in a day;
    the campaign's own shown person-days are taken to be like them. None without held-out rows.

    Args:
        rows: Exposures of the campaign in the log.
        log: Of all campaigns; who follows already is left out of both.
    """
    day = pl.col("exposed_at").dt.date()
    held_out = (
        in_its_days(log.exposures, rows)
        .filter(pl.col("at_risk") & (pl.col("placement") == CONTROL))
        .group_by("user_id", day)
        .agg(pl.col("followed").any())
    )
    if held_out.is_empty():
        return None
    shown = rows.filter(pl.col("at_risk") & (pl.col("placement") != CONTROL))
    person_days = shown.select("user_id", day).n_unique()
    n, k = held_out.height, int(held_out["followed"].sum())
    # The error by one more follow and one more without (Laplace): none among few does not mean never.
    rate = (k + 1) / (n + 2)
    return k / n * person_days, person_days * float(np.sqrt(rate * (1 - rate) / n)), n


def organic_note(organic: tuple[float, float, int] | None, fans: int) -> str:
    """It in a sentence, also where it is not known."""
    if organic is None:
        return "no held-out rows in the campaign: realised fans include those who would have followed anyway"
    number, error, rows = organic
    return (
        f"about {min(number, fans):,.0f} (+- {error:,.0f}) of the {fans:,} new fans would have followed"
        f" anyway (rate of {rows:,} held-out person-days)"
    )


def own_note(
    fans: pl.DataFrame, orders: pl.DataFrame, *, horizon_days: int, known_by: datetime
) -> tuple[str, ...]:
    """What the same fans bought a day before they followed, over the days since: theirs without the follow.

    The promise counts what a follow adds, realised GMV everything a fan bought after it. Silent where the
    orders do not reach a day back.
    """
    at, first = pl.col("ordered_at"), orders["ordered_at"].min()
    if fans.is_empty() or not isinstance(first, datetime):
        return ()
    day = timedelta(days=1)
    spans = fans.with_columns(
        back=pl.min_horizontal((pl.col("followed_at") - first) / day, pl.lit(float(horizon_days))),
        since=pl.min_horizontal((known_by - pl.col("followed_at")) / day, pl.lit(float(horizon_days))),
    ).filter(pl.col("back") >= 1)
    before = orders.join(spans, on="user_id").filter(
        (at < pl.col("followed_at")) & (at >= pl.col("followed_at") - pl.col("back") * day)
    )
    if before.is_empty():
        return ()
    net = float((before["gmv_cny"] - before["refund_cny"].fill_null(0.0)).sum())
    daily = net / float(spans["back"].sum())
    return (
        f"before they followed, these fans bought {daily:,.3g} yuan each per day: at that rate"
        f" {daily * float(spans['since'].sum()):,.0f} yuan of the realised GMV would have come anyway, which"
        " the promise does not count",
    )
