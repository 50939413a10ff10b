"""Reading Excel workbooks (.xlsx, .xls, .xlsb, .ods) as text tables, the way CSV is read.

Cells come as their text, so that dates, ids and numbers pass the same readers whatever they were saved as.
"""

from __future__ import annotations

import contextlib
import zipfile

import polars as pl

from models.contracts.headers import PREAMBLE_LINES, is_header
from models.errors import DataError
from pipelines.store.delimited import TextTable, column_names, skipped_lines, without_blank_end
from pipelines.store.reading import Held

MOST_BYTES = 1 << 29
"""Of a workbook's sheets as text: a million rows, the most that Excel has, of 500 letters. 1.5 MB of ZIP can
mean thousands of times as much, and took 6 GB."""


def read_sheet(held: Held) -> TextTable:
    """The table of a workbook: the first sheet with a header that we know, else the first with anything in
    it.

    Raises:
        DataError: Not a workbook, or nothing in it.
    """
    import fastexcel

    path = held.path
    _refuse_bomb(held)
    try:
        book = fastexcel.read_excel(held.data)
        sheets = {
            name: book.load_sheet(name, header_row=None, dtypes="string").to_polars()
            for name in book.sheet_names
        }
    except fastexcel.FastExcelError as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"{path}: not a workbook that can be read ({reason}); save it again, or export it as CSV"
        ) from error
    filled = {name: sheet for name, sheet in sheets.items() if sheet.height}
    if not filled:
        raise DataError(f"{path}: every sheet is empty; expected a header line and data rows")
    headers = {name: _header_row(sheet) for name, sheet in filled.items()}
    chosen = next((name for name, at in headers.items() if at is not None), next(iter(filled)))
    at = headers[chosen] or 0
    cells = ["" if cell is None else cell for cell in filled[chosen].row(at)]
    body = filled[chosen][at + 1 :]
    body.columns = column_names(cells, path=path)
    others = [name for name in filled if name != chosen]
    said = f"{path}: sheet {chosen!r} was read, not {', '.join(map(repr, others))}"
    warnings = (*skipped_lines(at, path=path), *((said,) if others else ()))
    return TextTable(without_blank_end(body), warnings=warnings)


def _refuse_bomb(held: Held) -> None:
    """Refuse a workbook that says of itself that it is too large; what is no ZIP (.xls) holds itself only."""
    with contextlib.suppress(zipfile.BadZipFile, NotImplementedError), zipfile.ZipFile(held.open()) as book:
        size = sum(part.file_size for part in book.infolist())
        if size > MOST_BYTES:
            raise DataError(
                f"{held.path}: holds {size >> 20:,} MB once unpacked, expected at most {MOST_BYTES >> 20}; "
                "export it as CSV"
            )


def _header_row(sheet: pl.DataFrame) -> int | None:
    rows = sheet.head(PREAMBLE_LINES).rows()
    return next((at for at, row in enumerate(rows) if is_header([cell or "" for cell in row])), None)
