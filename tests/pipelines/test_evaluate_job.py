"""`evaluate` with a coin and with the training data: the plan's own verdicts, and what has drifted."""

import json

import mlflow
import polars as pl
import pytest
import yaml

from pipelines.evaluate import run_evaluate
from pipelines.run import run_all
from pipelines.store import read_dataset, write_table

SETTINGS = "train: {min_audience: 100, draws: 20, threads: 1}\n"


@pytest.fixture(scope="module")
def planned(data_dir, tmp_path_factory):
    """A plan from the small world, judged by the very logs it was learned from: (plan directory, store)."""
    folder = tmp_path_factory.mktemp("evaluate")
    (folder / "run.yaml").write_text(SETTINGS)
    store = f"sqlite:///{folder / 'mlflow.db'}"
    run_all(
        data=data_dir,
        campaign=data_dir / "campaign.yaml",
        out=folder / "plan",
        config=folder / "run.yaml",
        tracking_uri=store,
    )
    return folder / "plan", store


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


def test_without_the_model_features_are_still_compared(planned, campaign_data, data_dir, tmp_path):
    plan, _ = planned
    data, _ = campaign_data
    elsewhere = f"sqlite:///{tmp_path / 'other.db'}"
    result = run_evaluate(data=data, plan=plan, trained_on=data_dir, tracking_uri=elsewhere)
    kinds = {row["kind"] for row in result.evaluation["drift"]}
    assert "feature" in kinds
    assert "score" not in kinds
    assert any("scores were not compared" in note for note in result.evaluation["notes"])
