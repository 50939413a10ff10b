"""The audience model: from a user's columns to what showing a placement to this user is worth.

One frozen object, fitted once, scored by any engine (a pure function from Arrow batch to Arrow batch),
written as text files and read back to the same numbers. Features are coded by `encoding`, events come from
`models.events`, rates from `follow`, GMV from `value`.

Must not import mlflow, targeting or pipelines.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from models.audience.encoding import FeatureEncoder
from models.audience.follow import Funnel, fit_funnel
from models.audience.held_out import Claims, Past, claim, judge_held_out
from models.audience.later_outcomes import add_outcomes, without_outcomes
from models.audience.value import ValueModel, fit_value
from models.contracts.features import Feature
from models.errors import DataError
from models.events.event_log import EventLog, Tables, read_events
from models.events.training_rows import training_log
from models.rates.calibration import Reliability
from models.rates.rate import Fitting

if TYPE_CHECKING:
    import pyarrow as pa

MODEL_FILE = "audience.json"
FORMAT = 3
SCORE_COLUMNS = ("user_id", "placement", "p_follow", "gmv_per_fan_cny", "p_precise", "eligible", "p_enter")


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
        trial: What came of people after the scores of an earlier model (see
            `models.audience.later_outcomes`); known when fitted, not saved.
    """

    encoder: FeatureEncoder
    placements: tuple[str, ...]
    horizon_days: int
    as_of: datetime
    funnel: Funnel
    value: ValueModel | None
    metrics: Mapping[str, float]
    claims: Claims
    warnings: tuple[str, ...]
    reliability: Mapping[str, Reliability]
    threads: int = 2
    trial: pl.DataFrame | None = field(default=None, repr=False, compare=False)

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

        The model is fitted twice: once on the earlier part of the exposures, to be judged on the later part
        (metrics, reliability), and then on all of them. Calibration maps come from cross-validation over
        users, so no row calibrates itself and no row is wasted.

        Args:
            dataset: Normalised users, exposures and orders.
            placements: Placements of the brief.
            as_of: Now, for the model.
            horizon_days: GMV horizon in days.
            seed: Seed of folds and column sampling.
            threads: LightGBM threads (same seed and threads: same model).

        Raises:
            DataError: Too few rows or follows, or a placement without any.
        """
        log = training_log(read_events(dataset, as_of=as_of), placements=placements)
        encoder = FeatureEncoder.fit(log.users)
        fitting = Fitting(encoder.encode(log.users), encoder.categorical, seed, threads)
        proof = judge_held_out(fitting, log, placements=placements, horizon_days=horizon_days)
        funnel = fit_funnel(fitting, log, placements=placements)
        value = fit_value(
            fitting,
            log,
            placements=placements,
            horizon_days=horizon_days,
            ranking_shift=funnel.ranking_shift,
        )
        warnings = [*log.warnings, *proof.warnings]
        if value is None:
            warnings.append(
                "no new fan has a kept order: GMV per fan is unknown,"
                " only new_fans and live_entries can be planned"
            )
        metrics = {**funnel.metrics, **(value.metrics if value else {}), **proof.metrics, **_sizes(log)}
        model = cls(
            encoder=encoder,
            placements=placements,
            horizon_days=horizon_days,
            as_of=as_of,
            funnel=funnel,
            value=value,
            metrics=metrics,
            claims=claim(log, placements),
            warnings=tuple(warnings),
            reliability=proof.tables,
            threads=threads,
        )
        return replace(model, trial=model._on_trial(proof.past, log, fitting))

    def _on_trial(self, past: Past | None, log: EventLog, fitting: Fitting) -> pl.DataFrame | None:
        """What came of people after the earlier model had scored them: of nobody, where it knew of no buyer;
        None where there are no promises in money."""
        if self.value is None:
            return None
        if past is None or past.value is None:
            return without_outcomes(self.score(log.users))
        earlier = replace(self, funnel=past.funnel, value=past.value)
        scores = earlier.score(past.judged.users)
        return add_outcomes(scores, value=past.value, judged=past.judged, matrix=fitting.matrix)

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
        be planned."""
        return self.value is not None

    def score(self, users: pl.DataFrame) -> pl.DataFrame:
        """Score users.

        Args:
            users: user_id, is_fan (absent: nobody is a fan) and the feature columns; other columns are
            ignored.

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
        matrix = self.encoder.encode(users)
        n, k = users.height, len(self.placements)
        columns = {name: np.zeros((n, k)) for name in ("p_follow", "gmv_per_fan_cny", "p_precise", "p_enter")}
        for j, name in enumerate(self.placements):
            enter, follow = self._follow(matrix, name)
            columns["p_enter"][:, j], columns["p_follow"][:, j] = enter, follow
            if self.value:
                gmv = self.value.incremental_gmv(matrix, j, threads=self.threads)
                columns["gmv_per_fan_cny"][:, j] = gmv
                columns["p_precise"][:, j] = self.value.p_precise(matrix, j, threads=self.threads)
        fan = (
            users["is_fan"].fill_null(False)
            if "is_fan" in users.columns
            else pl.Series([False] * n, dtype=pl.Boolean)
        )
        long = {name: values.reshape(-1) for name, values in columns.items()}
        return pl.DataFrame(
            {
                "user_id": users["user_id"].cast(pl.String).gather(np.repeat(np.arange(n), k)),
                "placement": pl.Series(self.placements, dtype=pl.String).gather(np.tile(np.arange(k), n)),
                "eligible": (~fan).gather(np.repeat(np.arange(n), k)),
                **long,
            }
        ).select(
            pl.col("p_enter").fill_nan(None) if name == "p_enter" else pl.col(name) for name in SCORE_COLUMNS
        )

    def _follow(self, matrix: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
        """P(enter) (NaN without a live step) and incremental follow hazard per impression, each (n,), at
        most one."""
        funnel = self.funnel.placements[name]
        follow = np.minimum(np.exp(funnel.log_hazard(matrix, threads=self.threads)), 1.0)
        if funnel.enter is None:
            return np.full(matrix.shape[0], np.nan), follow
        enter = np.minimum(np.exp(funnel.enter.log_rate(matrix, threads=self.threads)), 1.0)
        return enter, np.minimum(follow, enter)

    def score_batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """`score` for engines: Arrow batch in, Arrow batch out, no state."""
        import pyarrow as pa

        scored = self.score(pl.DataFrame(pl.from_arrow(batch))).to_arrow(compat_level=pl.CompatLevel.oldest())
        table = scored.cast(score_schema()).combine_chunks()
        if table.num_rows == 0:
            return pa.RecordBatch.from_pylist([], schema=score_schema())
        return table.to_batches()[0]

    def to_files(self) -> dict[str, str]:
        """The model as text: `audience.json` and one LightGBM text file per grown model."""
        body: dict[str, Any] = {
            "format": FORMAT,
            "encoder": self.encoder.to_json(),
            "placements": list(self.placements),
            "horizon_days": self.horizon_days,
            "as_of": self.as_of.isoformat(),
            "funnel": self.funnel.to_json(),
            "value": None if self.value is None else self.value.to_json(),
            "metrics": dict(self.metrics),
            "claims": {"kind": self.claims.kind, "why": self.claims.why},
            "warnings": list(self.warnings),
            "reliability": {name: table.to_json() for name, table in self.reliability.items()},
            "threads": self.threads,
        }
        files: dict[str, str] = {}
        _move_texts(body, "trees", files)
        files[MODEL_FILE] = json.dumps(body, indent=1, ensure_ascii=False)
        return files

    @classmethod
    def from_files(cls, files: Mapping[str, str]) -> AudienceModel:
        """Inverse of `to_files`; the scores are the same to the last digit.

        Raises:
            DataError: `audience.json` is missing or of another format.
        """
        if MODEL_FILE not in files:
            raise DataError(
                f"model: file {MODEL_FILE} is missing"
                f" (found {', '.join(sorted(files)) or 'nothing'}); train again"
            )
        body = json.loads(files[MODEL_FILE])
        if body.get("format") != FORMAT:
            raise DataError(
                f"model: {MODEL_FILE} has format {body.get('format')}, expected {FORMAT}; train again"
            )
        _bring_texts(body, files)
        return cls(
            encoder=FeatureEncoder.from_json(body["encoder"]),
            placements=tuple(body["placements"]),
            horizon_days=body["horizon_days"],
            as_of=datetime.fromisoformat(body["as_of"]),
            funnel=Funnel.from_json(body["funnel"]),
            value=None if body["value"] is None else ValueModel.from_json(body["value"]),
            metrics=body["metrics"],
            claims=Claims(**body["claims"]),
            warnings=tuple(body["warnings"]),
            reliability={name: Reliability.from_json(table) for name, table in body["reliability"].items()},
            threads=body["threads"],
        )


def score_schema() -> pa.Schema:
    """Arrow schema of a scored batch."""
    import pyarrow as pa

    kinds = {"user_id": pa.string(), "placement": pa.string(), "eligible": pa.bool_()}
    return pa.schema([(name, kinds.get(name, pa.float64())) for name in SCORE_COLUMNS])


def _sizes(log: EventLog) -> dict[str, float]:
    return {"users": float(log.users.height), "exposure_rows": float(log.exposures.height)}


def _move_texts(value: Any, path: str, files: dict[str, str]) -> None:
    """Move every non-empty `text` into a file of its own and leave the file's name behind."""
    if not isinstance(value, dict):
        return
    for position, (key, inner) in enumerate(value.items()):
        if key == "text" and inner:
            files[f"{path}.txt"] = inner
            value[key] = f"{path}.txt"
        else:
            _move_texts(inner, f"{path}-{_file_part(key, position)}", files)


def _bring_texts(value: Any, files: Mapping[str, str]) -> None:
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if key == "text" and inner:
            if inner not in files:
                raise DataError(f"model: file {inner} is missing; train again")
            value[key] = files[inner]
        else:
            _bring_texts(inner, files)


def _file_part(key: str, position: int) -> str:
    """A key as part of a file name: placements may be called anything, in any script."""
    return key if key.isascii() and key.replace("_", "").isalnum() and len(key) <= 40 else str(position)
