"""`evaluate` with a coin and with the training data: the plan's own verdicts, and what has drifted."""

import json
import re
from datetime import date, timedelta

import mlflow
import polars as pl
import pytest
import yaml

from models.errors import DataError
from pipelines.cli import app
from pipelines.jobs.evaluate import run_evaluate
from pipelines.jobs.plan import Source, run_plan
from pipelines.shell import execute
from pipelines.store import read_dataset, write_table


@pytest.fixture(scope="module")
def planned(ran):
    """A plan from the small world, judged by the very logs it was learned from: (plan directory, store)."""
    _, plan, store = ran
    return plan, store


@pytest.fixture(scope="module")
def campaign_data(data_dir, tmp_path_factory):
    """The world's logs as if they were the campaign's; one feature has moved."""
    dataset = read_dataset(data_dir)
    folder = tmp_path_factory.mktemp("campaign")
    campaign_id = yaml.safe_load((data_dir / "campaign.yaml").read_text())["campaign_id"]
    number = next(c for c in dataset.features if dataset.users[c].dtype.is_numeric())
    users = dataset.users.with_columns(pl.col(number) * 3 + 1)
    exposures = dataset.exposures.with_columns(campaign_id=pl.lit(campaign_id))
    tables = {"users": users, "exposures": exposures, "orders": dataset.orders}
    for name, table in tables.items():
        write_table(table.drop("row", strict=False), folder / f"{name}.parquet")
    return folder, number


def test_the_coin_and_the_drift_are_in_the_result_and_in_mlflow(planned, campaign_data, data_dir):
    plan, store = planned
    data, number = campaign_data
    result = run_evaluate(data=data, plan=plan, trained_on=data_dir, tracking_uri=store)
    experiment = result.evaluation["experiment"]
    assert experiment is not None
    assert {row["policy"] for row in experiment["values"]} >= {
        "the plan",
        "all video",
        "all live",
        "all none",
    }
    drift = {(row["kind"], row["name"]): row["verdict"] for row in result.evaluation["drift"]}
    assert drift["feature", number] == "act"
    assert any(kind == "score" for kind, _ in drift)
    assert any(kind == "curve" for kind, _ in drift)
    assert "drift of features: act" in result.headline
    metrics = mlflow.get_run(result.run_id).data.metrics
    assert metrics["drift.feature.act_share"] > 0
    assert "coin.new_fans.value" in metrics
    json.dumps(result.evaluation, allow_nan=False, default=str)


def test_without_the_model_features_are_still_compared(planned, campaign_data, data_dir, new_store, tmp_path):
    plan, _ = planned
    data, _ = campaign_data
    elsewhere = new_store(tmp_path, "other.db")
    result = run_evaluate(data=data, plan=plan, trained_on=data_dir, tracking_uri=elsewhere)
    kinds = {row["kind"] for row in result.evaluation["drift"]}
    assert "feature" in kinds
    assert "score" not in kinds
    assert any("scores were not compared" in note for note in result.evaluation["notes"])


