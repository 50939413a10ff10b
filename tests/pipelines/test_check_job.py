"""`targeting check`: what is wrong where, and what the data can tell."""

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from models.errors import DataError
from pipelines.jobs.check import check
from pipelines.store import write_table

NOW = datetime(2020, 11, 1)
USERS = pl.DataFrame(
    {"user_id": ["a", "b"], "snapshot_at": NOW, "is_fan": [False, True], "gender": ["f", "m"]}
)
EXPOSURES = pl.DataFrame(
    {
        "exposure_id": ["1", "2", "3"],
        "user_id": ["a", "b", "a"],
        "campaign_id": "k",
        "placement": ["video", "live", "none"],
        "exposed_at": [NOW, NOW + timedelta(days=1), NOW],
        "impressions": [1, 2, 0],
        "cost_cny": [0.5, 1.0, 0.0],
        "followed": False,
        "randomized": True,
    }
)
ORDERS = pl.DataFrame(
    {"order_id": ["1"], "user_id": ["a"], "ordered_at": [NOW], "gmv_cny": [9.0], "refund_cny": [0.0]}
)


@pytest.fixture
def data(tmp_path):
    """A small good data directory."""
    for name, frame in (("users", USERS), ("exposures", EXPOSURES), ("orders", ORDERS)):
        write_table(frame, tmp_path / f"{name}.csv")
    return tmp_path


def test_good_data_has_facts_and_no_errors(data):
    report = check(data)
    assert report.ok
    report.raise_if_unusable()
    assert [(table.table, table.good, table.rejected) for table in report.tables] == [
        ("users", 2, 0),
        ("exposures", 3, 0),
        ("orders", 1, 0),
    ]
    facts = report.facts
    assert (facts["users"], facts["eligible_users"], facts["features"]) == (2, 1, ["gender"])
    assert facts["exposed"] == ["2020-11-01 00:00:00", "2020-11-02 00:00:00"]
    assert facts["placements"]["live"]["cost_cny"] == 1.0
    assert "claims" not in facts, "three rows teach nothing"
    assert any(
        "nothing can be learned from these logs yet: exposures: 2 shown rows" in w for w in report.warnings
    )
    assert json.loads(json.dumps(report.to_dict()))["ok"] is True


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            {"randomized": pl.lit(False)},
            "live 0 rows with 0 follows, video 0 rows with 0 follows, held out 0 rows",
        ),
        ({"randomized": pl.col("placement") == "none"}, "live and video need 300 randomised shown rows"),
        ({"randomized": pl.col("placement") != "none"}, "300 randomised held-out (none) rows are needed"),
    ],
)
def test_without_a_coin_nothing_is_called_causal(data_dir, tmp_path, change, why):
    data = Path(shutil.copytree(data_dir, tmp_path / "data"))
    exposures = pl.read_parquet(data / "exposures.parquet")
    write_table(exposures.with_columns(**change), data / "exposures.parquet")
    claims = check(data).facts["claims"]
    assert claims["kind"] == "observational"
    assert why in claims["why"]


def test_claims_and_assumptions_are_those_of_training(data_dir, trained, tmp_path):
    import mlflow

    from targeting import Planner

    store, model_uri, _ = trained
    mlflow.set_tracking_uri(store)
    model = Planner.load(model_uri).model
    told = check(data_dir)
    assert told.facts["claims"] == {"kind": model.claims.kind, "why": model.claims.why}

    late = Path(shutil.copytree(data_dir, tmp_path / "late"))
    users = pl.read_parquet(late / "users.parquet")
    write_table(users.with_columns(snapshot_at=pl.lit(datetime(2030, 1, 1))), late / "users.parquet")
    assert any("happened before their user's snapshot_at" in line for line in check(late).warnings)


def test_every_kind_of_fault_is_located_and_counted(data):
    bad = EXPOSURES[:1].with_columns(
        pl.lit("9").alias("exposure_id"),
        pl.lit(-1.0).alias("cost_cny"),
        pl.lit(0, dtype=pl.Int64).alias("impressions"),
    )
    stranger = EXPOSURES[:1].with_columns(pl.lit("8").alias("exposure_id"), pl.lit("zz").alias("user_id"))
    write_table(pl.concat([EXPOSURES, bad, EXPOSURES[:1], bad, stranger]), data / "exposures.csv")
    [table] = [table for table in check(data).tables if table.table == "exposures"]
    assert (table.good, table.rejected) == (3, 4)
    found = {(finding.column, finding.row, finding.rows, finding.found) for finding in table.findings}
    assert found == {
        ("cost_cny", 4, 2, "-1.0"),
        ("impressions", 4, 2, "0"),
        ("exposure_id", 5, 1, "1"),
        ("user_id", 7, 1, "zz"),
    }
    path = data / "exposures.csv"
    assert f"  {path}, row 4, column cost_cny: expected a finite number >= 0; found '-1.0' (2 such rows, this is the first)" in check(data).lines()  # fmt: skip  # noqa: E501


