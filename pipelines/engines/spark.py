"""Scores users on Spark with `mapInArrow` and the same pure function as the local engine.

The model travels as text in the closure, never as a pickled object. It must not import mlflow.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from models.errors import DataError
from pipelines.engines.finished import Pass, finish
from pipelines.engines.part import ScoredPart, part_schema
from pipelines.shell import quiet
from pipelines.store import part_files, part_key
from pipelines.store.manifest import content_of
from pipelines.store.streams import count_rows, digests_of, sound_parts

_SPARK_TYPES = {"string": "string", "double": "double", "bool": "boolean", "int64": "bigint"}


def score(
    model_files: Mapping[str, str],
    *,
    users: Path,
    work: Path,
    part_users: int,
    master: str,
    new_fans: pl.Series,
) -> Pass:
    """Score `users` on Spark, which writes its parts (schema `part_schema`) into the folder `work`.

    Args:
        model_files: `AudienceModel.to_files()`.
        users: Parquet file or folder of parts, readable by every worker.
        work: folder to write, replaced if it exists.
        part_users: rows an Arrow batch.
        master: Spark master URL, e.g. `local[2]` or the address of a cluster.
        new_fans: ids of those who followed in the logs.

    Raises:
        DataError: pyspark or a Java runtime is missing, no part can be read, or the users were replaced while
            Spark read them.
    """
    files, missing = part_files(users), dict[str, str]()
    arrow = {"spark.sql.execution.arrow.maxRecordsPerBatch": str(part_users)}
    session = open_session(master, "targeting score", arrow)
    run = partial(_scored, session, dict(model_files), users=users, work=work)
    try:
        rows, before = count_rows(users), digests_of(users)
        run(files)
    except Exception as error:  # whichever library met a part that cannot be read
        files, missing = sound_parts(users)
        if not missing:
            raise of_worker(error) from error
        rows, before = count_rows(users, files), digests_of(users, files)
        run(files)
    finally:
        session.stop()
    if digests_of(users, files) != before:
        raise DataError(f"{users}: was changed while it was read; run again when nobody writes to it")
    parts = []
    for path in part_files(work):
        made = ScoredPart.of_merged(pl.read_parquet(path, glob=False))
        key = part_key(content_of(path).sha256)
        parts.append(finish(made, work.parent / "parts", key, new_fans=new_fans))
    return Pass(parts, rows, before, missing)


def _scored(session: Any, model: dict[str, str], files: Sequence[Path], *, users: Path, work: Path) -> None:
    """Has Spark score some files of the users into the folder `work`."""
    ddl = ", ".join(f"{field.name} {_SPARK_TYPES[str(field.type)]}" for field in part_schema())
    # One part's columns are not those of all: what another has beyond them would be dropped in silence.
    reader = session.read.option("mergeSchema", "true")
    if users.is_dir():  # folders between it and its files may hold values
        reader = reader.option("basePath", str(users.resolve()))
    frame = reader.parquet(*(str(path.resolve()) for path in files))
    scored = frame.mapInArrow(_scorer(model, users.name), ddl)
    scored.write.mode("overwrite").parquet(str(work.resolve()))


def of_worker(error: Exception) -> Exception:
    """What a worker refused in words, as the local engine says it; anything else as it is."""
    told = re.search(rf"{DataError.__module__}\.{DataError.__name__}: (.+)", str(error))
    return DataError(told[1].strip()) if told else error


def _scorer(files: dict[str, str], source: str) -> Any:
    """The closure that runs on the workers."""

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from models.audience.model import AudienceModel
        from pipelines.engines.part import score_part

        model = AudienceModel.from_files(files)
        for batch in batches:
            raw = pl.from_arrow(pa.Table.from_batches([batch]))
            assert isinstance(raw, pl.DataFrame)
            yield from score_part(model, raw, source=source, first_row=None).merged().to_batches()

    return run


def open_session(master: str, name: str, options: Mapping[str, str] = {}) -> Any:
    """A Spark session that prints nothing.

    Raises:
        DataError: pyspark or a Java runtime is missing.
    """
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise DataError("engine spark: pyspark is not installed; install `fan-targeting[spark]`") from error
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = (
        SparkSession.builder.master(master)
        .appName(name)
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.log.level", "ERROR")
        .config("spark.sql.session.timeZone", "UTC")
        .config(map=dict(options))
    )
    try:
        # The Java process keeps the stderr it is started with, and greets there.
        with quiet(2):
            return builder.getOrCreate()
    except PySparkException as error:
        raise DataError(
            f"engine spark: no session at {master} ({str(error)[:120]}); a Java 17+ runtime is needed"
        ) from error
