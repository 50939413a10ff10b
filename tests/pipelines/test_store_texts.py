"""Text files and workbooks as consoles export them: every line is a row or counted, as it was meant."""

import zipfile
from xml.sax.saxutils import escape

import pytest

from models.errors import DataError
from pipelines.store import read_conformed, read_raw, read_table

HEADER = "日期,人群,投放位置,花费,曝光数,涨粉数"
LINES = [
    f"2024-05-{day:02d},{who},短视频,{10 + day},{100 * day},{day}" for day in range(1, 21) for who in "AB"
]


def written(folder, text, name="delivery.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def counted(folder, lines, **how):
    read = read_conformed(written(folder, "\n".join([HEADER, *lines]) + "\n", **how), "delivery")
    assert read.good.height + read.rejected.height == len(LINES)
    return read


@pytest.mark.parametrize("at", [0, 13, 38, 39])
def test_a_quote_left_open_costs_its_own_line_only(tmp_path, at):
    lines = LINES.copy()
    lines[at] = lines[at].replace(",A,", ',"A,').replace(",B,", ',"B,')
    read = counted(tmp_path, lines)
    assert read.rejected["row"].to_list() == [at + 1]
    assert "every quote to be closed" in read.rejected["reason"][0]
    assert f"05-{at // 2 + 1:02d}" in read.rejected["raw"][0]


def test_a_quote_opened_and_closed_lines_later_is_no_cell(tmp_path):
    lines = LINES.copy()
    lines[5], lines[20] = lines[5].replace(",B,", ',"B,'), lines[20].replace(",A,", ',A",')
    read = counted(tmp_path, lines)
    assert read.good["segment"].unique().sort().to_list() == ["A", "B"]
    assert read.rejected["row"].to_list() == [6]


def test_cells_over_several_lines_and_inches_are_cells(tmp_path):
    lines = LINES.copy()
    lines[3] = lines[3].replace(",B,", ',"B\nof two lines",')
    lines[4] = lines[4].replace(",A,", ',5" disc,')
    read = read_conformed(written(tmp_path, "\n".join([HEADER, *lines])), "delivery")
    assert read.rejected.is_empty()
    assert {"B of two lines", '5" disc'} < set(read.good["segment"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
@pytest.mark.parametrize(
    "above", ["报表名称：日报\n", "统计周期,2024-05-01 至 2024-05-20\n\n", ",,,,,\n导出时间,2024-06-01,,,,\n"]
)
def test_lines_above_the_header_are_skipped_and_told(tmp_path, above, encoding):
    read = counted(tmp_path, LINES)
    path = written(tmp_path, above + "\n".join([HEADER, *LINES]), "more.csv", encoding)
    below = read_conformed(path, "delivery")
    assert below.good.equals(read.good)
    assert any(f"skipped {above.count(chr(10))} line" in line for line in below.warnings)


def test_words_of_other_consoles_in_the_header(tmp_path):
    text = "时间,人群包,投放场景,消耗(元),展现量(万),直播间观看人数,涨粉\n2024/5/1,A,直播间,5,0.2,7,3\n"
    [row] = read_conformed(written(tmp_path, text), "delivery").good.to_dicts()
    assert [row[k] for k in ("placement", "impressions", "live_entries", "new_fans")] == [
        "live",
        2000,
        7.0,
        3.0,
    ]


def test_a_comma_begins_the_fraction_where_semicolons_separate(tmp_path):
    head = HEADER.replace(",", ";")
    cells = (("123,450", "1.234"), ("1234,5", "7"))
    lines = [f"2024-05-01;A;短视频;{cost};{count};3" for cost, count in cells]
    path = written(tmp_path, "\n".join([head, *lines]))
    assert read_raw(path, "delivery").decimal == ","
    good = read_conformed(path, "delivery").good
    assert good["cost_cny"].to_list() == [123.45, 1234.5]
    assert good["impressions"].to_list() == [1234, 7]


def test_what_stays_open_where_semicolons_separate_is_refused(tmp_path):
    cells = (("5", "1.234"), ("7", "12"), ("8", "13"))
    lines = [f"2024-05-01;A;短视频;{cost};{count};3" for cost, count in cells]
    read = read_conformed(written(tmp_path, "\n".join([HEADER.replace(",", ";"), *lines])), "delivery")
    assert read.rejected["row"].to_list() == [1]
    assert "1.234" in read.rejected["raw"][0]


MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def workbook(path, sheets):
    """A minimal .xlsx: text and number cells only."""
    numbers = range(1, len(sheets) + 1)
    named = zip(numbers, sheets, strict=True)
    names = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, name in named)
    links = "".join(f'<Relationship Id="r{n}" Type="{OFFICE}/worksheet" Target="s{n}.xml"/>' for n in numbers)
    parts = "".join(
        f'<Override PartName="/xl/s{n}.xml" ContentType="{SHEET}.worksheet+xml"/>' for n in numbers
    )
    root = f'<Relationship Id="b" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
    kinds = (
        f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{SHEET}.sheet.main+xml"/>{parts}'
    )
    with zipfile.ZipFile(path, "w") as book:
        for n, rows in zip(numbers, sheets.values(), strict=True):
            cells = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
            body = f'<worksheet xmlns="{MAIN}"><sheetData>{cells}</sheetData></worksheet>'
            book.writestr(f"xl/s{n}.xml", body)
        body = f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{names}</sheets></workbook>'
        book.writestr("xl/workbook.xml", body)
        for name, held in (("xl/_rels/workbook.xml.rels", links), ("_rels/.rels", root)):
            book.writestr(name, f'<Relationships xmlns="{PACKAGE}/relationships">{held}</Relationships>')
        book.writestr("[Content_Types].xml", f'<Types xmlns="{PACKAGE}/content-types">{kinds}</Types>')


def _cell(value):
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    return "<c/>" if value is None else f"<c><v>{value}</v></c>"


def test_a_workbook_is_read_like_its_csv(tmp_path):
    rows = [[*line.split(",")[:3], *map(float, line.split(",")[3:])] for line in LINES]
    serial = [[45412 + number // 2 + 1, *row[1:]] for number, row in enumerate(rows)]
    sheets = {"说明": [["本表由系统导出"]], "数据": [["报表名称：日报"], HEADER.split(","), *serial]}
    path = tmp_path / "delivery.xlsx"
    workbook(path, sheets)
    read, csv = read_conformed(path, "delivery"), counted(tmp_path, LINES)
    assert read.good.equals(csv.good)
    assert [line.partition(": ")[2] for line in read.warnings] == [
        "skipped 1 line above the header",
        "sheet '数据' was read, not '说明'",
    ]


def test_what_is_no_workbook_is_one_line(tmp_path):
    path = written(tmp_path, "日期,花费\n", "t.xlsx")
    with pytest.raises(DataError, match="not a workbook that can be read"):
        read_table(path)
    workbook(path, {"a": []})
    with pytest.raises(DataError, match="every sheet is empty"):
        read_table(path)


def test_an_allocation_in_chinese_is_a_last_plan(tmp_path):
    path = written(tmp_path, "人群,投放位置,花费(万元)\nA,短视频,0.5\nA,直播间,1\n", "last.csv")
    read = read_conformed(path, "allocation")
    cells = read.good.select("segment", "placement", "spend_cny").rows()
    assert cells == [("A", "video", 5000.0), ("A", "live", 1e4)]
    assert read.rejected.is_empty()
