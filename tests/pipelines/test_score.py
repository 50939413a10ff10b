"""Scoring: the same scores from every engine and part size; a killed job goes on where it was stopped."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import polars as pl
import pytest

from models import registry
from models.errors import DataError
from pipelines import tracking
from pipelines.jobs import score as score_job
from pipelines.jobs.score import run_score
from pipelines.store import read_scores, read_users
from pipelines.store.reading import print_of
from pipelines.store.streams import digests_of

KEYS = ["user_id", "placement"]


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "score.yaml"
    path.write_text("part_users: 400\n")
    return path


def score(trained, data, out, **given):
    uri, model, _ = trained
    return run_score(data=data, model=model, out=out, tracking_uri=uri, **given)


def test_parts_give_what_the_model_gives_at_once(trained, data_dir, tmp_path, settings):
    result = score(trained, data_dir, tmp_path / "scores", config=settings)
    written = pl.read_parquet(tmp_path / "scores" / "scores.parquet")
    users = read_users(data_dir).good
    expected = registry.load(trained[1]).model.score(users)
    assert written.drop("eligible").equals(expected.drop("eligible"))
    assert result.users == users.height
    assert result.rejected == 0
    assert result.reused_parts == 0


def test_whoever_followed_in_the_logs_is_not_eligible(trained, data_dir, tmp_path):
    score(trained, data_dir, tmp_path / "scores")
    scores = read_scores(tmp_path / "scores")
    followers = pl.read_parquet(data_dir / "exposures.parquet").filter("followed")["user_id"].unique()
    fans = pl.read_parquet(data_dir / "users.parquet").filter("is_fan")["user_id"]
    gone = scores.filter(~pl.col("eligible"))["user_id"].unique()
    assert set(gone) == set(followers) | set(fans)


def test_logs_that_cannot_be_read_are_told(cli, trained, data_dir, tmp_path):
    data = Path(shutil.copytree(data_dir, tmp_path / "data"))
    (data / "exposures.parquet").write_bytes(b"")
    options = ("--data", data, "--model", trained[1], "--tracking-uri", trained[0], "--out", "scores")
    code, out, err = cli("score", *options, "--json")
    assert (code, err) == (0, "")
    [warning] = json.loads(out)["warnings"]
    assert "is_fan is taken as it stands" in warning
    assert "the file is empty" in warning


def test_the_manifest_names_the_very_version_behind_the_alias(trained, data_dir, tmp_path):
    uri, model, _ = trained
    name = model.removeprefix("models:/").split("/")[0]
    result = run_score(
        data=data_dir, model=f"models:/{name}@champion", out=tmp_path / "scores", tracking_uri=uri
    )
    manifest = json.loads((tmp_path / "scores" / "manifest.json").read_text())
    assert manifest["model_uri"] == result.model_uri == model
    assert mlflow.get_run(result.run_id).data.tags[tracking.MODEL_TAG] == model


def test_csv_users_score_like_parquet_users(trained, data_dir, tmp_path):
    copy = tmp_path / "data"
    copy.mkdir()
    users = pl.read_parquet(data_dir / "users.parquet")
    users.write_csv(copy / "users.csv")
    score(trained, copy, tmp_path / "from_csv")
    users.write_parquet(tmp_path / "users.parquet")
    (copy / "users.csv").unlink()
    shutil.move(tmp_path / "users.parquet", copy / "users.parquet")
    score(trained, copy, tmp_path / "from_parquet")
    assert read_scores(tmp_path / "from_csv").equals(read_scores(tmp_path / "from_parquet"))


def test_bad_rows_and_users_in_two_parts_are_quarantined(trained, data_dir, tmp_path, settings):
    copy = tmp_path / "data"
    (copy / "users").mkdir(parents=True)
    users = pl.read_parquet(data_dir / "users.parquet")
    odd = users.head(1).with_columns(user_id=pl.lit(None, dtype=pl.String))
    pl.concat([users.head(750), odd]).write_parquet(copy / "users" / "a.parquet")
    users.tail(760).write_parquet(copy / "users" / "b.parquet")
    result = score(trained, copy, tmp_path / "scores", config=settings)
    assert (result.users, result.rejected) == (1500, 11)
    rejected = pl.read_csv(tmp_path / "scores" / "rejected" / "users.csv")
    assert rejected.filter(pl.col("row") == 751).height == 1
    assert rejected["reason"].str.contains("another part").sum() == 10
    assert not read_scores(tmp_path / "scores").select(KEYS).is_duplicated().any()


def in_two_parts(data_dir, folder):
    """The same data, its users in a folder of two parts."""
    data = Path(shutil.copytree(data_dir, folder))
    users = pl.read_parquet(data / "users.parquet")
    (data / "users.parquet").unlink()
    (data / "users").mkdir()
    users.head(900).write_parquet(data / "users" / "a.parquet")
    users.tail(600).write_parquet(data / "users" / "b.parquet")
    return data


@pytest.mark.parametrize("damage", ["emptied", "torn", "rotten"])
def test_a_part_that_cannot_be_read_does_not_stop_the_others(
    cli, trained, data_dir, tmp_path, settings, damage
):
    data = in_two_parts(data_dir, tmp_path / "data")
    part, whole = data / "users" / "a.parquet", (data / "users" / "a.parquet").read_bytes()
    rotten = whole[:4] + bytes(len(whole) // 2) + whole[4 + len(whole) // 2 :]
    part.write_bytes({"emptied": b"", "torn": whole[: len(whole) // 2], "rotten": rotten}[damage])
    options = ("--data", data, "--model", trained[1], "--tracking-uri", trained[0], "--config", settings)
    code, out, err = cli("score", *options, "--out", tmp_path / "scores", "--json")
    said = json.loads(out)
    assert (code, said["users"], said["rejected"], len(said["missing"])) == (1, 600, 1, 1)
    assert "a.parquet: cannot be read as Parquet" in err
    rejected = pl.read_csv(tmp_path / "scores" / "rejected" / "users.csv")
    assert rejected["source"].to_list() == [str(part)]
    part.write_bytes(whole)
    code, out, err = cli("score", *options, "--out", tmp_path / "scores", "--json")
    assert (code, err, json.loads(out)["reused_parts"]) == (0, "", 2), "only the mended part is scored"
    score(trained, data, tmp_path / "at_once")
    assert read_scores(tmp_path / "scores").equals(read_scores(tmp_path / "at_once"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("damage", ["emptied", "rotten"])
def test_spark_too_goes_on_without_a_part_that_cannot_be_read(trained, data_dir, tmp_path, damage):
    data = in_two_parts(data_dir, tmp_path / "data")
    part, whole = data / "users" / "a.parquet", (data / "users" / "a.parquet").read_bytes()
    rotten = whole[:4] + bytes(len(whole) // 2) + whole[4 + len(whole) // 2 :]
    part.write_bytes({"emptied": b"", "rotten": rotten}[damage])
    spark = score(trained, data, tmp_path / "spark", engine="spark")
    local = score(trained, data, tmp_path / "local")
    assert (spark.users, spark.rejected, spark.missing) == (600, 1, local.missing)
    one, other = (read_scores(tmp_path / name).sort(KEYS) for name in ("spark", "local"))
    assert one.equals(other)


def test_users_of_whom_no_part_can_be_read_are_refused(trained, data_dir, tmp_path):
    data = in_two_parts(data_dir, tmp_path / "data")
    for part in (data / "users").iterdir():
        part.write_bytes(b"PAR1")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        score(trained, data, tmp_path / "scores")
    assert not (tmp_path / "scores").exists()


def test_the_same_again_is_done_already_and_anything_else_replaces_it(trained, data_dir, tmp_path):
    data, out = Path(shutil.copytree(data_dir, tmp_path / "data")), tmp_path / "scores"
    first = score(trained, data, out)
    stamps = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    again = score(trained, data, out)
    assert (again.already_done, again.users, again.eligible) == (True, first.users, first.eligible)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == stamps
    logs = pl.read_parquet(data / "exposures.parquet")
    logs.with_columns(followed=False, followed_at=pl.lit(None, pl.Datetime("us"))).write_parquet(
        data / "exposures.parquet"
    )
    other = score(trained, data, out)
    assert (other.already_done, other.eligible > first.eligible) == (False, True)


def test_scores_that_are_gone_are_not_done_already(trained, data_dir, tmp_path):
    out = tmp_path / "scores"
    first = score(trained, data_dir, out)
    whole = (out / "scores.parquet").read_bytes()
    (out / "scores.parquet").unlink()
    again = score(trained, data_dir, out)
    assert (again.already_done, again.users) == (False, first.users)
    assert (out / "scores.parquet").read_bytes() == whole


def test_the_fingerprint_of_the_logs_is_of_what_was_read(trained, data_dir, tmp_path, monkeypatch):
    data = Path(shutil.copytree(data_dir, tmp_path / "data"))
    logs = data / "exposures.parquet"
    true, read = print_of(digests_of(logs)), score_job.read_conformed

    def replaced_behind(path, table):
        found = read(path, table)
        pl.read_parquet(logs).head(10).write_parquet(logs)
        return found

    monkeypatch.setattr(score_job, "read_conformed", replaced_behind)
    score(trained, data, tmp_path / "scores")
    said = json.loads((tmp_path / "scores/manifest.json").read_text(encoding="utf-8"))
    assert said["fingerprints"]["exposures"] == true


def test_a_part_without_a_good_row_does_not_stop_the_others(trained, data_dir, tmp_path, settings):
    (tmp_path / "data" / "users").mkdir(parents=True)
    users = pl.read_parquet(data_dir / "users.parquet")
    users.head(40).with_columns(is_fan=pl.lit(None, dtype=pl.Boolean)).write_parquet(
        tmp_path / "data" / "users" / "a.parquet"
    )
    users.tail(60).write_parquet(tmp_path / "data" / "users" / "b.parquet")
    with pytest.raises(DataError, match=r"40 of 100 rows are bad, more than 0\.05 .*max_rejected_share"):
        score(trained, tmp_path / "data", tmp_path / "scores", config=settings)
    settings.write_text(settings.read_text() + "max_rejected_share: 0.4\n")
    result = score(trained, tmp_path / "data", tmp_path / "scores", config=settings)
    assert (result.users, result.rejected) == (60, 40)
    rejected = pl.read_csv(tmp_path / "scores" / "rejected" / "users.csv")
    assert rejected["source"].str.ends_with("a.parquet").all()
    assert rejected["row"].to_list() == list(range(1, 41))


def test_users_without_any_good_row_are_refused(trained, data_dir, tmp_path):
    (tmp_path / "data").mkdir()
    users = pl.read_parquet(data_dir / "users.parquet").with_columns(is_fan=pl.lit(None, dtype=pl.Boolean))
    users.write_parquet(tmp_path / "data" / "users.parquet")
    with pytest.raises(DataError, match="no row of table users is usable; 1500 of 1500: is_fan"):
        score(trained, tmp_path / "data", tmp_path / "scores")
    assert not (tmp_path / "scores").exists()


def test_users_in_partition_folders_are_found(trained, data_dir, tmp_path):
    users = pl.read_parquet(data_dir / "users.parquet")
    for (fan,), part in users.group_by("is_fan"):
        folder = tmp_path / "data" / "users" / f"is_fan={str(fan).lower()}"
        folder.mkdir(parents=True)
        part.drop("is_fan").write_parquet(folder / "part-0.parquet")
    result = score(trained, tmp_path / "data", tmp_path / "scores")
    assert (result.users, result.rejected) == (1500, 0)
    fans = read_scores(tmp_path / "scores").filter(~pl.col("eligible"))["user_id"].unique()
    assert set(fans) == set(users.filter("is_fan")["user_id"])


@pytest.fixture
def lacking(data_dir, tmp_path):
    """A data directory whose second part of users lacks a feature, and the users with it empty there."""
    users = pl.read_parquet(data_dir / "users.parquet")
    name = next(c for c in users.columns if c not in ("user_id", "snapshot_at", "is_fan"))
    folder = tmp_path / "lacking" / "users"
    folder.mkdir(parents=True)
    users[:800].write_parquet(folder / "part-1.parquet")
    users[800:].drop(name).write_parquet(folder / "part-0.parquet")
    whole = tmp_path / "whole"
    whole.mkdir()
    known = pl.int_range(pl.len()) < 800
    users.with_columns(pl.when(known).then(pl.col(name)).alias(name)).write_parquet(whole / "users.parquet")
    return folder.parent, whole


def test_a_part_may_lack_a_feature(trained, lacking, tmp_path):
    parts, whole = lacking
    score(trained, parts, tmp_path / "one")
    score(trained, whole, tmp_path / "other")
    one, other = (read_scores(tmp_path / name).sort(KEYS) for name in ("one", "other"))
    assert one.equals(other)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::FutureWarning")
def test_a_part_may_lack_a_feature_in_spark_too(trained, lacking, tmp_path):
    parts, whole = lacking
    score(trained, parts, tmp_path / "one", engine="spark")
    score(trained, whole, tmp_path / "other")
    one, other = (read_scores(tmp_path / name).sort(KEYS) for name in ("one", "other"))
    assert one.equals(other)


def test_a_killed_job_goes_on_where_it_was_stopped(trained, data_dir, tmp_path):
    uri, model, _ = trained
    settings = tmp_path / "score.yaml"
    settings.write_text("part_users: 20\n")
    out = tmp_path / "scores"
    options = {
        "--data": data_dir,
        "--model": model,
        "--out": out,
        "--config": settings,
        "--tracking-uri": uri,
    }
    command = [
        sys.executable,
        "-m",
        "pipelines",
        "score",
        *(str(x) for pair in options.items() for x in pair),
    ]
    process = subprocess.Popen(command, cwd=tmp_path)
    while process.poll() is None and len(list(tmp_path.glob(".scores.targeting/work/parts/*.*.parquet"))) < 3:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not out.exists()
    result = score(trained, data_dir, out, config=settings)
    assert result.reused_parts >= 3
    assert not (tmp_path / ".scores.targeting").exists()
    score(trained, data_dir, tmp_path / "at_once")
    assert read_scores(out).equals(read_scores(tmp_path / "at_once"))


def score_and_die(trained, data, out, settings, monkeypatch):
    """A job that ends when all parts are finished, and before anything is published."""
    from pipelines.jobs import scored_users as job

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(job.ScoredUsers, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            score(trained, data, out, config=settings)


@pytest.mark.parametrize("damage", ["emptied", "truncated", "edited"])
def test_a_damaged_part_is_made_again(trained, data_dir, tmp_path, settings, monkeypatch, damage):
    score_and_die(trained, data_dir, tmp_path / "scores", settings, monkeypatch)
    parts = sorted((tmp_path / ".scores.targeting" / "work" / "parts").iterdir())
    assert len(parts) == 4
    whole = parts[1].read_bytes()
    at = len(whole) // 2
    flipped = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
    parts[1].write_bytes({"emptied": b"", "truncated": whole[:at], "edited": flipped}[damage])
    assert score(trained, data_dir, tmp_path / "scores", config=settings).reused_parts == 3
    score(trained, data_dir, tmp_path / "at_once")
    assert read_scores(tmp_path / "scores").equals(read_scores(tmp_path / "at_once"))


def test_parts_of_other_users_are_never_reused(trained, data_dir, tmp_path, settings, monkeypatch):
    data = Path(shutil.copytree(data_dir, tmp_path / "data"))
    score_and_die(trained, data, tmp_path / "scores", settings, monkeypatch)
    users = pl.read_parquet(data / "users.parquet")
    users.reverse().write_parquet(data / "users.parquet")
    assert score(trained, data, tmp_path / "scores", config=settings).reused_parts == 0
    manifest = json.loads((tmp_path / "scores" / "manifest.json").read_text())
    assert manifest["users"] == 1500


def test_users_that_are_replaced_while_they_are_read_are_told(
    trained, data_dir, tmp_path, settings, monkeypatch
):
    from pipelines.engines import local

    data = Path(shutil.copytree(data_dir, tmp_path / "data"))
    users = data / "users.parquet"
    score_part, seen = local.score_part, []

    def replacing(*given, **named):
        if not seen:
            other = pl.read_parquet(users).with_columns(pl.col("user_id").reverse())
            seen.append(other)
            other.write_parquet(users)  # into the very file that is being read
        return score_part(*given, **named)

    monkeypatch.setattr(local, "score_part", replacing)
    with pytest.raises(DataError, match=r"users\.parquet: (was changed while|cannot be read|corrupt)"):
        score(trained, data, tmp_path / "scores", config=settings)
    assert not (tmp_path / "scores").exists()


def test_users_that_take_the_place_of_others_are_not_believed_to_be_them(
    trained, data_dir, tmp_path, settings, monkeypatch
):
    from pipelines.engines import local

    data = Path(shutil.copytree(data_dir, tmp_path / "data"))
    users = data / "users.parquet"
    score_part = local.score_part

    def replacing(*given, **named):
        pl.read_parquet(users).reverse().write_parquet(tmp_path / "other.parquet")
        (tmp_path / "other.parquet").rename(users)
        return score_part(*given, **named)

    monkeypatch.setattr(local, "score_part", replacing)
    score(trained, data, tmp_path / "scores", config=settings)
    monkeypatch.undo()
    score(trained, data_dir, tmp_path / "expected", config=settings)
    assert read_scores(tmp_path / "scores").equals(read_scores(tmp_path / "expected"))
    one, other = (
        json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("scores", "expected")
    )
    assert one["fingerprints"] == other["fingerprints"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::FutureWarning")
def test_spark_gives_the_same_scores(trained, data_dir, tmp_path, settings):
    local = score(trained, data_dir, tmp_path / "local")
    spark = score(trained, data_dir, tmp_path / "spark", engine="spark", config=settings)
    assert spark.engine == "spark"
    assert (spark.users, spark.eligible) == (local.users, local.eligible)
    one, other = (read_scores(tmp_path / name).sort(KEYS) for name in ("local", "spark"))
    assert one.equals(other)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::FutureWarning")
def test_what_a_spark_worker_refuses_is_a_data_error(trained, data_dir, tmp_path, settings):
    (tmp_path / "data").mkdir()
    users = pl.read_parquet(data_dir / "users.parquet").rename({"aov_cny": "basket"})
    users.write_parquet(tmp_path / "data" / "users.parquet")
    with pytest.raises(DataError, match="aov_cny"):
        score(trained, tmp_path / "data", tmp_path / "scores", engine="spark", config=settings)


def test_a_model_that_is_not_there_is_status_1(cli, trained, data_dir):
    arguments = ("score", "--data", data_dir, "--out", "scores", "--tracking-uri", trained[0])
    for model in ("models:/nobody@champion", "models:/new-fan-gmv/99", "nonsense"):
        code, out, err = cli(*arguments, "--model", model)
        assert (code, out) == (1, "")
        assert len(err.splitlines()) == 1
    assert not Path("scores").exists()


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(cli, trained, data_dir, tmp_path):
    options = ("--data", data_dir, "--model", trained[1], "--tracking-uri", trained[0], "--out", "scores")
    before = sorted(tmp_path.rglob("*"))
    code, out, err = cli("score", *options, "--dry-run", "--json")
    assert (code, err) == (0, "")
    said = json.loads(out)
    rows = pl.read_parquet(data_dir / "users.parquet").height
    assert (said["rows"], said["parts"], said["would_replace"]) == (rows, 1, False)
    assert said["model_uri"] == trained[1]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_scheduler_reads_lines_of_json(cli, trained, data_dir, monkeypatch):
    monkeypatch.setenv("TARGETING_LOG", "json")
    options = ("--data", data_dir, "--model", trained[1], "--tracking-uri", trained[0], "--out", "scores")
    code, out, err = cli("score", *options, "--json")
    lines = [json.loads(line) for line in err.splitlines()]
    assert code == 0
    assert [lines[0]["event"], lines[-1]["event"]] == ["started", "done"]
    assert "loading the model" in [line.get("step") for line in lines]
    metrics = mlflow.get_run(json.loads(out)["run_id"]).data.metrics
    assert metrics["rows_per_second"] > 0
    assert metrics["rejected"] == 0
    code, _, err = cli("score", "--data", "nowhere", *options[2:], "--json")
    told = json.loads(err.splitlines()[-1])
    assert (code, told["event"]) == (1, "error")
    assert "nowhere" in told["message"]


@pytest.mark.parametrize("dies", [False, True])
def test_the_next_night_unchanged_parts_are_taken_over(
    trained, data_dir, tmp_path, settings, monkeypatch, dies
):
    from pipelines.engines import local

    data, last, out = in_two_parts(data_dir, tmp_path / "data"), tmp_path / "monday", tmp_path / "tuesday"
    score(trained, data, last, config=settings)
    held = {path.name: path.read_bytes() for path in (last / "scores.parquet").iterdir()}
    logs = pl.read_parquet(data / "exposures.parquet")
    new = pl.read_parquet(data / "users" / "a.parquet")["user_id"][450]
    won = pl.col("followed") | (pl.col("user_id") == new)
    logs.with_columns(followed=won).write_parquet(data / "exposures.parquet")
    changed = data / "users" / "b.parquet"
    pl.read_parquet(changed).reverse().write_parquet(changed)
    made, real, stops = [], local.score_part, [dies]

    def counted(model, raw, **given):
        if stops[0] and made:
            raise KeyboardInterrupt
        made.append(given["source"])
        return real(model, raw, **given)

    monkeypatch.setattr(local, "score_part", counted)
    given = {"config": settings, "last": last}
    if dies:
        with pytest.raises(KeyboardInterrupt):
            score(trained, data, out, **given)
        stops[0] = False
    assert score(trained, data, out, **given).reused_parts == 3 + dies
    assert made == [str(changed)] * 2
    said = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert (said["parts"], said["taken_over"]) == (5, 3 + dies)
    score(trained, data, tmp_path / "at_once", config=settings)
    assert read_scores(out).equals(read_scores(tmp_path / "at_once"))
    assert {path.name: path.read_bytes() for path in (last / "scores.parquet").iterdir()} == held
