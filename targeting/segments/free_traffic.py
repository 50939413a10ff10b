"""Free traffic that comes with paid (付费带来的自然流量). In: the log. Out: a sentence, with its error.

A fuller live room is shown to more people for nothing, so fans come without an impression because money was
spent. People whom a coin held out tell: nobody paid for them. Their follows per person and day are set
against the day's spend, E[y_d] = n_d (a + k s_d / mean s), by weighted least squares with the counts' own
variance times its overdispersion; a would have come anyway, k comes with a day of usual spend. Days without
spend tell most; without them days of more and less spend do, and the error says how well. The coin chose the
people, not the days: a festival that brings spend and visitors alike looks the same, hence *comes with*.
It must not import estimators or the allocator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from models.events.event_log import CONTROL, FOLLOW_WINDOW, EventLog
from models.judging.policy_value import Z95
from targeting.segments.segment_settings import SETTINGS

_READ = ("exposed_at", "at_risk", "placement", "randomized", "followed", "cost_cny", "user", "impressions")


@dataclass(frozen=True)
class FreeFollows:
    """Follows of held-out people, per person and day.

    Attributes:
        anyway: without spend.
        with_spend: more on a day of usual spend; error: its standard error.
        follows, days: seen of held-out people.
        person_days: of people who were not fans and not shown to, over the logged days.
    """

    anyway: float
    with_spend: float
    error: float
    follows: int
    days: int
    person_days: float


def free_follows(log: EventLog) -> FreeFollows | None:
    """How follows without an impression go with the day's spend; None where no coin held anybody out, or the
    days are too few or too alike to tell.
    """
    rows = log.exposures.select(_READ)
    known = rows.filter(pl.col("exposed_at") <= log.as_of - FOLLOW_WINDOW)
    held = pl.col("at_risk") & (pl.col("placement") == CONTROL) & pl.col("randomized").fill_null(False)
    days = (
        known.group_by(pl.col("exposed_at").dt.date().alias("date"))
        .agg(
            people=held.sum().cast(pl.Float64),
            follows=(held & pl.col("followed")).sum().cast(pl.Float64),
            spend=pl.col("cost_cny").sum(),
            shown=pl.col("user").filter(pl.col("impressions") > 0).n_unique(),
        )
        .sort("date")
    )
    told = days.filter(pl.col("people") > 0)
    if told.height < SETTINGS.least_days or not told["follows"].sum() or not told["spend"].std():
        return None
    people, follows = told["people"].to_numpy(), told["follows"].to_numpy()
    spend = told["spend"].to_numpy() / told["spend"].mean()
    anyway, slope, error = _line(people, follows, spend)
    public = log.users.height - log.users["is_fan"].fill_null(False).sum()
    return FreeFollows(
        anyway=max(anyway, 0.0),
        with_spend=slope,
        error=error,
        follows=int(follows.sum()),
        days=told.height,
        person_days=max(float(public) * days.height - float(days["shown"].sum()), 0.0),
    )


def _line(people: np.ndarray, follows: np.ndarray, spend: np.ndarray) -> tuple[float, float, float]:
    """Intercept, slope and its error of follows per person on spend."""
    rate = follows.sum() / people.sum()
    centre = float(np.average(spend, weights=people))
    spread = float((people * (spend - centre) ** 2).sum())
    slope = float((people * (spend - centre) * (follows / people - rate)).sum()) / spread
    left = follows - people * (rate + slope * (spend - centre))
    dispersion = max(float((left**2 / (people * rate)).sum()) / (len(spend) - 2), 1.0)
    return float(rate - slope * centre), slope, float(np.sqrt(dispersion * rate / spread))


def free_traffic_sentences(log: EventLog) -> tuple[str, ...]:
    """What comes without an impression on days of spend, in a sentence; none where no coin tells."""
    found = free_follows(log)
    if found is None:
        return ()
    reach = Z95 * found.error
    low, fans, high = (
        found.person_days * max(x, 0.0)
        for x in (found.with_spend - reach, found.with_spend, found.with_spend + reach)
    )
    base = (
        f"Of people whom a coin held out {1e4 * (found.anyway + max(found.with_spend, 0.0)):.1f} in 10,000"
        " follow on a day of usual spend"
    )
    if low > 0.0:
        return (
            f"{base}, {1e4 * found.anyway:.1f} of them anyway: about {fans:,.0f} fans of the logged days"
            f" (95 %: {low:,.0f} to {high:,.0f}) came without an impression along with the spend: free"
            " traffic on top of what the plan promises.",
        )
    return (
        f"{base}: no free traffic that comes with paid can be told from {found.follows} follows over"
        f" {found.days} days; there may be up to {high:,.0f} such fans, and none is in the plan's promise.",
    )
