"""The only disk access for data: tables and whole inputs in, tables and whole output directories out."""

from pipelines.store.atomic import MANIFEST, atomic_directory, check_writable
from pipelines.store.dataset import (
    conform_raw,
    read_conformed,
    read_curves,
    read_dataset,
    read_report,
    read_scores,
    read_users,
)
from pipelines.store.tables import (
    TABLE_SUFFIXES,
    RawTable,
    find_table,
    fingerprint,
    has_table,
    is_parquet,
    read_raw,
    read_table,
    stream_parquet,
    write_table,
)

__all__ = [
    "MANIFEST",
    "TABLE_SUFFIXES",
    "RawTable",
    "atomic_directory",
    "check_writable",
    "conform_raw",
    "find_table",
    "fingerprint",
    "has_table",
    "is_parquet",
    "read_conformed",
    "read_curves",
    "read_dataset",
    "read_raw",
    "read_report",
    "read_scores",
    "read_table",
    "read_users",
    "stream_parquet",
    "write_table",
]
