"""What a planner remembers besides the audience model: segments, response curves, evidence, the diagnosis.

Learned from the logs once, written as text beside the registered model, so that planning needs no logs. It
must not import the optimiser or the registry.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any

import numpy as np
import polars as pl
from pydantic import TypeAdapter

from models.audience.buyer_totals import buyer_totals
from models.audience.cells import CellFactors, cell_factors
from models.audience.model import AudienceModel
from models.chance import Chance, binned
from models.contracts import Dataset
from models.errors import DataError
from models.events.event_log import Tables, read_events
from models.events.hourly_outcomes import hourly_outcomes
from models.stored import File, Rows, read, written
from models.supply.day_parts import DayParts, fit_day_parts
from models.supply.live_room import LiveRoom, days_of_log, fit_room
from models.supply.response import ResponseModel, daily_delivery, fit_response
from targeting.plan.provenance import NO_DIFFERENCE
from targeting.segments import Segmentation, Segmenter, form_segments, usual_audience
from targeting.segments.diagnosis import Diagnosis, diagnose
from targeting.segments.free_traffic import free_traffic_sentences
from targeting.segments.segment_settings import SETTINGS

log = logging.getLogger(__name__)
HISTORY = {"segment": pl.String, "placement": pl.String, "spend_cny": pl.Float64}
FILES = ("segmenter.json", "response.json", "evidence.json", "planner.json")


@dataclass(frozen=True, repr=False)
class PlanningState:
    """What was learned about segments and money.

    Attributes:
        segmenter: puts scored users into segments.
        response: one-day supply curves per segment x placement.
        evidence: hazard and value per cell against what was logged, with draws.
        history: segment, placement, spend_cny: what the logs spent, for the comparison with the last plan.
        diagnosis: the present fans against the buyers; None where it could not be made.
        as_of: nothing after this moment was used.
        fingerprints: content hash of each training table.
        rejected_rows: training rows that were quarantined.
        warnings: one line each.
        value_kept: plan value of the segments over that of user-level choice (see `Segmentation`).
        gain_seen: share of the promised gain of telling people apart that held-out outcomes show.
        chance: how one day's outcomes scatter around what is expected; None in a state of before.
        parts: how hours and weekdays differ; None in a state of before.
        room: how many the live room holds; None where nothing tells, and in a state of before.
    """

    segmenter: Segmenter
    response: ResponseModel
    evidence: CellFactors
    history: pl.DataFrame
    diagnosis: Diagnosis | None
    as_of: datetime
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    rejected_rows: int = 0
    warnings: tuple[str, ...] = ()
    value_kept: float | None = None
    gain_seen: float | None = None
    chance: Chance | None = None
    parts: DayParts | None = None
    room: LiveRoom | None = None

    def to_files(self) -> dict[str, str]:
        """The state as JSON files by name."""
        return {
            "segmenter.json": self.segmenter.to_json(),
            "response.json": self.response.to_json(),
            "evidence.json": self.evidence.to_json(),
            "planner.json": written(_PLANNER, _PlannerFile.model_validate(self)),
        }

    @classmethod
    def from_files(cls, files: Mapping[str, str]) -> PlanningState:
        """The state that `to_files` wrote.

        Raises:
            DataError: a file is missing or is not what `to_files` wrote.
        """
        missing = [name for name in FILES if name not in files]
        if missing:
            raise DataError(
                f"model: {missing[0]} is missing, so it can score but not plan; run `targeting train` again"
            )
        rest = read(_PLANNER, files["planner.json"], source="planner.json", what="planning state")
        return cls(
            segmenter=Segmenter.from_json(files["segmenter.json"]),
            response=ResponseModel.from_json(files["response.json"]),
            evidence=CellFactors.from_json(files["evidence.json"]),
            **dict(rest),
        )


class _PlannerFile(File):
    """planner.json."""

    history: Annotated[pl.DataFrame, Rows(HISTORY)]
    as_of: datetime
    fingerprints: Mapping[str, str]
    rejected_rows: int
    warnings: tuple[str, ...]
    diagnosis: Diagnosis | None
    value_kept: float | None
    gain_seen: float | None
    chance: Chance | None = None
    parts: DayParts | None = None
    room: LiveRoom | None = None


_PLANNER = TypeAdapter(_PlannerFile)


def last_moment(dataset: Dataset) -> datetime:
    """Just after the last event of the data: the natural `as_of`, found without a clock."""
    times = [
        dataset.users["snapshot_at"].max(),
        dataset.exposures["exposed_at"].max(),
        dataset.exposures["followed_at"].max(),
        dataset.orders["ordered_at"].max(),
    ]
    known = [t for t in times if isinstance(t, datetime)]
    if not known:
        raise DataError("data: no event has a time; expected exposed_at in exposures")
    return max(known) + timedelta(seconds=1)


def present_users(dataset: Tables) -> pl.DataFrame:
    """`users` with `is_fan` brought up to date: whoever the logs saw follow is a fan now and no longer
    eligible.
    """
    shown = dataset.exposures.select("user_id", "followed")
    followers = shown.filter(pl.col("followed").fill_null(False))["user_id"].unique()
    return dataset.users.with_columns(pl.col("is_fan") | pl.col("user_id").is_in(followers.implode()))


def tables(data: Mapping[str, object]) -> dict[str, Any]:
    """The three tables of a mapping, or what is missing."""
    missing = [name for name in ("users", "exposures", "orders") if name not in data]
    if missing:
        raise DataError(f"data: table {missing[0]!r} is missing; expected users, exposures and orders")
    return {name: data[name] for name in ("users", "exposures", "orders")}


def logged_placements(dataset: Dataset) -> tuple[str, ...]:
    """Placements that the logs show, in alphabetical order, the held-out `none` left away."""
    found = dataset.exposures["placement"].unique().sort().to_list()
    chosen = tuple(p for p in found if p != "none")
    if not chosen:
        raise DataError("exposures: every row is a held-out one (placement none); nothing can be learned")
    return chosen


def learn_state(
    dataset: Dataset,
    *,
    model: AudienceModel,
    as_of: datetime,
    rng: np.random.Generator,
    n_draws: int,
    min_audience: int | None = None,
) -> PlanningState:
    """Segments of the people who can still be won, and what the logs say of money in each of them.

    Args:
        dataset: the logs.
        model: learned from them.
        as_of: nothing at or after this moment is used.
        rng: for the draws.
        n_draws: joint draws behind the 80 % intervals.
        min_audience: fewest users in a segment; default: `segments.formation.usual_audience`.
    """
    users = present_users(dataset)
    scores = model.score(users)
    found = form_segments(scores, users, min_audience=min_audience, trial=model.later_outcomes)
    log.info("planner: %d segments of %d users", found.summary.height, found.assignment.height)
    everyone = found.segmenter.assign(scores, everyone=True)
    events = read_events(dataset, as_of=as_of)
    daily = daily_delivery(events, everyone)
    reachable = _reachable(dataset, found, everyone)
    days = model.horizon_days
    response = fit_response(
        daily, users_by_segment=reachable, rng=rng, n_draws=n_draws, placements=model.placements
    )
    evidence = cell_factors(
        events, everyone, scores, horizon_days=days, rng=rng, n_draws=n_draws, trends=model.funnel.trends,
        keener=1.0 if model.value is None else model.value.keener,
    ).of_the_plan(rng)  # fmt: skip
    diagnosis = diagnose(
        present_users(events), events.orders, scores, found, as_of=as_of, horizon_days=days,
        more=free_traffic_sentences(events),
    )  # fmt: skip
    return PlanningState(
        segmenter=found.segmenter,
        response=response,
        evidence=evidence,
        history=_spent(daily),
        diagnosis=diagnosis,
        as_of=as_of,
        fingerprints=dataset.fingerprints,
        rejected_rows=dataset.rejected.height,
        warnings=(*dataset.warnings, *model.warnings, *segment_warnings(found, min_audience)),
        value_kept=found.value_kept,
        gain_seen=found.gain_seen,
        chance=Chance(*binned(buyer_totals(events, horizon_days=days)), *response.day_scatter),
        parts=fit_day_parts(hourly_outcomes(events, horizon_days=days)),
        room=fit_room(days_of_log(events.exposures, scores), rng=rng, n_draws=n_draws),
    )


def _spent(daily: pl.DataFrame) -> pl.DataFrame:
    """`HISTORY`; rounded, because a parallel sum of floats differs in its last digit from run to run."""
    spent = pl.col("cost_cny").sum().round(6).alias("spend_cny")
    return daily.group_by("segment", "placement").agg(spent).sort("segment", "placement").select(*HISTORY)


def segment_warnings(segmentation: Segmentation, min_audience: int | None) -> tuple[str, ...]:
    """A word where nobody could be told apart, or where what people did later does not bear out what they
    were promised to be worth.
    """
    people = segmentation.assignment.height
    if segmentation.summary.height < 2:
        several = people >= 2 * (min_audience or usual_audience(people))
        return (NO_DIFFERENCE,) if several else ()
    seen = segmentation.gain_seen
    if seen is None or seen >= SETTINGS.doubtful_gain:
        return ()
    return (
        f"segments: later purchases show {seen:.0%} of the differences between people that were promised; "
        f"take the segments as guesses until more new fans have bought",
    )


def _reachable(dataset: Dataset, segmentation: Segmentation, everyone: pl.DataFrame) -> dict[str, float]:
    """Users per segment on whom the logged money was spent: not fans yet, or shown to before they were."""
    rows = dataset.exposures.select("user_id", "placement")
    shown = rows.filter(pl.col("placement") != "none").select("user_id").unique()
    reached = everyone.join(
        pl.concat([segmentation.assignment.select("user_id"), shown]).unique(), on="user_id", how="semi"
    )
    found = dict(reached.group_by("segment").len().rows())
    return {segment: float(found.get(segment, 1)) for segment in segmentation.summary["segment"].to_list()}
