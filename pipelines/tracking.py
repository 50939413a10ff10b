"""The only MLflow runs: one run a job, with what went in, what came out and what it takes to replay it.

`models.registry` saves and loads models inside the run that is open here; nothing else talks to MLflow.
It must not import a job.
"""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

from models import registry
from models.errors import DataError
from models.escaping.media import for_key
from models.stored import File, read
from pipelines.processes import identity, is_dead
from pipelines.tracking_store import EXPERIMENT, connect, failures, reaching
from targeting.plan.provenance import versions

REPLAY_FILE = "replay.json"
MODEL_TAG = "targeting.model_uri"
PROCESS_TAG = "targeting.process"
_LIBRARIES = ("fan-targeting", "polars", "lightgbm", "cvxpy", "highspy", "numpy", "scikit-learn", "mlflow")
_PARAMETER_LIMIT = 500  # characters; longer values go into the replay file only


@dataclass(frozen=True)
class JobRun:
    """One open MLflow run.

    Attributes:
        run_id: MLflow's id of the run.
        tracking_uri: the store it lives in.
        lost: why the store failed since the run was opened; the first failure is the last call.
    """

    run_id: str
    tracking_uri: str
    lost: list[Exception] = field(default_factory=list, compare=False, repr=False)

    def parameters(self, values: Mapping[str, object]) -> None:
        """Log flat parameters; nested mappings become dotted keys."""
        import mlflow

        flat = {key: str(value)[:_PARAMETER_LIMIT] for key, value in flatten(values).items()}
        self._send(lambda: mlflow.log_params(flat))

    def metrics(self, values: Mapping[str, float]) -> None:
        """Log the numbers that are finite; MLflow stores refuse the others."""
        import mlflow

        finite = {
            for_key(key): float(value)
            for key, value in values.items()
            if isinstance(value, int | float) and math.isfinite(value)
        }
        if finite:
            self._send(lambda: mlflow.log_metrics(finite))

    def tag(self, name: str, value: str) -> None:
        """Set a tag, e.g. the model version that a plan used."""
        import mlflow

        self._send(lambda: mlflow.set_tag(name, value))

    def fingerprints(self, prints: Mapping[str, str]) -> None:
        """Tag the run with what was read."""
        for name, print_ in prints.items():
            self.tag(f"targeting.fingerprint.{name}", print_)

    def text(self, content: str, name: str) -> None:
        """Log text (a chart, a page) as an artifact."""
        import mlflow

        self._send(lambda: mlflow.log_text(content, name))

    def mapping(self, content: Mapping[str, object], name: str) -> None:
        """Log a mapping as a JSON artifact."""
        self.text(json.dumps(content, ensure_ascii=False, indent=2, default=str), name)

    def table(self, rows: Sequence[Mapping[str, object]], name: str) -> None:
        """Log rows as an MLflow table (`name` ends in .json), which its page shows as an evaluation."""
        import mlflow

        columns = {key: [row[key] for row in rows] for key in rows[0]}
        self._send(lambda: mlflow.log_table(columns, name))

    def file(self, path: Path, folder: str | None = None) -> None:
        """Log one file, or all files of a folder."""
        import mlflow

        log = mlflow.log_artifacts if path.is_dir() else mlflow.log_artifact
        self._send(lambda: log(str(path), folder))

    def _send(self, call: Callable[[], object]) -> None:
        """Log what can be logged: a store that fails midway takes its record, not the work."""
        if self.lost:
            return
        try:
            call()
        except failures() as error:
            self.lost.append(error)


