"""A table's content as a short hash: the same rows give the same fingerprint from CSV and from Parquet.

Depends on column names, dtypes, values and row order; not on column order, chunks or the polars version
(sha256 over plain bytes, not polars' own hash). Must not import anything that reads a file.
"""

from __future__ import annotations

import hashlib

import polars as pl

_ROWS = 1_000_000
LENGTH = 16


def fingerprint(frame: pl.DataFrame) -> str:
    """First 16 hex digits of sha256 over the columns, by name."""
    digest = hashlib.sha256(str(frame.height).encode())
    for name in sorted(frame.columns):
        column = frame[name]
        digest.update(f"\0{name}\0{column.dtype}\0".encode())
        for start in range(0, len(column), _ROWS):
            _update(digest, column.slice(start, _ROWS))
    return digest.hexdigest()[:LENGTH]


def _update(digest: hashlib._Hash, column: pl.Series) -> None:
    digest.update(column.is_null().cast(pl.UInt8).to_numpy().tobytes())
    if column.dtype == pl.Boolean or column.dtype.is_temporal():
        digest.update(column.to_physical().cast(pl.Int64).fill_null(0).to_numpy().tobytes())
    elif column.dtype.is_numeric():
        # -0.0 + 0.0 is 0.0: equal numbers hash alike.
        column = column.fill_null(0)
        digest.update((column + 0.0 if column.dtype.is_float() else column).to_numpy().tobytes())
    else:
        texts = column.cast(pl.String).fill_null("")
        digest.update(texts.str.len_bytes().to_numpy().tobytes())
        digest.update(texts.str.join("").item().encode())
