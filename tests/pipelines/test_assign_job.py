"""`targeting assign`: lists of people by way of the command's job, on this machine and on Spark."""

import json
import os

import numpy as np
import offered_people
import polars as pl
import pytest
import yaml

import targeting as tg
from models.errors import CampaignError, DataError, InfeasibleError
from pipelines.jobs.assign import run_assign
from targeting.assignment.options import offers_of_scores
from targeting.campaign import parse_campaign

OPTIONS = {"video": {"video": 3}, "live": {"live": 2}, "both": {"video": 3, "live": 2}}
PRICES = {"video": 0.05, "live": 0.2}
BRIEF = {"campaign_id": "c", "budget_cny": 150.0, "constraints": []}


def scores_of(n, seed=0):
    rng = np.random.default_rng(seed)
    live = np.tile([False, True], n)
    enter = rng.beta(2, 8, 2 * n)
    return pl.DataFrame(
        {
            "user_id": np.repeat([f"u{i:05d}" for i in rng.permutation(n)], 2),
            "placement": ["video", "live"] * n,
            "p_follow": rng.beta(1, 40, 2 * n),
            "gmv_per_fan_cny": rng.gamma(2, 40, 2 * n),
            "p_precise": rng.random(2 * n),
            "eligible": np.repeat(rng.random(n) > 0.1, 2),
            "p_enter": pl.Series(np.where(live, enter, np.nan)).fill_nan(None),
        }
    )


@pytest.fixture
def desk(own_folder, store):
    """Scores, a brief and settings in the test's own folder, and the job on them."""
    (own_folder / "scores").mkdir()
    scores_of(3000).write_parquet(own_folder / "scores/scores.parquet")

    def assign(out="out", *, brief=BRIEF, settings=None, **given):
        (own_folder / "brief.yaml").write_text(yaml.safe_dump(brief))
        config = {"options": OPTIONS, "price_cny": PRICES, **(settings or {})}
        (own_folder / "assign.yaml").write_text(yaml.safe_dump(config))
        paths = {"campaign": own_folder / "brief.yaml", "config": own_folder / "assign.yaml"}
        given = {"scores": own_folder / "scores", **paths, **given}
        return run_assign(**given, out=own_folder / out, tracking_uri=store)

    return assign


def lists(folder):
    return pl.read_parquet(folder / "assignment/*.parquet").sort("user_id")


def direct(brief=BRIEF):
    offers = offers_of_scores(
        scores_of(3000), options=OPTIONS, price_cny=PRICES, campaign=parse_campaign(brief)
    )
    return tg.assign(offers, budget_cny=brief["budget_cny"], limits=brief["constraints"])


def test_the_lists_are_those_of_the_library(desk, own_folder):
    result, found = desk(), direct()
    assert lists(own_folder / "out").equals(found.chosen)
    assert (result.value, result.upper_bound) == (found.value, found.upper_bound)
    assert result.spend_cny <= 150.0
    said = json.loads((own_folder / "out/assignment.json").read_text())
    assert said["gap"] == result.gap <= 1e-4
    assert sum(said["chosen"].values()) == found.chosen.height
    assert not list(own_folder.glob(".out*/work"))


LIMITED = {
    **BRIEF,
    "constraints": [
        {"kind": "bounds", "name": "live cap", "placement": "live", "max_share": 0.1},
        {"kind": "live_capacity", "name": "room", "viewers": 60},
        {"kind": "frequency_cap", "name": "frequency", "impressions": 2.9},
    ],
}


def test_many_parts_give_what_one_gives_and_everybody_is_in_one_of_them(desk, own_folder):
    one = desk(brief=LIMITED)
    many = desk("many", brief=LIMITED, settings={"part_rows": 500})
    assert len(list((own_folder / "many/assignment").iterdir())) == 12
    assert many.upper_bound == pytest.approx(one.upper_bound, rel=1e-9)
    assert many.value == pytest.approx(one.value, rel=1e-6)
    assert lists(own_folder / "many")["user_id"].is_unique().all()
    limits = pl.DataFrame(json.loads((own_folder / "many/assignment.json").read_text())["limits"])
    assert limits["name"].to_list() == ["total", "live cap", "room", "frequency"]
    assert (limits["used"] <= limits["upper"] + 1e-9).all()
    assert many.prices["live cap"] > 0


