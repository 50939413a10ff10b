"""`run`, `plan`, `replay` and `evaluate` on a small world, and what they leave in MLflow."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import mlflow
import numpy as np
import polars as pl
import pytest
import yaml

import targeting as tg
from models.errors import DataError
from models.rates.calibration import Reliability
from pipelines import tracking
from pipelines.jobs.evaluate import run_evaluate
from pipelines.jobs.plan import Source, run_plan
from pipelines.jobs.replay import run_replay
from pipelines.jobs.run import run_all
from pipelines.jobs.score import run_score
from pipelines.jobs.train import calibration_chart
from pipelines.store import write_table
from pipelines.store.plans import read_plan
from pipelines.tracking_store import connect
from targeting.plan.seal import SEAL

FILES = (
    "scores.parquet",
    "segments.parquet",
    "segment_summary.csv",
    "curves.csv",
    "allocation.csv",
    "plan.json",
    "report.html",
    "rejected",
)
PLAN_KEYS = {
    "status",
    "objective",
    "value",
    "upper_bound",
    "gap",
    "budget_cny",
    "spend_cny",
    "expected",
    "shadow_prices",
    "binding",
    "claims",
    "model_uri",
    "fingerprints",
    "versions",
}
SETTINGS = "train: {min_audience: 100, draws: 20, threads: 1}\n"


@pytest.fixture
def curves(tmp_path):
    """A brief and supplied Hill curves: (brief, curves)."""
    path = tmp_path / "curves.csv"
    path.write_text(
        "segment,placement,top,half_spend_cny,slope\na,video,900,120,1\na,live,500,60,1.4\nb,video,700,90,1.1\n"
    )
    brief = tmp_path / "brief.yaml"
    brief.write_text("campaign_id: c\nbudget_cny: 300\nplacements: [video, live]\n")
    return brief, path


def test_run_writes_every_file_of_the_contract(ran):
    _, out, _ = ran
    assert {name for name in FILES if (out / name).exists()} == set(FILES)
    plan = json.loads((out / "plan.json").read_text())
    assert set(plan) >= PLAN_KEYS
    assert plan["spend_cny"] <= plan["budget_cny"] + 1e-9
    allocation = pl.read_csv(out / "allocation.csv")
    assert allocation["spend_li"].sum() == pytest.approx(1000 * plan["spend_cny"], abs=0.5)


def test_every_eligible_user_is_in_one_segment(ran):
    _, out, _ = ran
    scores, segments = pl.read_parquet(out / "scores.parquet"), pl.read_parquet(out / "segments.parquet")
    assert segments["user_id"].is_unique().all()
    assert set(segments["user_id"]) == set(scores.filter("eligible")["user_id"])


def test_the_run_holds_parameters_metrics_charts_model_and_plan(ran):
    result, _, store = ran
    connect(store)
    run = mlflow.get_run(result.run_id)
    assert run.data.params["train.seed"] == "7"
    assert run.data.metrics["value"] == pytest.approx(result.value)
    assert {"users", "exposures", "orders", "campaign"} <= {
        name.removeprefix("targeting.fingerprint.")
        for name in run.data.tags
        if name.startswith("targeting.fingerprint.")
    }
    assert run.data.tags[tracking.MODEL_TAG] == result.model_uri
    names = {
        a.path
        for folder in ("plan", "charts")
        for a in mlflow.MlflowClient().list_artifacts(run.info.run_id, folder)
    }
    assert {"plan/plan.json", "plan/allocation.csv", "plan/report.html", "charts/allocation.svg"} <= names
    version = mlflow.MlflowClient().get_model_version(*result.model_uri.removeprefix("models:/").split("/"))
    assert version.run_id == result.run_id


def test_the_calibration_chart_is_a_picture():
    table = Reliability(predicted=(1.0, 2.0, 8.0), actual=(1.5, 2.0, 7.0), rows=(5, 5, 5), ece=0.1)
    svg = calibration_chart(table, title="follow")
    assert svg.startswith("<svg")
    assert "follow, held-out time" in svg


def test_a_saved_plan_is_read_back_as_the_same_plan(ran):
    result, out, _ = ran
    plan = read_plan(out)
    assert plan.value == pytest.approx(result.value, rel=1e-12)
    assert not plan.violations()
    assert plan.allocation["spend_li"].equals(pl.read_csv(out / "allocation.csv")["spend_li"])


def test_a_run_is_replayed_from_its_id_to_the_identical_plan(ran, tmp_path):
    result, out, store = ran
    again = run_replay(run_id=result.run_id, out=tmp_path / "again", tracking_uri=store)
    assert again.identical
    assert again.plan.model_uri == result.model_uri
    assert (tmp_path / "again" / "allocation.csv").read_bytes() == (out / "allocation.csv").read_bytes()


def test_plan_from_scores_uses_and_names_the_model_that_scored(trained, data_dir, tmp_path):
    store, model, _ = trained
    run_score(data=data_dir, model=model, out=tmp_path / "scores", tracking_uri=store)
    source = Source(data=data_dir, scores=tmp_path / "scores")
    result = run_plan(
        campaign=data_dir / "campaign.yaml", source=source, out=tmp_path / "plan", tracking_uri=store
    )
    assert result.model_uri == model
    assert mlflow.get_run(result.run_id).data.tags[tracking.MODEL_TAG] == model
    assert run_replay(run_id=result.run_id, out=tmp_path / "again", tracking_uri=store).identical


def test_scores_of_other_users_are_refused(cli, trained, data_dir, tmp_path):
    store, model, _ = trained
    run_score(data=data_dir, model=model, out=tmp_path / "scores", tracking_uri=store)
    other = tmp_path / "data"
    other.mkdir()
    pl.read_parquet(data_dir / "users.parquet").head(100).write_parquet(other / "users.parquet")
    arguments = ["--campaign", data_dir / "campaign.yaml", "--data", other, "--scores", tmp_path / "scores"]
    code, _, err = cli("plan", *arguments, "--out", "plan", "--tracking-uri", store)
    assert code == 1
    assert "scored from other users" in err


@pytest.fixture
def scored(cli, trained, data_dir, tmp_path):
    """A directory of scores, and a call of `plan` that takes it: (exit status, stderr)."""
    store, model, _ = trained
    run_score(data=data_dir, model=model, out=tmp_path / "scores", tracking_uri=store)

    def plan():
        arguments = [
            "--campaign",
            data_dir / "campaign.yaml",
            "--data",
            data_dir,
            "--scores",
            tmp_path / "scores",
        ]
        code, _, err = cli("plan", *arguments, "--out", "plan", "--tracking-uri", store)
        return code, err

    return tmp_path / "scores", plan


def test_scores_that_are_not_whole_are_refused(scored):
    folder, plan = scored
    table, manifest = folder / "scores.parquet", folder / "manifest.json"
    scores, whole, said = pl.read_parquet(table), table.read_bytes(), json.loads(manifest.read_text())
    spoilt = scores.with_columns(gmv_per_fan_cny=pl.lit(float("nan")))
    for content, told in (
        (whole[:-50], "corrupt"),
        (b"", "empty"),
        (scores.filter(pl.col("user_id") != scores["user_id"][0]), r"\(rows \d+, expected"),
        (scores.with_columns(pl.col("p_precise") * 0.5), r"\(sha256 "),
        (spoilt, "row 1: gmv_per_fan_cny is nan, expected a finite number"),
    ):
        if isinstance(content, bytes):
            table.write_bytes(content)
        else:
            content.write_parquet(table)
        code, err = plan()
        assert code == 1
        assert re.search(told, err), err
    fewer = scores.filter(pl.col("user_id") != scores["user_id"][0])
    fewer.write_parquet(table)
    sha256 = hashlib.sha256(table.read_bytes()).hexdigest()
    counts = {"rows": fewer.height, "users": fewer["user_id"].n_unique(), "sha256": sha256}
    manifest.write_text(json.dumps({**said, **counts}))
    code, err = plan()
    assert code == 1
    assert f"1 of 1,500 users of {folder.parent}" in err or "1 of 1,500 users" in err
    assert "have no scores" in err
    table.write_bytes(whole)
    manifest.write_text(json.dumps(said))
    assert plan()[0] == 0


def test_an_infeasible_brief_registers_nothing(cli, store, data_dir, tmp_path):
    brief = tmp_path / "brief.yaml"
    brief.write_text(
        (data_dir / "campaign.yaml").read_text().replace("constraints: []", "")
        + "\nconstraints:\n  - {kind: bounds, placement: live, min_share: 0.8}\n"
        + "  - {kind: bounds, placement: video, min_share: 0.8}\n"
    )
    (tmp_path / "run.yaml").write_text(SETTINGS)
    arguments = ("--data", data_dir, "--campaign", brief, "--config", tmp_path / "run.yaml", "--out", "plan")
    assert cli("run", *arguments)[0] == 3
    connect(store)
    assert mlflow.MlflowClient().search_model_versions() == []


def test_curves_are_planned_and_replayed(cli, store, curves):
    brief, path = curves
    code, out, err = cli("plan", "--campaign", brief, "--curves", path, "--out", "plan", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["spend_cny"] == pytest.approx(300, abs=0.01)
    assert told["gap"] <= 1e-6
    assert cli("replay", told["run_id"], "--out", "again")[0] == 0
    assert Path("again/allocation.csv").read_bytes() == Path("plan/allocation.csv").read_bytes()


def test_a_replay_with_changed_input_is_refused_by_name(cli, store, curves):
    brief, path = curves
    run_id = json.loads(cli("plan", "--campaign", brief, "--curves", path, "--out", "plan", "--json")[1])[
        "run_id"
    ]
    path.write_text(path.read_text().replace("900", "901"))
    code, _, err = cli("replay", run_id, "--out", "again")
    assert code == 1
    assert "curves" in err
    assert "has changed since" in err
    assert not Path("again").exists()


EDITS = (
    ("replay.json", '"job"', '"jobs"'),
    ("replay.json", '"sources": {', '"data": 7, "sources": {'),
    ("replay.json", '"job": "plan"', '"job": "run"'),
    ("replay.json", '"curves"', '"/etc/passwd"'),
    ("replay.json", '"gap_tol"', '"gap"'),
    ("replay.json", "{", "[" * 5000),
    ("plan/allocation.csv", "spend_li", "spend"),
    ("plan/allocation.csv", ",0,", ",x,"),
)


def test_an_edited_record_of_a_run_is_refused_in_words(cli, store, curves, own_folder):
    brief, table = curves
    told = cli("plan", "--campaign", brief, "--curves", table, "--out", "plan", "--json")[1]
    run_id = json.loads(told)["run_id"]
    for name, old, new in EDITS:
        [path] = own_folder.glob(f"mlartifacts/**/{run_id}/artifacts/{name}")
        said = path.read_text()
        assert old in said
        path.write_text(said.replace(old, new, 1))
        code, _, err = cli("replay", run_id, "--out", "again")
        assert (code, len(err.splitlines())) == (1, 1), (name, old, err)
        path.write_text(said)
    assert not Path("again").exists()


def test_a_run_without_a_plan_cannot_be_replayed(cli, trained):
    store, _, run_id = trained
    code, _, err = cli("replay", run_id, "--out", "again", "--tracking-uri", store)
    assert code == 1
    assert "made no plan" in err


def test_an_infeasible_brief_is_status_3_and_names_the_conflict(cli, store, curves):
    brief, path = curves
    brief.write_text(
        brief.read_text()
        + "constraints:\n  - {kind: bounds, name: all to live, placement: live, min_share: 0.8}\n"
        + "  - {kind: bounds, name: all to b, segment: b, min_share: 0.8}\n"
    )
    code, out, err = cli("plan", "--campaign", brief, "--curves", path, "--out", "plan")
    assert (code, out) == (3, "")
    assert "all to live" in err
    assert "all to b" in err
    assert len(err.splitlines()) == 1
    assert not Path("plan").exists()


def test_a_last_plan_is_found_beside_the_brief_and_limits_change(cli, store, curves, tmp_path):
    brief, path = curves
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "last.csv").write_text("segment,placement,spend_cny\na,video,100\na,live,100\nb,video,100\n")
    own = folder / "brief.yaml"
    own.write_text(
        brief.read_text() + "last_plan: last.csv\nconstraints: [{kind: change_limit, max_cny: 5}]\n"
    )
    code, _, err = cli("plan", "--campaign", own, "--curves", path, "--out", "plan")
    assert (code, err) == (0, "")
    spend = pl.read_csv("plan/allocation.csv")["spend_cny"].to_list()
    assert all(95 - 1e-6 <= s <= 105 + 1e-6 for s in spend)
    own.write_text(own.read_text().replace("last.csv", "lost.csv"))
    code, _, err = cli("plan", "--campaign", own, "--curves", path, "--out", "other")
    assert code == 1
    assert "last_plan" in err


def test_a_consoles_report_in_chinese_is_planned(cli, store, tmp_path):
    rng = np.random.default_rng(3)
    rows = ["日期,人群,投放位置,花费,曝光数,涨粉数,支付金额"]
    for day in range(1, 22):
        for segment, rate in (("高消费女", 0.02), ("泛娱乐男", 0.01)):
            for place, price in (("短视频", 0.05), ("直播间", 0.2)):
                cost = float(rng.uniform(50, 400))
                shown = int(cost / price / (1 + cost / 500))
                fans = rng.poisson(shown * rate)
                rows.append(f"2020-10-{day:02d},{segment},{place},{cost:.2f},{shown},{fans},{fans * 30}")
    report = tmp_path / "delivery.csv"
    report.write_text("\n".join(rows), encoding="gbk")
    brief = tmp_path / "brief.yaml"
    brief.write_text("campaign_id: c\nbudget_cny: 600\nplacements: [video, live]\n")
    code, out, err = cli("plan", "--campaign", brief, "--delivery", report, "--out", "plan", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["claims"]["kind"] == "observational"
    allocation = pl.read_csv("plan/allocation.csv")
    spent = dict(allocation.group_by("segment").agg(pl.sum("spend_cny")).iter_rows())
    assert spent["高消费女"] > spent["泛娱乐男"]


def test_a_finished_campaign_is_judged_against_its_promise(ran, tmp_path, store):
    from targeting.world import simulate

    _, out, _ = ran
    world = simulate("jewellery", users=1500, seed=5)
    happened = world.truth.realise(
        pl.read_parquet(out / "segments.parquet"),
        pl.read_csv(out / "allocation.csv"),
        rng=np.random.default_rng(1),
        campaign_id=world.campaign["campaign_id"],
    )
    after = tmp_path / "after"
    after.mkdir()
    tables = (("users", world.users), ("exposures", happened.exposures), ("orders", happened.orders))
    for name, table in tables:
        write_table(table, after / f"{name}.parquet")
    result = run_evaluate(data=after, plan=out, tracking_uri=store)
    spend = result.evaluation["totals"]["spend_cny"]
    assert spend["realised"] == pytest.approx(spend["promised"], rel=0.05)
    assert "new_fans: promised" in result.headline
    assert mlflow.get_run(result.run_id).data.metrics["spend_cny.realised"] == pytest.approx(
        spend["realised"]
    )


@pytest.mark.slow
def test_the_whole_chain_on_a_real_mlflow_server(server, data_dir, tmp_path, own_folder):
    (tmp_path / "run.yaml").write_text(SETTINGS)
    result = run_all(
        data=data_dir,
        campaign=data_dir / "campaign.yaml",
        out=tmp_path / "plan",
        config=tmp_path / "run.yaml",
        tracking_uri=server,
    )
    assert run_replay(run_id=result.run_id, out=tmp_path / "again", tracking_uri=server).identical
    assert not (tmp_path / "mlflow.db").exists(), "nothing was written beside the server"


def test_the_brief_of_a_world_is_the_contract(data_dir):
    brief = yaml.safe_load((data_dir / "campaign.yaml").read_text())
    assert brief["placements"] == ["video", "live"]


def test_a_directory_that_holds_no_plan_is_named(tmp_path):
    with pytest.raises(
        DataError, match=f"^{tmp_path}/plan.json: is missing; expected a directory written by"
    ):
        read_plan(tmp_path)


def test_a_damaged_plan_directory_is_told_by_file(tmp_path):
    (tmp_path / "allocation.csv").write_text("")
    with pytest.raises(DataError, match=r"allocation.csv: cannot be read \(.*\); expected a file of"):
        read_plan(tmp_path)
    (tmp_path / "allocation.csv").unlink()
    (tmp_path / "plan.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(DataError, match=r"plan.json: cannot be read"):
        read_plan(tmp_path)


def test_a_brief_that_was_edited_in_a_plan_is_told_with_its_directory(ran, tmp_path):
    for path in ran[1].iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    said = json.loads((tmp_path / "plan.json").read_text())
    said["campaign"]["budget_cny"] = 0
    (tmp_path / "plan.json").write_text(json.dumps(said))
    with pytest.raises(DataError, match=f"^{tmp_path}: edited after the plan was written: plan.json; "):
        read_plan(tmp_path)
    (tmp_path / SEAL).unlink()  # as plans of older versions are
    with pytest.raises(DataError, match=f"^{tmp_path}/plan.json: campaign: budget_cny"):
        read_plan(tmp_path)


def test_a_plan_is_loaded_in_python_as_it_was_saved(ran):
    loaded, planned = tg.Plan.load(str(ran[1])), ran[0]
    assert loaded.to_dict() == read_plan(ran[1]).to_dict()
    assert loaded.spend_cny == pytest.approx(planned.spend_cny)
    with pytest.raises(DataError, match=r"no such directory; expected one written by `targeting plan`"):
        tg.Plan.load("nowhere")


def test_money_moved_between_two_cells_is_told_by_file(ran, tmp_path):
    copied = shutil.copytree(ran[1], tmp_path / "copy")
    assert read_plan(copied).spend_cny == read_plan(ran[1]).spend_cny
    table = pl.read_csv(copied / "allocation.csv")
    moved = pl.Series("spend_li", [table["spend_li"][-1], *table["spend_li"][1:-1], table["spend_li"][0]])
    table.with_columns(moved).write_csv(copied / "allocation.csv")
    with pytest.raises(DataError, match=r"edited after the plan was written: allocation\.csv; .* plan again"):
        read_plan(copied)
