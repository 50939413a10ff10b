"""The only disk access for data: tables and whole inputs in, tables and whole output directories out."""

from pipelines.store.dataset import (
    conform_raw,
    read_conformed,
    read_curves,
    read_dataset,
    read_report,
    read_users,
)
from pipelines.store.manifest import MANIFEST
from pipelines.store.parts import Part, finished_part, part_key
from pipelines.store.scores import read_scored, read_scores
from pipelines.store.streams import stream_parquet
from pipelines.store.tables import (
    TABLE_SUFFIXES,
    RawTable,
    find_table,
    fingerprint,
    has_table,
    is_parquet,
    part_files,
    read_raw,
    read_table,
    write_table,
)
from pipelines.store.target import Target, atomic_directory, claim

__all__ = [
    "MANIFEST",
    "TABLE_SUFFIXES",
    "Part",
    "RawTable",
    "Target",
    "atomic_directory",
    "claim",
    "conform_raw",
    "find_table",
    "fingerprint",
    "finished_part",
    "has_table",
    "is_parquet",
    "part_files",
    "part_key",
    "read_conformed",
    "read_curves",
    "read_dataset",
    "read_raw",
    "read_report",
    "read_scored",
    "read_scores",
    "read_table",
    "read_users",
    "stream_parquet",
    "write_table",
]