def test_out_holds_the_page_the_json_and_the_tables(planned, campaign_data, tmp_path, capsys):
    plan, store = planned
    data, _ = campaign_data
    out = tmp_path / "judged"
    command = ["evaluate", "--data", str(data), "--plan", str(plan), "--out", str(out), "--json"]
    assert execute(app, [*command, "--later", str(data), "--tracking-uri", store]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["out"] == str(out)
    written = {path.name for path in out.iterdir()}
    assert {"evaluation.html", "evaluation.json", "evaluation_cells.csv", "evaluation_reasons.csv"} <= written
    totals = json.loads((out / "evaluation.json").read_text())["totals"]
    assert totals.keys() == told["evaluation"]["totals"].keys()
    page = (out / "evaluation.html").read_text(encoding="utf-8")
    assert "What the coin says" in page
    assert "<script" not in page
    artifacts = {item.path for item in mlflow.MlflowClient().list_artifacts(told["run_id"])}
    assert {"evaluation.html", "evaluation.json"} <= artifacts


@pytest.fixture(scope="module")
def delivered(new_store, tmp_path_factory):
    """A plan from a console's report and a directory with that of the campaign: (plan, data, store)."""
    folder = tmp_path_factory.mktemp("delivered")
    rows = [
        {
            "date": date(2020, 11, 1) + timedelta(days=day),
            "segment": segment,
            "placement": "live",
            "cost_cny": 50.0 + 30 * (day % 4),
            "impressions": 800 + 100 * (day % 4),
            "new_fans": worth * (8 + day % 4),
            "gmv_cny": 400.0 * worth + 10 * day,
        }
        for day in range(12)
        for segment, worth in (("mothers", 2), ("students", 1))
    ]
    report = pl.DataFrame(rows)
    (folder / "data").mkdir()
    write_table(report.filter(pl.col("date") < date(2020, 11, 11)), folder / "history.csv")
    write_table(report.filter(pl.col("date") >= date(2020, 11, 11)), folder / "data" / "delivery.csv")
    brief = {"campaign_id": "c1", "budget_cny": 200, "starts_at": "2020-11-11T00:00:00", "days": 2}
    (folder / "brief.yaml").write_text(yaml.safe_dump({**brief, "placements": ["live"]}))
    store = new_store(folder)
    source = Source(data=None, scores=None, delivery=folder / "history.csv", curves=None)
    run_plan(campaign=folder / "brief.yaml", source=source, out=folder / "plan", tracking_uri=store)
    return folder / "plan", folder / "data", store


def test_a_plan_from_a_report_is_judged_by_a_later_report(delivered, tmp_path):
    plan, data, store = delivered
    result = run_evaluate(data=data, plan=plan, out=tmp_path / "judged", tracking_uri=store)
    assert result.evaluation["source"] == "delivery"
    assert result.evaluation["totals"]["new_fans"]["realised"] == pytest.approx(3 * (10 + 11))
    assert (tmp_path / "judged" / "evaluation.html").exists()
    assert mlflow.get_run(result.run_id).data.metrics["new_fans.realised"] > 0


def test_a_reader_of_chinese_is_told_in_chinese(delivered, capsys):
    plan, data, store = delivered
    command = ["evaluate", "--data", str(data), "--plan", str(plan), "--tracking-uri", store, "--lang", "zh"]
    assert execute(app, command) == 0
    told = capsys.readouterr().out
    assert "涨粉数：承诺" in told
    assert "MLflow 运行" in told
    assert not re.search("promised|realised|report|drift", told), told


def test_rows_of_the_report_that_break_the_contract_are_told(delivered, tmp_path):
    plan, data, store = delivered
    report = pl.read_csv(data / "delivery.csv")
    broken = report.with_columns(
        cost_cny=pl.when(pl.int_range(pl.len()) == 1).then(-1.0).otherwise("cost_cny")
    )
    write_table(broken, tmp_path / "delivery.csv")
    notes = run_evaluate(data=tmp_path, plan=plan, tracking_uri=store).evaluation["notes"]
    assert any("1 rows of" in note and "(row 2) because" in note for note in notes)


def test_rows_of_the_logs_that_were_left_out_are_told(planned, campaign_data, tmp_path):
    plan, store = planned
    data, _ = campaign_data
    for name in ("users", "orders"):
        (tmp_path / f"{name}.parquet").symlink_to(data / f"{name}.parquet")
    broken = pl.read_parquet(data / "exposures.parquet").with_columns(
        cost_cny=pl.when(pl.int_range(pl.len()) < 3).then(-1.0).otherwise("cost_cny")
    )
    write_table(broken.drop("followed_at"), tmp_path / "exposures.parquet")
    notes = run_evaluate(data=tmp_path, plan=plan, tracking_uri=store).evaluation["notes"]
    assert any("3 of " in note and "rows quarantined" in note for note in notes)
    assert any("no column followed_at; taken as empty" in note for note in notes)


def test_an_evaluation_never_replaces_the_plan_it_judges(delivered):
    plan, data, store = delivered
    with pytest.raises(DataError, match="holds the input"):
        run_evaluate(data=data, plan=plan, out=plan, tracking_uri=store)
    assert (plan / "plan.json").exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--trained-on", "is judged by its delivery report, which knows no people"),
        ("--plan", "no such directory; expected one written by `targeting plan`"),
        ("--data", "table users is missing"),
    ],
)
def test_what_cannot_be_judged_is_one_line_and_exit_1(delivered, tmp_path, capsys, option, message):
    plan, data, store = delivered
    given = {"--data": str(data), "--plan": str(plan), "--tracking-uri": store}
    given[option] = str(tmp_path if option != "--plan" else tmp_path / "nowhere")
    assert execute(app, ["evaluate", *[word for pair in given.items() for word in pair]]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert message in told.err


def test_a_report_given_as_a_file_is_told_where_to_go(delivered):
    plan, data, store = delivered
    with pytest.raises(DataError, match=r"delivery.csv: is a file; expected a data directory"):
        run_evaluate(data=data / "delivery.csv", plan=plan, tracking_uri=store)


def test_people_of_the_plan_are_needed_to_read_user_logs(delivered, campaign_data):
    plan, _, store = delivered
    data, _ = campaign_data
    with pytest.raises(DataError, match="holds a delivery report of the campaign"):
        run_evaluate(data=data, plan=plan, tracking_uri=store)