def test_spark_gives_the_same_value(desk, own_folder):
    local = desk(brief=LIMITED, settings={"part_rows": 2000})
    spark = desk("spark", brief=LIMITED, settings={"part_rows": 2000}, engine="spark")
    assert spark.engine == "spark"
    assert spark.people == local.people
    assert spark.value == pytest.approx(local.value, rel=1e-6)
    assert spark.upper_bound == pytest.approx(local.upper_bound, rel=1e-9)
    assert lists(own_folder / "spark")["user_id"].is_unique().all()


def test_a_pipe_is_no_assignment_of_before(desk, own_folder):
    os.mkfifo(own_folder / "pipe.json")
    with pytest.raises(DataError, match="expected a file on a disk"):
        desk(prices=own_folder / "pipe.json")


@pytest.mark.parametrize("engine", ["local", "spark"])
def test_a_part_that_cannot_be_read_is_set_aside(desk, own_folder, cli, engine):
    folder = own_folder / "parts"
    (folder / "scores").mkdir(parents=True)
    people = scores_of(900)
    people.head(1200).write_parquet(folder / "scores/a.parquet")
    people.tail(600).write_parquet(folder / "scores/b.parquet")
    part, whole = folder / "scores/b.parquet", (folder / "scores/b.parquet").read_bytes()
    part.write_bytes(whole[:4] + bytes(len(whole) // 2) + whole[4 + len(whole) // 2 :])
    found = desk(scores=folder, engine=engine)
    assert [line.partition(":")[0] for line in found.missing] == [str(part)]
    assert 0 < lists(own_folder / "out").height <= 600
    options = ("--scores", folder, "--campaign", "brief.yaml", "--config", "assign.yaml", "--out", "out")
    code, out, err = cli("assign", *options, "--json")
    assert (code, json.loads(out)["already_done"]) == (1, True)
    assert "b.parquet: cannot be read as Parquet" in err
    part.write_bytes(whole)
    mended = desk(scores=folder, engine=engine)
    assert (mended.missing, mended.already_done, mended.people > found.people) == ((), False, True)
    part.write_bytes(b"")
    (folder / "scores/a.parquet").write_bytes(b"")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        desk(scores=folder, engine=engine)


def test_people_who_come_later_choose_at_the_prices_of_before(desk, own_folder):
    first = desk()
    late = own_folder / "late"
    late.mkdir()
    scores_of(400, seed=9).write_parquet(late / "scores.parquet")
    later = desk("later", scores=late, prices=own_folder / "out/assignment.json")
    assert later.status == "fixed_prices"
    assert later.prices == first.prices
    assert 0 < sum(later.chosen.values()) < 400
    assert later.spend_cny < 0.25 * first.spend_cny
    with pytest.raises(CampaignError, match=r"has no price of limit 'live cap'"):
        desk("later", brief=LIMITED, prices=own_folder / "out/assignment.json")


def test_a_table_of_offers_with_merchants_needs_no_options(desk, own_folder):
    table = offered_people.offers(900, 3, seed=1).with_columns(
        merchant_id=pl.when(pl.col("user_id") < "u00400").then(pl.lit("m1")).otherwise(pl.lit("m2"))
    )
    folder = own_folder / "several"
    folder.mkdir()
    table.write_parquet(folder / "offers.parquet")
    constraints = [
        {"kind": "bounds", "name": "m1 pays", "merchant_id": "m1", "max_cny": 30},
        {"kind": "bounds", "name": "m2 pays", "merchant_id": "m2", "max_cny": 40},
        {"kind": "fairness_floor", "name": "fair", "min_share": 0.4},
    ]
    brief = {**BRIEF, "budget_cny": 100, "constraints": constraints}
    result = desk(brief=brief, scores=folder, settings={"part_rows": 600})
    found = tg.assign(table, budget_cny=100, limits=constraints)
    assert result.value == pytest.approx(found.value, rel=1e-9)
    assert set(result.prices) == {"total", "m1 pays", "m2 pays", "fair (m1)", "fair (m2)"}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"brief": {**BRIEF, "constraints": [{"kind": "max_active", "n": 1}]}}, CampaignError,
         r"'max_active-1' \(max_active\) is about the cells of a plan"),
        ({"settings": {"options": {"shelf": {"shelf": 1}}}}, DataError, "no scores for placement 'shelf'"),
        ({"settings": {"price_cny": {"video": -1}}}, CampaignError, "price_cny"),
        ({"brief": {**BRIEF, "placements": ["video"]}}, CampaignError, "'live' is not one of the brief's"),
        ({"brief": {**BRIEF, "constraints": [{"kind": "bounds", "segment": "s", "max_cny": 1}]}},
         CampaignError, "has no column segment"),
        ({"brief": {**BRIEF, "constraints": [{"kind": "bounds", "placement": "live", "min_cny": 149},
                                             {"kind": "live_capacity", "viewers": 1}]}},
         InfeasibleError, "cannot hold together|asks for at least"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_and_nothing_is_written(desk, own_folder, change, error, message):
    with pytest.raises(error, match=message):
        desk(**change)
    assert not (own_folder / "out").exists()
    assert not list(own_folder.glob(".out*/work"))


def test_a_plan_says_what_an_impression_costs_and_where_prices_start(desk, own_folder, monkeypatch):
    from pipelines.jobs import assign_source

    class Decided:
        shadow_prices = {"total": 0.5}  # noqa: RUF012
        allocation = pl.DataFrame(
            {
                "placement": ["video", "live", "live"],
                "spend_cny": [30.0, 5.0, 5.0],
                "impressions": [600.0, 20.0, 30.0],
            }
        )

    monkeypatch.setattr(assign_source, "read_plan", lambda folder: Decided())
    found = desk(plan=own_folder / "plan")
    said = json.loads((own_folder / "out/assignment.json").read_text())
    assert said["price_cny"] == {"video": 0.05, "live": 0.2}
    assert found.warnings == ()
    assert found.value == pytest.approx(direct().value, rel=1e-6)


def test_scores_that_were_edited_are_refused(desk, own_folder):
    manifest = {
        "model_uri": "models:/m/1", "fingerprints": {}, "engine": "local", "code_version": "0", "users": 3000,
        "rejected": 0, "rows": 6000, "sha256": "0" * 64,
    }  # fmt: skip
    (own_folder / "scores/manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="is not the table that `targeting score` wrote"):
        desk()


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(desk, own_folder, cli):
    desk()
    before = sorted(own_folder.rglob("*"))
    options = ("--scores", "scores", "--campaign", "brief.yaml", "--config", "assign.yaml", "--out", "lists")
    code, out, err = cli("assign", *options, "--dry-run", "--json")
    said = json.loads(out)
    assert (code, err, said["rows"], said["parts"], said["would_replace"]) == (0, "", 6000, 1, False)
    assert said["budget_cny"] == BRIEF["budget_cny"]
    assert sorted(own_folder.rglob("*")) == before
    code, _, err = cli("assign", *options[:-1], "scores", "--dry-run")
    assert (code, len(err.splitlines())) == (1, 1)


def test_the_same_again_is_done_already_and_another_brief_replaces_it(desk, own_folder):
    first = desk()
    before = {path: path.stat().st_mtime_ns for path in (own_folder / "out").rglob("*")}
    again = desk(settings={"part_rows": 100})
    assert (again.already_done, again.run_id) == (True, "")
    assert (again.value, again.chosen, again.gap) == (first.value, first.chosen, first.gap)
    assert {path: path.stat().st_mtime_ns for path in (own_folder / "out").rglob("*")} == before
    other = desk(brief={**BRIEF, "budget_cny": 75.0})
    assert (other.already_done, other.spend_cny <= 75.0) == (False, True)


def test_lists_that_are_gone_are_not_done_already(desk, own_folder):
    first = desk()
    [part] = sorted((own_folder / "out/assignment").glob("*.parquet"))
    whole = part.read_bytes()
    part.unlink()
    again = desk()
    assert (again.already_done, again.value, again.chosen) == (False, first.value, first.chosen)
    assert part.read_bytes() == whole


@pytest.mark.parametrize("damage", [False, True])
def test_a_killed_job_goes_on_with_the_arrays_that_are_whole(desk, own_folder, monkeypatch, damage):
    from pipelines.jobs import assign as job

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(job, "decide", killed)
        with pytest.raises(KeyboardInterrupt):
            desk(settings={"part_rows": 500})
    arrays = sorted((own_folder / ".out.targeting").rglob("worth.npy"))
    assert len(arrays) == 12
    if damage:
        arrays[3].write_bytes(arrays[3].read_bytes()[:-8] + b"12345678")
    assert desk(settings={"part_rows": 500}).resumed is not damage
    assert not (own_folder / ".out.targeting").exists()
    desk("at_once", settings={"part_rows": 500})
    assert lists(own_folder / "out").equals(lists(own_folder / "at_once"))
