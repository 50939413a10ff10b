"""Where an assignment asks its people: parts on this machine, one after the other, or on Spark's workers.

An engine deals a table of rows to parts that hold whole people, and asks a question of every part; what
travels is the question, and sums, samples or the few people next to a tie on the way back. The questions are
the same functions everywhere. It must not import mlflow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import polars as pl

from models.errors import DataError
from pipelines.engines.spark import of_worker, open_session
from pipelines.store import part_files
from pipelines.store.people_parts import deal, read_people, scan
from targeting.assignment.crowd import People

T = TypeVar("T")


class PeopleEngine(Protocol):
    """Deals a table to parts and asks them."""

    def deal(self, files: Sequence[Path], folder: Path, *, part_rows: int) -> list[Path]:
        """Parquet files or folders below `folder`, each with all rows of its people."""

    def ask(self, question: Callable[[Path, int], T], parts: Sequence[Path]) -> list[T]:
        """The question's answers, in the order of the parts."""


@dataclass(frozen=True)
class LocalPeople:
    """One part after the other: memory is that of one part."""

    def deal(self, files: Sequence[Path], folder: Path, *, part_rows: int) -> list[Path]:
        """By a stream over the table."""
        rows = scan(files)
        return deal(rows, folder, parts=_parts(rows, part_rows))

    def ask(self, question: Callable[[Path, int], T], parts: Sequence[Path]) -> list[T]:
        """In a loop."""
        return [question(part, number) for number, part in enumerate(parts)]


@dataclass(frozen=True)
class SparkPeople:
    """On the workers of a session; the folder of parts must be one that all of them see."""

    session: Any

    def deal(self, files: Sequence[Path], folder: Path, *, part_rows: int) -> list[Path]:
        """By a shuffle."""
        frame = self.session.read.parquet(*(str(path.resolve()) for path in files))
        parts = _parts(scan(files), part_rows)
        frame.repartition(parts, "user_id").write.mode("overwrite").parquet(str(folder.resolve()))
        return part_files(folder)

    def ask(self, question: Callable[[Path, int], T], parts: Sequence[Path]) -> list[T]:
        """As one Spark job of as many tasks as there are parts."""
        from pyspark.errors import PySparkException

        numbered = [(str(part.resolve()), number) for number, part in enumerate(parts)]
        tasks = self.session.sparkContext.parallelize(numbered, len(numbered))
        try:
            return list(tasks.map(lambda one: question(Path(one[0]), one[1])).collect())
        except PySparkException as error:
            raise of_worker(error) from error


@contextmanager
def open_engine(name: str, *, master: str) -> Iterator[PeopleEngine]:
    """`local`, or `spark` with a session of its own."""
    if name == "local":
        yield LocalPeople()
        return
    session = open_session(master, "targeting assign")
    try:
        yield SparkPeople(session)
    finally:
        session.stop()


@dataclass(frozen=True)
class PeopleParts:
    """`Each` of the assignment, over parts that were written with `write_people`."""

    engine: PeopleEngine
    folders: tuple[Path, ...]

    def __call__(self, question: Callable[[People, int], T]) -> list[T]:
        """The answers of all parts."""
        return self.engine.ask(partial(_asked, question=question), self.folders)


def _asked(folder: Path, number: int, *, question: Callable[[People, int], T]) -> T:
    return question(read_people(folder), number)


def _parts(rows: pl.LazyFrame, part_rows: int) -> int:
    count = int(rows.select(pl.len()).collect().item())
    if not count:
        raise DataError("scores: the table is empty; expected a row per person and placement: score again")
    return -(-count // part_rows)
