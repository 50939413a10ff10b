"""Scores users on Spark with `mapInArrow` and the same pure function as the local engine.

The model travels as text in the closure, never as a pickled object. It must not import mlflow.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
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
from pipelines.store.streams import count_rows, digests_of

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
        DataError: pyspark or a Java runtime is missing, a part cannot be read (here all of them are needed),
            or the users were replaced while Spark read them.
    """
    rows, before = count_rows(users), digests_of(users)
    arrow = {"spark.sql.execution.arrow.maxRecordsPerBatch": str(part_users)}
    session = open_session(master, "targeting score", arrow)  # before the next line needs what is missing
    from pyspark.errors import PySparkException

    ddl = ", ".join(f"{field.name} {_SPARK_TYPES[str(field.type)]}" for field in part_schema())
    try:
        # One part's columns are not those of all: what another has beyond them would be dropped in silence.
        frame = session.read.option("mergeSchema", "true").parquet(str(users.resolve()))
        scored = frame.mapInArrow(_scorer(dict(model_files), users.name), ddl)
        try:
            scored.write.mode("overwrite").parquet(str(work.resolve()))
        except PySparkException as error:
            raise of_worker(error) from error
    finally:
        session.stop()
    if digests_of(users) != before:
        raise DataError(f"{users}: was changed while it was read; run again when nobody writes to it")
    made = ((path, pl.read_parquet(path, glob=False)) for path in part_files(work))
    parts = [
        finish(
            ScoredPart.of_merged(part),
            work.parent / "parts",
            part_key(content_of(path).sha256),
            new_fans=new_fans,
        )
        for path, part in made
    ]
    return Pass(parts, rows, before)


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
