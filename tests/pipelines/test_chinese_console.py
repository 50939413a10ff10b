"""A merchant's way in Chinese: a console's export as it comes, a plan, and what the console takes."""

import csv
import io
import re

import pytest

from pipelines.store import read_conformed

HEADER = "日期,人群包名称,投放位置,消耗(元),展示数,点击率,直播间进入数,涨粉数,支付订单数,支付金额(万元),,"
BRIEF = """
campaign_id: 双十一
objective: new_fan_gmv
starts_at: 2020-11-15T00:00:00
budget_cny: 6000
placements: [短视频, 直播间]
economics: {gross_margin: 0.45, fee_rate: 0.05}
"""
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")


def day_rows(day, date, digits):
    """A day of three crowds in two places, with thousands separators, dashes for nothing and 万."""
    for crowd, worth in (("女性24-30岁", 90), ("男性31-40岁", 40), ("珠宝兴趣人群", 120)):
        for place, pull in (("短视频", 0.30), ("直播间", 0.42)):
            cost = 1000 + 130 * ((day * 7 + worth) % 9)
            fans = round(pull * cost * (1.1 - cost / 8000))
            amount = fans * 0.06 * worth / 10_000
            entries = f'"{fans * 20:,}"' if place == "直播间" else "--"
            shown, told = f'"{cost * 35:,}"', str(fans).translate(FULL_WIDTH) if digits else f'"{fans:,}"'
            yield (
                f'{date},{crowd},{place},"{cost:,.2f}",{shown},1.82%,{entries},{told},{fans},{amount:.5f},,'
            )


def sheet(days, *, dates="2020/11/{}", total="合计", digits=False):
    rows = [row for day in days for row in day_rows(day, dates.format(day), digits)]
    cells = [[part.replace(",", "") for part in next(csv.reader([row]))] for row in rows]
    sums = [
        sum(float(cell[at].translate(str.maketrans("--", "  ")).strip() or 0) for cell in cells)
        for at in (3, 9)
    ]
    return "\r\n".join([HEADER, *rows, f'{total},,,"{sums[0]:,.2f}",,1.8%,,,,{sums[1]:.5f},,']) + "\r\n"


def as_exported(folder, kind):
    """The same fortnight in one of the shapes that consoles give it."""
    days = range(1, 15)
    match kind:
        case "gbk":
            (folder / "r.csv").write_bytes(sheet(days).encode("gbk"))
        case "full-width":
            (folder / "r.csv").write_text(sheet(days, total="总计", digits=True), encoding="utf-8-sig")
        case "titled":
            title = "报表名称：推广日报\r\n导出时间：2020-11-15 09:10:11\r\n\r\n"
            (folder / "r.csv").write_bytes((title + sheet(days, dates="2020年11月{}日")).encode("gbk"))
        case "a file a day":
            (folder / "r").mkdir()
            for day in days:
                (folder / "r" / f"日报{day:02d}.csv").write_bytes(sheet([day]).encode("gbk"))
            return folder / "r"
    return folder / "r.csv"


@pytest.mark.parametrize("kind", ["full-width", "titled", "a file a day"])
def test_every_shape_of_an_export_is_the_same_table(cli, own_folder, kind):
    report = as_exported(own_folder, kind)
    said = cli("check", report, "--lang", "zh")[1]
    assert english_in_check(said) is None, said
    plain = own_folder / "plain"
    plain.mkdir()
    held = read_conformed(report, "delivery")
    expected = read_conformed(as_exported(plain, "gbk"), "delivery")
    assert held.good.drop("row", strict=False).equals(expected.good.drop("row", strict=False))


@pytest.mark.slow
def test_an_export_as_it_comes_becomes_a_plan_and_a_launch_sheet_in_chinese(cli, own_folder):
    report = as_exported(own_folder, "gbk")
    (own_folder / "brief.yaml").write_text(BRIEF, encoding="utf-8")
    said = cli("check", report, "--lang", "zh")[1]
    assert english_in_check(said) is None, said
    asked = ("plan", "--campaign", "brief.yaml", "--delivery", report, "--out", "计划", "--lang", "zh")
    code, out, err = cli(*asked)
    assert (code, err) == (0, "")
    assert english_in(out) == []
    assert "总计" not in (own_folder / "计划" / "allocation.csv").read_text()
    code, out, err = cli(
        "export", "--plan", "计划", "--format", "kuaishou", "--out", "投放表", "--lang", "zh"
    )
    assert (code, err) == (0, "")
    assert english_in(out) == []
    text = (own_folder / "投放表" / "units.csv").read_text(encoding="utf-8-sig")
    units = list(csv.DictReader(io.StringIO(text)))
    assert sum(int(unit["单日预算(元)"]) for unit in units) > 5900
    # A report's segment is the console's own crowd: the unit is shown to it, not to everybody.
    assert {unit["人群包定向"] for unit in units} <= {"女性24-30岁", "男性31-40岁", "珠宝兴趣人群"}


def english_in_check(said):
    return re.search("expected|good|warning|set aside", said)


def english_in(told):
    """Words of sentences: not names of files, columns or runs."""
    plain = re.sub(r"\S*[/._|0-9]\S*|delivery|reach|date|MLflow|kuaishou", " ", told)
    return re.findall(r"[A-Za-z]{3,}", plain)
