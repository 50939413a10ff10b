"""`targeting export`: sheets that open, packs, and a report that finds its plan again."""

import csv
import hashlib
import io
import json
from datetime import date, timedelta

import fastexcel
import jewellery_shop
import polars as pl
import pytest
import yaml
from hostile_names import HOSTILE

from models.errors import CampaignError
from pipelines.jobs import export as job
from pipelines.jobs.evaluate import run_evaluate
from pipelines.jobs.export import run_export
from pipelines.jobs.plan import Source, run_plan
from pipelines.store import read_table, write_table
from pipelines.store.workbook import write_workbook

SEGMENTS = ("精致妈妈" * 20, "students", "=cmd|' /C calc'!A0")


@pytest.fixture
def exported(own_folder, store, monkeypatch):
    """`export` of the hand-made jewellery plan, which is not on a disk."""

    def export(form="kuaishou", *, plan=None, settings=None, audience=None):
        decided = plan or jewellery_shop.plan(**({} if audience is None else {"audience": audience}))
        monkeypatch.setattr(job, "read_plan", lambda folder: decided)
        (own_folder / "export.yaml").write_text(yaml.safe_dump(settings or {}))
        return run_export(
            plan=own_folder / "plan",
            form=form,
            out=own_folder / "launch",
            config=own_folder / "export.yaml",
            tracking_uri=store,
        )

    return export


@pytest.mark.parametrize(
    ("form", "files", "name"),
    [
        ("kuaishou", {"units.csv", "units.xlsx"}, "广告组名称"),
        ("oceanengine", {"units.csv", "units.xlsx"}, "计划名称"),
        ("csv", {"units.csv"}, "unit"),
        ("xlsx", {"units.xlsx"}, "unit"),
    ],
)
def test_each_format_opens_and_says_the_same(exported, own_folder, form, files, name):
    result = exported(form)
    folder = own_folder / "launch"
    assert {p.name for p in folder.iterdir() if p.name.startswith("units")} == files
    said = json.loads((folder / "export.json").read_text())
    wanted = [unit["name"] for unit in said["units"]]
    if form in ("kuaishou", "oceanengine"):
        wanted = [name.replace("|live", "|直播间").replace("|video", "|短视频") for name in wanted]
    assert len(wanted) == result.units > 0
    if "units.csv" in files:
        data = (folder / "units.csv").read_bytes()
        assert data.startswith(b"\xef\xbb\xbf")
        rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
        assert [row[name] for row in rows] == wanted
    if "units.xlsx" in files:
        sheet = fastexcel.read_excel(folder / "units.xlsx").load_sheet(0).to_polars()
        assert sheet[name].to_list() == wanted
    money = said["money"]
    assert money["launched_cny"] + money["dropped_cny"] + money["rounded_cny"] == pytest.approx(
        money["planned_cny"]
    )


def test_a_console_is_told_budgets_in_yuan_and_li_and_bids_below_them(exported, own_folder):
    exported("kuaishou")
    rows = list(csv.DictReader(io.StringIO((own_folder / "launch/units.csv").read_text("utf-8-sig"))))
    for row in rows:
        assert int(row["单日预算(厘)"]) == 1000 * int(row["单日预算(元)"]) >= 100_000
        assert 0 < float(row["出价(元)"]) <= int(row["单日预算(元)"])
        assert int(row["计划单日预算(元)"]) >= 500
        assert set(row["投放时间段"]) <= set("01-")
        assert row["性别"] in ("女", "男", "不限")
    assert {row["年龄下限"] for row in rows} == {"25", ""}


def people(*ids):
    shop = jewellery_shop.audience()
    segments = pl.DataFrame({"user_id": ids, "segment": ["precise · likely"] * len(ids)})
    scores = pl.DataFrame({"user_id": ["fan1", "fan2", ids[0]], "eligible": [False, False, True]})
    return type(shop)(scores=scores, segments=segments, summary=shop.summary, diagnosis=shop.diagnosis)


def test_packs_come_in_chunks_hashed_with_a_salt_that_is_nowhere_written(exported, own_folder):
    (own_folder / "salt.txt").write_text("top secret salt\n")
    packs = {"code": "sha256", "least_people": 2, "chunk_people": 2}
    settings = {"packs": packs, "salt_file": str(own_folder / "salt.txt")}
    result = exported("csv", settings=settings, audience=people("u1", "u2", "u3", "u4", "u5"))
    folder = own_folder / "launch/packs"
    files = sorted(path.name for path in folder.iterdir())
    pack = json.loads((own_folder / "launch/export.json").read_text())["packs"]
    include = next(p for p in pack if p["segment"] == "precise · likely")
    assert list(include["files"].values()) == [2, 2, 1]
    assert set(include["files"]) | {"exclude-fans-0001.csv"} == set(files)
    ids = [row for name in include["files"] for row in read_table(folder / name)["user_id"].to_list()]
    assert sorted(ids) == sorted(
        hashlib.sha256(f"top secret salt{u}".encode()).hexdigest() for u in ("u1", "u2", "u3", "u4", "u5")
    )
    assert result.packs == 2
    for path in (own_folder / "launch").rglob("*"):
        assert not path.is_file() or b"top secret" not in path.read_bytes()


