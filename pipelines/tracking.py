"""The only MLflow runs: one run a job, with what went in, what came out and what it takes to replay it.

`models.registry` saves and loads models inside the run that is open here; nothing else talks to MLflow.
It must not import a job.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from models.errors import DataError
from models.escaping.media import for_key
from targeting.plan.provenance import versions

EXPERIMENT = "targeting"
REPLAY_FILE = "replay.json"
MODEL_TAG = "targeting.model_uri"
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
        except _failures() as error:
            self.lost.append(error)


@contextmanager
def job_run(
    job: str, *, tracking_uri: str | None, inputs: Mapping[str, object], fingerprints: Mapping[str, str]
) -> Iterator[JobRun]:
    """Open the one MLflow run of a job; what fails inside is recorded as a failed run.

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
    with _reaching(uri), mlflow.start_run(run_name=job):
        run = mlflow.active_run()
        assert run is not None
        opened = JobRun(run_id=run.info.run_id, tracking_uri=uri)
        opened.tag("targeting.job", job)
        opened.fingerprints(fingerprints)
        recorded = _recordable(inputs)
        opened.parameters(recorded.get("settings", {}))
        of = {"python": platform.python_version(), **versions(_LIBRARIES)}
        replay = {"job": job, "inputs": recorded, "fingerprints": dict(fingerprints), "versions": of}
        opened.mapping(replay, REPLAY_FILE)
        yield opened
        if opened.lost:
            raise opened.lost[0]


def _recordable(value: object) -> Any:
    """Inputs as JSON: paths absolute, since a replay may start elsewhere, and settings key by key."""
    if isinstance(value, Path):
        return str(value.resolve())
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {key: _recordable(held) for key, held in value.items()}
    return [_recordable(held) for held in value] if isinstance(value, list | tuple) else value


def connect(tracking_uri: str | None) -> str:
    """Point MLflow at the store and make sure that the experiment is there; the URI is returned.

    Raises:
        DataError: the store cannot be reached or written.
    """
    import mlflow

    uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path.cwd() / 'mlflow.db'}"
    # A server that is down is told in seconds, not after MLflow's default of several minutes of retries.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    with _reaching(uri, or_driver=True):
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        # Two jobs that start together in a new directory must not both create the tables.
        with _alone(uri):
            if mlflow.get_experiment_by_name(EXPERIMENT) is None:
                mlflow.create_experiment(EXPERIMENT, artifact_location=_artifact_location(uri))
            mlflow.set_experiment(EXPERIMENT)
    return uri


def _failures() -> tuple[type[Exception], ...]:
    """How a store says that it failed."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, SQLAlchemyError, RequestException


@contextmanager
def _reaching(uri: str, *, or_driver: bool = False) -> Iterator[None]:
    """Say in words that the tracking store failed, whenever in a job it does.

    Args:
        uri: the store.
        or_driver: nothing else is done inside: a missing module is its driver, and what the operating system
            refuses is its files.

    Raises:
        DataError: the store cannot be reached or written.
    """
    known = _failures()
    failures: tuple[type[Exception], ...] = (*known, ImportError, OSError) if or_driver else known
    try:
        yield
    except failures as error:
        text = (str(error).splitlines() or [type(error).__name__])[0][:200]
        driver = ", install its driver" if isinstance(error, ImportError) else ""
        kept = "" if or_driver else "; what the job has written is kept, its record is not"
        raise DataError(
            f"tracking store {uri}: cannot be used ({text}){driver}; check --tracking-uri or "
            f"MLFLOW_TRACKING_URI{kept}"
        ) from error


@contextmanager
def _alone(uri: str) -> Iterator[None]:
    """Hold a lock on the folder of a sqlite store; a server needs none."""
    database = _database(uri)
    if database is None:
        yield
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(database.parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _artifact_location(uri: str) -> str | None:
    """Artifacts of a sqlite store lie beside its file; a server decides for itself."""
    database = _database(uri)
    return None if database is None else (database.parent / "mlartifacts").as_uri()


def _database(uri: str) -> Path | None:
    """The file of a sqlite store, or None."""
    return Path(uri.removeprefix("sqlite:///")).resolve() if uri.startswith("sqlite:///") else None


def recorded(run_id: str, *, tracking_uri: str | None, folder: Path) -> tuple[dict[str, Any], Path | None]:
    """What a run recorded for its replay, and its logged plan copied into `folder` (None if there is none).

    Raises:
        DataError: no such run in this store, or it was not made by one of our jobs.
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
    record: dict[str, object] = json.loads(Path(path).read_text(encoding="utf-8"))
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
