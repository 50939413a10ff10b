"""The audience model. In: a user's columns. Out: what showing a placement to this user is worth.

One frozen object, fitted once, scored by any engine (a pure function from Arrow batch to Arrow batch),
written as text files and read back to the same numbers. Features are coded by `encoding`, events come from
`models.events`, rates from `follow`, GMV from `value`.

Must not import mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

import numpy as np
import polars as pl
from pydantic import Field, TypeAdapter

from models.audience.encoding import FeatureEncoder
from models.audience.funnel import Funnel
from models.audience.held_out import Claims, Past, claim, judge_held_out
from models.audience.horizon import horizon_warnings, refuse_far_horizon
from models.audience.later_outcomes import add_outcomes, without_outcomes
from models.audience.learned import learn
from models.audience.model_files import MODEL_FILE, read_files, write_files
from models.audience.proof import prove
from models.audience.score_table import NUMBERS, score_batch, score_table
from models.audience.settings import AUDIENCE
from models.audience.value import ValueModel
from models.contracts.features import Feature
from models.errors import DataError
from models.events.event_log import EventLog, Tables, read_events
from models.events.training_rows import training_log
from models.rates.batch import Batch
from models.rates.calibration import Reliability
from models.rates.linear import LinearTerm
from models.rates.rate import lines_of
from models.rates.settings import RATES
from models.rates.shape import Fitting
from models.stored import Rows, plain, read

if TYPE_CHECKING:
    import pyarrow as pa

NO_VALUE = (
    "no new fan has a kept order: GMV per fan is unknown, only new_fans and live_entries can be planned"
)


@dataclass(frozen=True)
class AudienceModel:
    """Follow hazards and GMV per new fan for every user and placement.

    Attributes:
        encoder: Feature columns and codes.
        placements: Placements, in the order of the scores.
        horizon_days: GMV of a new fan counts this long after the follow.
        as_of: Nothing at or after this moment was used.
        funnel: Incremental follow hazards.
        value: Buying and spending, or None when no follower had a kept order.
        metrics: Counts, and calibration on held-out time.
        claims: Whether the effects may be called causal, and why.
        warnings: What had to be assumed, in words.
        reliability: Predicted against observed on held-out time, by outcome, for charts.
        threads: Threads used for fitting and scoring.
        later_outcomes: What came of people after the scores of an earlier model (see
            `models.audience.later_outcomes`); known when fitted, not saved.
    """

    encoder: FeatureEncoder
    placements: tuple[str, ...]
    horizon_days: Annotated[int, Field(ge=1, le=3650)]
    as_of: datetime
    funnel: Funnel
    value: ValueModel | None
    metrics: Mapping[str, float]
    claims: Claims
    warnings: tuple[str, ...]
    reliability: Mapping[str, Reliability]
    threads: Annotated[int, Field(ge=1, le=1024)] = 2
    later_outcomes: Annotated[pl.DataFrame | None, Rows({}), Field(exclude=True)] = field(
        default=None, repr=False, compare=False
    )

    @classmethod
    def fit(
        cls,
        dataset: Tables,
        *,
        placements: tuple[str, ...],
        as_of: datetime,
        horizon_days: int,
        seed: int,
        threads: int = 2,
    ) -> AudienceModel:
        """Learn from logs known by `as_of`.

        Fitted twice: on the earlier part of the exposures, to be judged on the later part (metrics,
        reliability), and on all of them. Levels and slopes come from cross-validation over users.

        Args:
            dataset: Normalised users, exposures and orders.
            placements: Placements of the brief.
            as_of: Now, for the model.
            horizon_days: GMV horizon in days.
            seed: Seed of folds and column sampling.
            threads: LightGBM threads (same seed and threads: same model).

        Raises:
            DataError: Too few rows or follows, or a placement without any.
            CampaignError: A horizon far beyond what the logs have seen.
        """
        log = training_log(read_events(dataset, as_of=as_of), placements=placements)
        refuse_far_horizon(log, horizon_days=horizon_days)
        encoder = FeatureEncoder.fit(log.users)
        fitting = Fitting(encoder.encode(log.users), encoder.categorical, seed, threads)
        held_out = judge_held_out(fitting, log, placements=placements, horizon_days=horizon_days)
        learned = learn(fitting, log, placements=placements, horizon_days=horizon_days)
        funnel, value = learned.funnel, learned.value
        known = {} if value is None else value.metrics
        sizes = {"users": float(log.users.height), "exposure_rows": float(log.exposures.height)}
        model = cls(
            encoder=encoder,
            placements=placements,
            horizon_days=horizon_days,
            as_of=as_of,
            funnel=funnel,
            value=value,
            metrics={**funnel.metrics, **known, **held_out.metrics, **sizes},
            claims=claim(log.exposures, placements),
            warnings=(*log.warnings, *held_out.warnings, *_about(value)),
            reliability=held_out.tables,
            threads=threads,
        )
        return replace(model, later_outcomes=model._since(held_out.past, log, fitting))

    def _since(self, past: Past | None, log: EventLog, fitting: Fitting) -> pl.DataFrame | None:
        """What came of people after the earlier model had scored them: of nobody, where it knew of no buyer;
        None where there are no promises in money.
        """
        if self.value is None:
            return None
        if past is None or past.value is None:
            return without_outcomes(self.score(log.users))
        earlier = replace(self, funnel=past.funnel, value=past.value)
        scores = earlier.score(past.judged.users)
        return add_outcomes(scores, value=past.value, judged=past.judged, matrix=fitting.matrix)

    @cached_property
    def _lines(self) -> tuple[LinearTerm, ...]:
        """Lines of all rates that scoring asks."""
        value = self.value
        of_value = (value.buy, value.size, value.organic) if value else ()
        steps = [rate for one in self.funnel.placements.values() for rate in (one.follow, one.enter)]
        return lines_of([*steps, self.funnel.organic, *of_value])

    @property
    def features(self) -> tuple[Feature, ...]:
        """How scoring reads each feature column: by its kind in training, whatever a batch makes of it."""
        return self.encoder.columns

    @property
    def schema(self) -> tuple[str, ...]:
        """Feature columns that scoring needs, besides user_id and is_fan."""
        return self.encoder.names

    @property
    def value_known(self) -> bool:
        """False when no follower had a kept order: gmv_per_fan_cny is then 0 and only counts of fans can
        be planned.
        """
        return self.value is not None

    def score(self, users: pl.DataFrame, *, is_read: bool = False) -> pl.DataFrame:
        """Score users.

        Args:
            users: user_id, is_fan (absent: nobody is a fan) and the feature columns; other columns are
            ignored.
            is_read: They came through the door with the model's features.

        Returns:
            One row per user and placement, users in the given order: user_id, placement, p_follow
            (incremental follow hazard per
            impression), gmv_per_fan_cny (horizon, incremental, net of refunds), p_precise, eligible,
            p_enter (null without a live step).

        Raises:
            DataError: user_id or a feature column is missing or of the wrong kind.
        """
        if "user_id" not in users.columns:
            raise DataError("users: column user_id is missing; add it")
        matrix = self.encoder.encode(users, is_read=is_read)
        scores = {name: np.zeros((users.height, len(self.placements))) for name in NUMBERS}
        for start in range(0, users.height, AUDIENCE.score_rows):
            at = slice(start, start + AUDIENCE.score_rows)
            batch = Batch(matrix[at], users.height >= RATES.many_rows, self._lines)
            for j, name in enumerate(self.placements):
                scores["p_enter"][at, j], scores["p_follow"][at, j] = self._follow(batch, name)
                if self.value:
                    gmv = self.value.incremental_gmv(batch, j, threads=self.threads)
                    scores["gmv_per_fan_cny"][at, j] = gmv
                    scores["p_precise"][at, j] = self.value.p_precise(batch, j, threads=self.threads)
        return score_table(users, placements=self.placements, scores=scores)

    def _follow(self, batch: Batch, name: str) -> tuple[np.ndarray, np.ndarray]:
        """P(enter) (NaN without a live step) and incremental follow hazard per impression, each (n,), at
        most one. Whoever would have followed that day anyway is no gain: exp(-organic) of h are incremental.
        """
        funnel = self.funnel.placements[name]
        unaided = self.funnel.organic_hazard(batch, threads=self.threads)
        follow = np.minimum(np.exp(funnel.log_hazard(batch, threads=self.threads) - unaided), 1.0)
        if funnel.enter is None:
            return np.full(len(batch), np.nan), follow
        enter = np.minimum(np.exp(funnel.enter.log_rate(batch, threads=self.threads)), 1.0)
        return enter, np.minimum(follow, enter)

    def score_batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """`score` for engines: Arrow batch in, Arrow batch out, no state."""
        return score_batch(self.score(pl.DataFrame(pl.from_arrow(batch))))

    def to_files(self) -> dict[str, str]:
        """The model as text: `audience.json` and one LightGBM text file per grown model."""
        return write_files(plain(_STORED, self))

    @classmethod
    def from_files(cls, files: Mapping[str, str]) -> AudienceModel:
        """Inverse of `to_files`; the scores are the same to the last digit.

        Raises:
            DataError: A file is missing, of another format or wrong in a key, or the model cannot score.
        """
        model = read(_STORED, read_files(files), source=MODEL_FILE, what="model")
        known = [tuple(model.funnel.placements), *([model.value.placements] if model.value else [])]
        if not model.placements or any(found != model.placements for found in known):
            raise DataError(
                f"{MODEL_FILE}: is not a model (placements: expected the same everywhere, and at least one); "
                "restore its files, or train again"
            )
        prove(model.score, model.features)
        return model


def _about(value: ValueModel | None) -> tuple[str, ...]:
    """A word on value: that it is unknown, or how much of it lies beyond the logs."""
    return (NO_VALUE,) if value is None else horizon_warnings(value.gmv)


_STORED = TypeAdapter(AudienceModel)