@contextmanager
def job_run(
    job: str, *, tracking_uri: str | None, inputs: Mapping[str, object], fingerprints: Mapping[str, str]
) -> Iterator[JobRun]:
    """Open the one MLflow run of a job; runs that dead processes left are closed first.

    What fails inside is recorded as a failed run, what is stopped from outside as a killed one; a model
    version that it registered goes with it, unless an alias says that all was done.

    Args:
        job: name of the command.
        tracking_uri: an MLflow tracking URI; None takes MLFLOW_TRACKING_URI, then `sqlite:///mlflow.db` here.
        inputs: everything that `targeting replay` needs to do it again: paths, `settings`, the brief.
        fingerprints: name -> fingerprint of each input, compared again before a replay.

    Raises:
        DataError: the tracking store cannot be reached.
    """
    import mlflow

    uri = connect(tracking_uri)
    with reaching(uri):
        close_dead_runs()
        tags = {"targeting.job": job, PROCESS_TAG: identity()}
        opened = JobRun(run_id=mlflow.start_run(run_name=job, tags=tags).info.run_id, tracking_uri=uri)
        try:
            opened.fingerprints(fingerprints)
            recorded = _recordable(inputs)
            opened.parameters(recorded.get("settings", {}))
            of = {"python": platform.python_version(), **versions(_LIBRARIES)}
            replay = {"job": job, "inputs": recorded, "fingerprints": dict(fingerprints), "versions": of}
            opened.mapping(replay, REPLAY_FILE)
            yield opened
            if opened.lost:
                raise opened.lost[0]
        except BaseException as error:  # Ctrl-C and SIGTERM too: no run may stay RUNNING; raised again
            _end_early(opened.run_id, "FAILED" if isinstance(error, Exception) else "KILLED")
            raise
        mlflow.end_run()


def close_dead_runs() -> None:
    """End the runs of processes that are gone, in the store that is connected."""
    import mlflow

    running = mlflow.search_runs(
        experiment_names=[EXPERIMENT], filter_string="attributes.status = 'RUNNING'", output_format="list"
    )
    for run in running:
        if is_dead(run.data.tags.get(PROCESS_TAG, "")):
            done = registry.withdraw(run.info.run_id)
            mlflow.MlflowClient().set_terminated(run.info.run_id, "FINISHED" if done else "KILLED")


def _end_early(run_id: str, status: str) -> None:
    """End the open run without what it registered; if the store fails, the next job will."""
    import mlflow

    with suppress(*failures()):
        status = "FINISHED" if registry.withdraw(run_id) else status
    with suppress(*failures()):
        mlflow.end_run(status)


def _recordable(value: object) -> Any:
    """Inputs as JSON: paths absolute, since a replay may start elsewhere, and settings key by key."""
    if isinstance(value, Path):
        return str(value.resolve())
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {key: _recordable(held) for key, held in value.items()}
    return [_recordable(held) for held in value] if isinstance(value, list | tuple) else value


class Record(File):
    """What a run kept for its replay: the job, all that it was given, and a fingerprint of what it read."""

    job: str
    inputs: dict[str, Any]
    fingerprints: dict[str, str]
    versions: dict[str, str]


def recorded(run_id: str, *, tracking_uri: str | None, folder: Path) -> tuple[Record, Path | None]:
    """What a run recorded for its replay, and its logged plan copied into `folder` (None if there is none).

    Raises:
        DataError: no such run in this store, it was not made by one of our jobs, or its record was edited.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    uri = connect(tracking_uri)
    fetch = partial(
        mlflow.artifacts.download_artifacts, run_id=run_id, dst_path=str(folder), tracking_uri=uri
    )
    try:
        mlflow.get_run(run_id)
        path = fetch(artifact_path=REPLAY_FILE)
    except (MlflowException, OSError) as error:
        raise DataError(
            f"run {run_id}: not found in {uri}, or not a run of `targeting`; "
            "give the run_id printed by `targeting plan` or `targeting run` and the same --tracking-uri"
        ) from error
    text = Path(path).read_bytes().decode(errors="replace")
    record = read(TypeAdapter(Record), text, source=f"run {run_id}: {REPLAY_FILE}", what="record of a run")
    try:
        return record, Path(fetch(artifact_path="plan"))
    except (MlflowException, OSError):
        return record, None


def tag_of(run_id: str, name: str) -> str | None:
    """A tag of a run in the connected store, or None."""
    import mlflow

    value = mlflow.get_run(run_id).data.tags.get(name)
    return None if value is None else str(value)


def flatten(values: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Nested mapping to dotted keys.

    >>> flatten({"train": {"seed": 7}, "gap": 1})
    {'train.seed': 7, 'gap': 1}
    """
    flat: dict[str, object] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
