"""Frames as people read them: every row and column, in a terminal and in a notebook. It must not know what
they hold.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import polars as pl

P = ParamSpec("P")
_NO_END = 1_000_000
_MOST_ROWS = 500
"""A notebook that shows more of them is no longer read."""


def printed(frame: pl.DataFrame, *, digits: int = 2, rows: int = _MOST_ROWS) -> str:
    """The frame without borders, types and shape; numbers with thousands separators.

    Args:
        frame: What to print.
        digits: After the point.
        rows: Most rows; further ones are left out in the middle.
    """
    with pl.Config(
        tbl_rows=rows, tbl_cols=_NO_END, fmt_str_lengths=_NO_END, tbl_width_chars=65_535,
        float_precision=digits, thousands_separator=",", tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True, tbl_formatting="NOTHING",
    ):  # fmt: skip
        return pl.DataFrame.__str__(frame)


class Whole(pl.DataFrame):
    """A frame that shows itself whole: what is cut out of a plan's table is what was looked for.

    >>> print(Whole({"segment": ["precise · likely", "all others"], "spend_cny": [1234.5, 2.0]}))
     segment           spend_cny
     precise · likely  1,234.50
     all others        2.00
    """

    def __str__(self) -> str:
        """All of it, without borders."""
        return "\n".join(line.rstrip() for line in printed(self).split("\n"))

    __repr__ = __str__

    def _repr_html_(self, *, _from_series: bool = False) -> str:
        """All of it, for a notebook."""
        with pl.Config(tbl_rows=_MOST_ROWS, tbl_cols=_NO_END, fmt_str_lengths=_NO_END):
            return super()._repr_html_(_from_series=_from_series)


def whole(verb: Callable[P, pl.DataFrame]) -> Callable[P, Whole]:
    """The same verb, its frame one that shows itself whole."""

    @wraps(verb)
    def shown(*args: P.args, **kwargs: P.kwargs) -> Whole:
        return Whole(verb(*args, **kwargs))

    return shown
