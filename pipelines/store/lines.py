"""The lines of a delimited text file as records: a cell in quotes may go on over several lines, a quote that
nobody closes may not swallow the lines below it.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Sequence

# A cell in quotes may hold line ends; one over more lines than this is a quote left open.
CELL_LINES = 50


def records(lines: Iterator[str], separator: str, *, width: int) -> Iterator[tuple[list[str], bool]]:
    """Fields of each record below the header, and whether a quote of it is left open.

    A quote is left open if no line near closes it, or if a line before that is a record by itself. Such a
    line is a record of its own, split at every separator.

    Args:
        lines: from the header on.
        separator: between fields.
        width: fields of the header.
    """
    ahead = _Ahead(lines)
    ahead.cell_lines(separator, most_fields=None)
    while ahead.peek() is not None:
        held = ahead.cell_lines(separator, most_fields=width)
        if held is None:
            yield ahead.take().rstrip("\r\n").split(separator), True
        else:
            yield next(csv.reader(held, delimiter=separator), []), False


class _Ahead:
    """Lines that can be looked at before they are taken."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines, self._held = lines, deque[str]()

    def peek(self, ahead: int = 0) -> str | None:
        """The line that many lines ahead, None behind the end."""
        while len(self._held) <= ahead:
            line = next(self._lines, None)
            if line is None:
                return None
            self._held.append(line)
        return self._held[ahead]

    def take(self) -> str:
        """The next line."""
        self.peek()
        return self._held.popleft()

    def cell_lines(self, separator: str, *, most_fields: int | None) -> list[str] | None:
        """Take the lines of one record; None, and nothing is taken, where its quote is left open."""
        held: list[str] = []
        while (line := self.peek(len(held))) is not None and len(held) < CELL_LINES:
            if held and most_fields is not None and line.count(separator) >= max(most_fields - 1, 1):
                return None
            held.append(line)
            if not _is_open(held, separator):
                for _ in held:
                    self.take()
                return held
        return None


def _is_open(lines: Sequence[str], separator: str) -> bool:
    """Whether a cell in quotes goes on behind these lines."""
    if sum(line.count('"') for line in lines) % 2 == 0:
        return False
    try:
        next(csv.reader(lines, delimiter=separator, strict=True), None)
    except csv.Error as error:
        return "unexpected end of data" in str(error)
    return False
