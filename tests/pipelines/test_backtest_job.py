"""`targeting backtest` from a data directory: the table, the run that keeps it, and what it refuses."""

import json

import mlflow
import pytest
import yaml

SETTINGS = {"windows": 1, "window_days": 8, "train_days": 10, "min_audience": 100, "draws": 20, "threads": 1}


@pytest.mark.slow
def test_the_walk_is_printed_and_kept(cli, store, data_dir, tmp_path):
    config = tmp_path / "backtest.yaml"
    config.write_text(yaml.safe_dump(SETTINGS))
    command = ["backtest", "--data", data_dir, "--campaign", data_dir / "campaign.yaml", "--config", config]
    code, out, err = cli(*command, "--tracking-uri", store, "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    outcomes = {row["outcome"] for row in told["backtest"]["table"]}
    assert {"new_fans", "spend_cny"} <= outcomes
    assert {row["window"] for row in told["backtest"]["table"]} == {0, 1}
    run = mlflow.get_run(told["run_id"])
    assert run.data.metrics["new_fans.realised"] == pytest.approx(
        next(
            r["realised"] for r in told["backtest"]["table"] if (r["window"], r["outcome"]) == (0, "new_fans")
        )
    )
    assert {item.path for item in mlflow.MlflowClient().list_artifacts(told["run_id"])} >= {
        "backtest.json",
        "backtest.csv",
    }


def test_too_many_windows_are_one_line_and_exit_1(cli, store, data_dir, tmp_path):
    config = tmp_path / "backtest.yaml"
    config.write_text("windows: 9\n")
    command = ["backtest", "--data", data_dir, "--campaign", data_dir / "campaign.yaml", "--config", config]
    code, out, err = cli(*command, "--tracking-uri", store)
    assert (code, out) == (1, "")
    assert "9 windows of 5 days after 10 days to learn from" in err
    assert len(err.splitlines()) == 1
