"""Frames as people read them in a terminal. It must not know what they hold."""

from __future__ import annotations

import polars as pl


def printed(frame: pl.DataFrame, *, digits: int = 2, rows: int = 20) -> str:
    """The frame without borders, types and shape; numbers with thousands separators.

    Args:
        frame: What to print.
        digits: After the point.
        rows: Most rows; further ones are left out in the middle.
    """
    with pl.Config(
        tbl_rows=rows, tbl_cols=8, fmt_str_lengths=40, float_precision=digits, thousands_separator=",",
        tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True, tbl_formatting="NOTHING",
    ):  # fmt: skip
        return str(frame)