def test_chinese_headers_show_the_cell_that_is_wrong(tmp_path):
    path = tmp_path / "report.csv"
    path.write_bytes(
        "日期,人群,投放位置,花费(厘),涨粉数\n20201111,A,直播,1500,2\n20201111,A,直播,x,2\n".encode("gbk")
    )
    report = check(path)
    assert report.ok
    [finding] = report.tables[0].findings
    assert (report.tables[0].table, finding.column, finding.row, finding.found) == (
        "delivery",
        "cost_cny",
        2,
        "x",
    )
    assert report.facts["dates"] == ["2020-11-11", "2020-11-11"]


def test_errors_of_one_table_do_not_hide_those_of_another(data):
    write_table(USERS.drop("is_fan"), data / "users.csv")
    (data / "orders.csv").write_bytes(b"")
    report = check(data)
    assert not report.ok
    assert len(report.errors) == 2
    assert "'is_fan' of table users missing; found: user_id, snapshot_at, gender" in report.errors[0]
    assert "the file is empty" in report.errors[1]
    assert [table.table for table in report.tables] == ["exposures"]
    assert any(line.startswith("error: ") for line in report.lines())
    with pytest.raises(DataError, match="and 1 more error"):
        report.raise_if_unusable()


def test_tables_that_do_not_belong_together(data):
    write_table(USERS.with_columns(user_id="x" + pl.col("user_id")), data / "users.csv")
    report = check(data)
    assert "no row's user_id is in" in report.errors[0]
    assert len(report.tables) == 3


def test_an_empty_directory_lists_what_is_missing(tmp_path):
    errors = check(tmp_path).errors
    assert [error.split(";")[0].split(": ")[1] for error in errors] == [
        "table users is missing",
        "table exposures is missing",
        "table orders is missing",
    ]
    assert "no such file" in check(tmp_path / "nowhere").errors[0]


def test_a_curves_file_must_be_whole(tmp_path):
    path = tmp_path / "curves.csv"
    path.write_text("segment,placement,spend_cny,value\ns,video,0,0\ns,video,5,nan\n")
    assert "1 bad rows; curves are used whole or not at all" in check(path).errors[0]
    path.write_text("segment,placement,top,half_spend_cny,slope\ns,video,10,5,1\n")
    assert check(path).ok


def test_a_folder_of_parts_is_one_table(tmp_path):
    for part in "ab":
        write_table(USERS.with_columns(user_id=part + pl.col("user_id")), tmp_path / f"{part}.parquet")
    [table] = check(tmp_path).tables
    assert (table.table, table.good) == ("users", 4)


@pytest.mark.parametrize("suffix", ["PARQUET", "csv"])
def test_a_part_may_lack_what_a_report_does_not_need(tmp_path, suffix):
    report = pl.DataFrame(
        {"date": ["2020-11-11"], "人群": ["a"], "placement": ["live"], "花费(厘)": [900], "new_fans": [3]}
    )
    write_table(report.with_columns(impressions=pl.lit(70)), tmp_path / f"a.{suffix}")
    write_table(report.rename({"人群": "segment"}), tmp_path / f"b.{suffix}")
    found = check(tmp_path)
    assert found.ok
    assert [(table.table, table.good) for table in found.tables] == [("delivery", 2)]
    told = f"{tmp_path}/b.{suffix}: no column 'impressions' (1 of 2 parts lack it); taken as empty"
    assert told in found.warnings
    write_table(report.drop("placement"), tmp_path / f"b.{suffix}")
    [error] = check(tmp_path).errors
    assert f"b.{suffix}: required column 'placement'" in error


def test_the_directory_of_a_plan_is_no_data(tmp_path):
    (tmp_path / "plan.json").write_text("{}")
    write_table(USERS, tmp_path / "segments.parquet")
    (tmp_path / "curves.csv").write_text("segment,placement,spend_cny,value\n")
    [error] = check(tmp_path).errors
    assert "is the directory of a plan" in error