def test_a_pack_that_is_too_small_is_not_written_and_said_so(exported, own_folder):
    result = exported("csv", settings={"packs": {"least_people": 6}}, audience=people("u1", "u2"))
    assert not (own_folder / "launch/packs").exists()
    assert result.packs == 0
    assert any("2 people, 6 are needed" in line for line in result.warnings)
    rows = list(csv.DictReader(io.StringIO((own_folder / "launch/units.csv").read_text("utf-8-sig"))))
    assert {row["include_pack"] for row in rows} == {""}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"packs": {"code": "md5"}}, "salt_file: packs.code md5 needs a salt"),
        ({"packs": {"code": "sha256"}, "salt_file": "nowhere.txt"}, "nowhere.txt cannot be read"),
        ({"minimums": {"unit_day_cny": 1e9}}, "every cell is below the platform's 1e\\+09 yuan"),
        ({"guarantee": {"over_target": 0.9}}, "guarantee.over_target"),
        ({"refund_share": 1.0}, "refund_share"),
    ],
)
def test_what_cannot_be_launched_is_one_line_and_nothing_is_written(exported, own_folder, settings, message):
    with pytest.raises(CampaignError, match=message):
        exported(settings=settings)
    assert not (own_folder / "launch").exists()


def test_no_name_is_ever_a_formula_in_a_workbook(tmp_path):
    frame = pl.DataFrame({"name": HOSTILE, "number": [1.5] * len(HOSTILE)})
    write_workbook(frame, tmp_path / "a.xlsx", sheet="<b>&\"units'")
    write_workbook(frame, tmp_path / "b.xlsx", sheet="<b>&\"units'")
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()
    book = fastexcel.read_excel(tmp_path / "a.xlsx")
    assert book.sheet_names == ["<b>&\"units'"]
    read = book.load_sheet(0).to_polars()
    assert read["number"].sum() == 1.5 * len(HOSTILE)
    assert not [name for name in read["name"] if name[:1] in "=+-@"]


@pytest.mark.parametrize("form", ["kuaishou", "oceanengine"])
def test_a_report_of_the_exported_units_finds_its_plan(own_folder, store, form):
    history = [
        {
            "date": date(2020, 11, 1) + timedelta(days=day),
            "segment": segment,
            "placement": placement,
            "cost_cny": 150.0 + 60 * (day % 4),
            "impressions": 2400 + 300 * (day % 4),
            "new_fans": 10 * worth + day % 4,
            "gmv_cny": 900.0 * worth + 10 * day,
        }
        for day in range(10)
        for segment, worth in zip(SEGMENTS, (3, 2, 2), strict=True)
        for placement in ("video", "live")
    ]
    write_table(pl.DataFrame(history), own_folder / "history.csv")
    brief = {"campaign_id": "双十一" * 12, "budget_cny": 3000, "starts_at": "2020-11-11", "days": 2}
    (own_folder / "brief.yaml").write_text(yaml.safe_dump(brief, allow_unicode=True))
    source = Source(delivery=own_folder / "history.csv")
    plan = own_folder / "plan"
    run_plan(campaign=own_folder / "brief.yaml", source=source, out=plan, tracking_uri=store)
    run_export(plan=plan, form=form, out=own_folder / "launch", tracking_uri=store)

    name = {"kuaishou": "广告组名称", "oceanengine": "计划名称"}[form]
    units = read_table(own_folder / "launch/units.csv")
    # What the console makes of it: its own ids and resources, a total, numbers that are its own.
    rows = [
        {
            "日期": f"2020-11-{day}",
            "计划ID": str(700_000 + at),
            name: unit,
            "广告位": "优选广告位",
            "花费(元)": "150",
            "曝光数": "2000",
            "涨粉数": "20",
            "支付金额": "1000",
        }
        for day in (11, 12)
        for at, unit in enumerate(units[name])
    ]
    data = own_folder / "data"
    data.mkdir()
    write_table(pl.DataFrame(rows), data / "delivery.csv")
    found = run_evaluate(data=data, plan=plan, tracking_uri=store).evaluation
    realised = {(c["segment"], c["placement"]): c["realised_fans"] for c in found["cells"]}
    said = json.loads((own_folder / "launch/export.json").read_text())
    for unit in said["units"]:
        assert realised[unit["segment"], unit["placement"]] == 40
    assert found["totals"]["new_fans"]["realised"] == 20 * len(rows)
    assert {unit["segment"] for unit in said["units"]} <= set(SEGMENTS)
    assert not [note for note in found["notes"] if "outside the plan" in note]
