"""Writing Excel workbooks (.xlsx): one sheet, every text in a text cell, so that none is ever a formula.

The format is a ZIP of XML (ECMA-376, part 1, chapter 18); one sheet without styles needs five small files.
"""

from __future__ import annotations

import io
import zipfile
from datetime import date
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import polars as pl

from models.contracts.unit_names import places
from models.escaping.tables import for_cells
from pipelines.store import disk

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_KIND}.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    ),
}
_HEADER_STAYS = (
    '<sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft"'
    ' state="frozen"/></sheetView></sheetViews>'
)
_WIDEST = 42
_FIRST = (1980, 1, 1, 0, 0, 0)  # of ZIP: the same table is the same file


def write_workbook(frame: pl.DataFrame, path: Path, *, sheet: str) -> None:
    """Write a table as the one sheet of a workbook.

    Args:
        frame: texts, numbers, dates (as text) and nulls.
        path: ends in .xlsx.
        sheet: its name, at most 31 letters.
    """
    safe = for_cells(frame)
    rows = [list(safe.columns), *map(list, safe.iter_rows())]
    body = "".join(f'<row r="{at}">{"".join(map(_cell, row))}</row>' for at, row in enumerate(rows, start=1))
    parts = _PARTS | {
        "xl/workbook.xml": (
            f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
            f'<sheet name={quoteattr(sheet)} sheetId="1" r:id="rId1"/></sheets></workbook>'
        ),
        "xl/worksheets/sheet1.xml": (
            f'<worksheet xmlns="{_MAIN}">{_HEADER_STAYS}{_widths(rows)}'
            f"<sheetData>{body}</sheetData></worksheet>"
        ),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in parts.items():
            book.writestr(zipfile.ZipInfo(name, _FIRST), _HEAD + content, zipfile.ZIP_DEFLATED)
    disk.put(path, buffer.getvalue())


def _widths(rows: list[list[object]]) -> str:
    """Columns as wide as what they hold, up to a width that a screen can take; a Chinese letter is two."""
    columns = "".join(
        f'<col min="{at}" max="{at}" width="{min(max(places(str(cell)) for cell in column) + 2, _WIDEST)}"'
        ' customWidth="1"/>'
        for at, column in enumerate(zip(*rows, strict=True), start=1)
    )
    return f"<cols>{columns}</cols>" if columns else ""


def _cell(value: object) -> str:
    if value is None:
        return "<c/>"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"<c><v>{value!r}</v></c>"
    text = value.isoformat() if isinstance(value, date) else str(value)
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>'
