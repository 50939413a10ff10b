"""The MLflow store that all jobs of a run talk to: found, reached, and in words where it cannot be.

It must not import a job.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.errors import DataError

EXPERIMENT = "targeting"


def connect(tracking_uri: str | None) -> str:
    """Point MLflow at the store and make sure that the experiment is there; the URI is returned.

    Raises:
        DataError: the store cannot be reached or written.
    """
    import mlflow

    uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path.cwd() / 'mlflow.db'}"
    # A server that is down is told in seconds, not after MLflow's default of several minutes of retries.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    with reaching(uri, or_driver=True):
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        # Two jobs that start together in a new directory must not both create the tables.
        with _alone(uri):
            if mlflow.get_experiment_by_name(EXPERIMENT) is None:
                mlflow.create_experiment(EXPERIMENT, artifact_location=_artifact_location(uri))
            mlflow.set_experiment(EXPERIMENT)
    return uri


def failures() -> tuple[type[Exception], ...]:
    """How a store says that it failed."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, SQLAlchemyError, RequestException


@contextmanager
def reaching(uri: str, *, or_driver: bool = False) -> Iterator[None]:
    """Say in words that the tracking store failed, whenever in a job it does.

    Args:
        uri: the store.
        or_driver: nothing else is done inside: a missing module is its driver, and what the operating system
            refuses is its files.

    Raises:
        DataError: the store cannot be reached or written.
    """
    known = failures()
    told: tuple[type[Exception], ...] = (*known, ImportError, OSError) if or_driver else known
    try:
        yield
    except told as error:
        # SQLAlchemy puts advice to programmers before what the database said.
        lines = [line for line in str(error).splitlines() if "autoflush" not in line]
        text = (lines or [type(error).__name__])[0][:200]
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
