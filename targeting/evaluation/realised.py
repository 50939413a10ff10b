"""What came of a campaign, person by person, as far as the logs know it: its rows, its fans, their orders.

Frames in, frames out. It must not import estimators or the optimiser.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from models.contracts import Dataset
from models.errors import DataError
from models.events.event_log import CONTROL, EventLog, read_events
from targeting.evaluation.organic_baseline import organic_fans
from targeting.evaluation.runoff import fan_orders
from targeting.plan.decided import DecidedPlan

OUTSIDE = "outside the plan"
_FAN = ("user_id", "segment", "placement", "followed_at")


@dataclass(frozen=True)
class Came:
    """What came of a campaign, as far as the logs know it.

    Attributes:
        log: events of all campaigns, as they were known.
        rows: its exposures of the campaign, each with its person's segment.
        fans: user_id, segment, placement, followed_at of the people it won.
        orders: theirs within the horizon.
        older: all fans in the data, and their orders: how GMV comes in after a follow.
        organic: see `organic_fans`.
        horizon_days: how long purchases count.
        known_by: later is not known.
        follows_without_time: of the campaign; they are taken to be of their impression's time.
        about_rows: what to know of how the rows were found and cut.
    """

    log: EventLog
    rows: pl.DataFrame
    fans: pl.DataFrame
    orders: pl.DataFrame
    older: tuple[pl.DataFrame, pl.DataFrame]
    organic: tuple[float, float, int] | None
    horizon_days: int
    known_by: datetime
    follows_without_time: int
    about_rows: tuple[str, ...]


def what_came(
    plan: DecidedPlan,
    dataset: Dataset,
    *,
    as_of: datetime | None,
    horizon_days: int | None,
    campaign_id: str | None,
) -> Came:
    """The campaign of a plan in the logs; the arguments are those of `by_logs.evaluate_campaign`.

    Raises:
        DataError: the plan has no segments, or the data has no row of the campaign.
    """
    people = _people(plan)
    horizon = horizon_days or plan.campaign.horizon_days
    known_by = as_of or _last_event(dataset)
    found, about_rows = _campaign_rows(plan, dataset.exposures, campaign_id or plan.campaign.campaign_id)
    # what happened at `known_by` is known
    log = read_events(dataset, as_of=known_by + timedelta(microseconds=1))
    rows = (
        log.exposures.join(found.select("exposure_id"), on="exposure_id", how="semi")
        .join(people, on="user_id", how="left", maintain_order="left")
        .with_columns(pl.col("segment").fill_null(OUTSIDE))
    )
    _refuse_strangers(rows, people)
    everyone = log.follows.filter(pl.col("placement") != CONTROL).with_columns(segment=pl.lit(""))
    fans = everyone.drop("segment").join(rows.select("exposure_id", "segment"), on="exposure_id")
    fans, everyone = (frame.select(_FAN).sort("followed_at", "user_id") for frame in (fans, everyone))

    def bought(of: pl.DataFrame) -> pl.DataFrame:
        return fan_orders(of, dataset.orders, horizon_days=horizon, known_by=known_by)

    return Came(
        log=log,
        rows=rows,
        fans=fans,
        orders=bought(fans),
        older=(everyone, bought(everyone)),
        organic=organic_fans(rows, log),
        horizon_days=horizon,
        known_by=known_by,
        follows_without_time=found.filter(pl.col("followed") & pl.col("followed_at").is_null()).height,
        about_rows=(*about_rows, *_about_time(plan, found, rows, horizon_days=horizon, known_by=known_by)),
    )


def _people(plan: DecidedPlan) -> pl.DataFrame:
    """user_id, segment of the people the plan was made for."""
    if plan.audience is not None:
        return plan.audience.segments
    if plan.provenance.model_uri is not None:
        raise DataError(
            "plan: was made for people, but its segments.parquet is not there (a copy from MLflow has"
            " none); give the directory that `targeting plan` wrote"
        )
    raise DataError(
        "plan: has no segments.parquet (made from delivery or supplied curves), so logged users cannot "
        "be placed; give a data directory that holds a delivery report of the campaign"
    )


def _campaign_rows(
    plan: DecidedPlan, exposures: pl.DataFrame, campaign_id: str
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Exposures of the campaign; where no shown row carries its id, those of its days; and a word on it."""
    at, shown = pl.col("exposed_at"), pl.col("placement") != "none"
    start = plan.campaign.starts_at
    stop = None if start is None else start + timedelta(days=plan.campaign.days)
    span = "" if start is None else f"{start:%Y-%m-%d %H:%M} to {stop:%Y-%m-%d %H:%M}"
    rows = exposures.filter(pl.col("campaign_id") == campaign_id)
    if rows.filter(shown).height:
        late = rows.head(0) if start is None else rows.filter((at < start) | (at >= stop))
        if late.is_empty():
            return rows, ()
        return rows, (
            f"{late.height:,} of {rows.height:,} exposures of {campaign_id} are not of the plan's days"
            f" ({span}) but of {_times(late)}; they are judged as its own",
        )
    if start is not None:
        rows = exposures.filter((at >= start) & (at < stop))
    if start is None or rows.filter(shown).is_empty():
        days = f" or of its days, {span}," if span else ""
        raise DataError(
            f"exposures: no row of campaign_id {campaign_id!r}{days} was shown; campaigns found:"
            f" {_named(exposures)}; exposed {_times(exposures)}; give data that covers the campaign"
        )
    return rows, (
        f"no shown exposure carries campaign_id {campaign_id!r}: everything shown from {span} is judged,"
        f" which is of {_named(rows)}",
    )


def _about_time(
    plan: DecidedPlan, found: pl.DataFrame, rows: pl.DataFrame, *, horizon_days: int, known_by: datetime
) -> tuple[str, ...]:
    """A word where the promise is of other days than the judgement, or some rows are not known yet."""
    said = []
    promised = plan.campaign.horizon_days
    if horizon_days != promised:
        said.append(
            f"purchases count {horizon_days} days after the follow, the plan's promise is of {promised}: the"
            " two differ for that alone"
        )
    if rows.height < found.height:
        said.append(
            f"{found.height - rows.height:,} of {found.height:,} exposures of the campaign are later than"
            f" {known_by:%Y-%m-%d %H:%M} and not known yet"
        )
    return tuple(said)


def _refuse_strangers(rows: pl.DataFrame, segments: pl.DataFrame) -> None:
    shown = rows.filter(pl.col("placement") != "none")
    if shown.height and (shown["segment"] == OUTSIDE).all():
        raise DataError(
            f"exposures: none of the campaign's {shown.height:,} shown rows is of a person of the plan (first"
            f" user_id {shown['user_id'][0]!r}, the plan's {segments['user_id'][0]!r}); expected the ids that"
            " the plan was made for"
        )


def _times(exposures: pl.DataFrame) -> str:
    """From the first to the last, to the minute."""
    first, last = exposures["exposed_at"].min(), exposures["exposed_at"].max()
    return f"{str(first)[:16]} to {str(last)[:16]}"


def _named(exposures: pl.DataFrame) -> str:
    """The first campaigns by name."""
    found = exposures["campaign_id"].unique().sort().to_list()
    return (", ".join(map(str, found[:5])) or "none") + (" ..." if len(found) > 5 else "")


def _last_event(dataset: Dataset) -> datetime:
    shown = dataset.exposures
    times = [shown["exposed_at"].max(), shown["followed_at"].max(), dataset.orders["ordered_at"].max()]
    return max(t for t in times if isinstance(t, datetime))
