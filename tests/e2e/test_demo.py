"""The demo as a new user runs it, in a process of its own."""

import json
import os
import subprocess
import sys

import polars as pl
import pytest


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    (folder / "demo.yaml").write_text("users: 6000\n")
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    command = [sys.executable, "-m", "pipelines", "demo", "--out", "demo", "--config", "demo.yaml", "--json"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return folder, done


def test_it_ends_well_and_says_nothing_but_one_json_object(demo):
    _, done = demo
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["plan"]["status"] == "optimal"
    assert told["plan"]["gap"] <= 1e-6


def test_the_plan_makes_money_mostly_inside_experience(demo):
    from pipelines.store.plans import read_plan
    from targeting.report.saying import funded, prolonged

    folder, done = demo
    assert json.loads(done.stdout)["plan"]["expected"]["profit_cny"]["value"] > 0
    plan = read_plan(folder / "demo" / "plan")
    assert 2 * len(prolonged(plan)) < funded(plan).height


def test_the_run_keeps_the_calibration_charts(demo):
    folder, _ = demo
    assert list((folder / "mlartifacts").rglob("charts/calibration-*.svg"))


def test_the_report_is_self_contained(demo):
    folder, done = demo
    html = (folder / json.loads(done.stdout)["report"]).read_text()
    assert "<svg" in html
    for tag in ('src="http', "src='http", 'href="http', "@import", "<link"):
        assert tag not in html


def test_the_plan_keeps_to_the_budget_and_beats_an_equal_split_on_the_truth(demo):
    from targeting.world import simulate

    folder, done = demo
    plan = folder / "demo" / "plan"
    origin = json.loads((folder / "demo" / "data" / "truth" / "world.json").read_text())
    truth = simulate(origin["world"], users=origin["users"], seed=origin["seed"]).truth
    segments, allocation = pl.read_parquet(plan / "segments.parquet"), pl.read_csv(plan / "allocation.csv")
    spend = json.loads(done.stdout)["plan"]["spend_cny"]
    equal = allocation.with_columns(spend_cny=pl.lit(spend / allocation.height))
    ours = truth.value(segments, allocation)
    assert ours["spend_cny"] <= json.loads(done.stdout)["plan"]["budget_cny"] + 1e-6
    assert ours["new_fan_gmv_cny"] > truth.value(segments, equal)["new_fan_gmv_cny"]


def test_the_scores_do_not_know_the_truth(demo):
    folder, _ = demo
    inputs = {path.name for path in (folder / "demo" / "data").iterdir() if path.suffix == ".parquet"}
    assert inputs == {"users.parquet", "exposures.parquet", "orders.parquet"}
