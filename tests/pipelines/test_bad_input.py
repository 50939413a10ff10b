"""Every bad input of the issue: the right exit status, one clear line, and no half-written output."""

import shutil
from pathlib import Path

import polars as pl
import pytest
import yaml

BRIEF = "campaign.yaml"


@pytest.fixture
def data(data_dir, tmp_path):
    """A copy of the small world that a test may break."""
    return Path(shutil.copytree(data_dir, tmp_path / "data"))


def edit(data, table, change):
    path = data / f"{table}.parquet"
    change(pl.read_parquet(path)).write_parquet(path)


def edit_brief(data, **changes):
    path = data / BRIEF
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}))


def empty_file(data):
    (data / "users.parquet").write_bytes(b"")


def no_rows(data):
    edit(data, "exposures", lambda t: t.clear())


def one_row(data):
    for table in ("users", "exposures", "orders"):
        edit(data, table, lambda t: t.head(1))


def text_for_a_number(data):
    edit(data, "exposures", lambda t: t.with_columns(impressions=pl.lit("many")))


def missing_column(data):
    edit(data, "exposures", lambda t: t.rename({"cost_cny": "costs"}))


def negative_cost(data):
    edit(data, "exposures", lambda t: t.with_columns(cost_cny=pl.lit(-1.0)))


def infinite_cost(data):
    edit(data, "exposures", lambda t: t.with_columns(cost_cny=pl.lit(float("inf"))))


def cost_not_a_number(data):
    edit(data, "exposures", lambda t: t.with_columns(cost_cny=pl.lit(float("nan"))))


def impossible_propensity(data):
    edit(data, "exposures", lambda t: t.with_columns(propensity=pl.lit(0.0)))


def unknown_users(data):
    edit(data, "exposures", lambda t: t.with_columns(user_id=pl.lit("x") + pl.col("user_id")))


def one_placement(data):
    edit(data, "exposures", lambda t: t.filter(pl.col("placement") != "live"))


def repeated_ids(data):
    edit(data, "users", lambda t: t.with_columns(user_id=pl.lit("u1")))


def no_orders(data):
    edit(data, "orders", lambda t: t.clear())


def nobody_eligible(data):
    edit(data, "users", lambda t: t.with_columns(is_fan=pl.lit(True)))


def no_budget(data):
    edit_brief(data, budget_cny=0)


def negative_budget(data):
    edit_brief(data, budget_cny=-5)


def unknown_key(data):
    edit_brief(data, budgets=5)


def unknown_kind(data):
    edit_brief(data, constraints=[{"kind": "bound", "min_cny": 1}])


def unknown_placement(data):
    edit_brief(data, placements=["video", "banner"])


def not_yaml(data):
    (data / BRIEF).write_text("a: [")


def no_brief(data):
    (data / BRIEF).unlink()


CASES = [
    (empty_file, "users.parquet: the file is empty"),
    (no_rows, "no data rows"),
    (one_row, ""),
    (text_for_a_number, "impressions"),
    (missing_column, "cost_cny"),
    (negative_cost, "cost_cny"),
    (infinite_cost, "cost_cny"),
    (cost_not_a_number, "cost_cny"),
    (impossible_propensity, "propensity"),
    (unknown_users, "user_id"),
    (one_placement, "live"),
    (repeated_ids, "user_id"),
    (no_orders, "order"),
    (nobody_eligible, "eligible"),
    (no_budget, "budget_cny"),
    (negative_budget, "budget_cny"),
    (unknown_key, "budget_cny"),
    (unknown_kind, "bounds"),
    (unknown_placement, "banner"),
    (not_yaml, "not valid YAML"),
    (no_brief, "cannot be read"),
]


@pytest.mark.parametrize(("spoil", "told"), CASES, ids=[case[0].__name__ for case in CASES])
def test_run_refuses_bad_input(cli, data, spoil, told):
    spoil(data)
    code, out, err = cli("run", "--data", data, "--campaign", data / BRIEF, "--out", "plan")
    assert (code, out) == (1, ""), err
    assert len(err.splitlines()) == 1
    assert told in err
    assert not Path("plan").exists()
    assert not list(Path().glob(".plan*"))


@pytest.mark.slow
def test_a_few_bad_rows_are_counted_and_kept_with_their_reasons(cli, data, tmp_path):
    def spoil(table):
        row = pl.int_range(pl.len())
        return pl.concat(
            [
                table.with_columns(
                    cost_cny=pl.when(row == 3)
                    .then(-1.0)
                    .when(row == 4)
                    .then(float("nan"))
                    .otherwise("cost_cny"),
                    propensity=pl.when(row == 5).then(0.0).otherwise("propensity"),
                    user_id=pl.when(row == 6).then(pl.lit("stranger")).otherwise("user_id"),
                ),
                table.slice(7, 1),
            ]
        )

    edit(data, "exposures", spoil)
    (tmp_path / "run.yaml").write_text("train: {min_audience: 100, draws: 20, threads: 1}\n")
    options = ("--data", data, "--campaign", data / BRIEF, "--out", "plan", "--config", tmp_path / "run.yaml")
    code, _, err = cli("run", *options)
    assert (code, err) == (0, "")
    rejected = pl.read_csv("plan/rejected/exposures.csv")
    assert rejected.height == 5
    assert set(rejected["row"]) >= {4, 5, 6, 7}


CURVES = "segment,placement,top,half_spend_cny,slope\na,x,100,50,1\nb,y,100,50,1\n"


def plan_of_curves(cli, tmp_path, *, curves=CURVES, **brief):
    """`targeting plan --curves` for a brief with the given keys."""
    (tmp_path / "curves.csv").write_text(curves)
    (tmp_path / "brief.yaml").write_text(yaml.safe_dump({"campaign_id": "c", "budget_cny": 100, **brief}))
    return cli(
        "plan", "--campaign", tmp_path / "brief.yaml", "--curves", tmp_path / "curves.csv", "--out", "plan"
    )


def test_a_brief_that_nothing_can_meet_is_status_3_with_a_way_out(cli, tmp_path):
    limits = [
        {"kind": "bounds", "name": "most in x", "placement": "x", "min_share": 0.7},
        {"kind": "bounds", "name": "half in y", "placement": "y", "min_share": 0.5},
    ]
    code, out, err = plan_of_curves(cli, tmp_path, constraints=limits)
    assert (code, out) == (3, "")
    assert len(err.splitlines()) == 1
    assert "most in x" in err
    assert "half in y" in err
    assert "give way" in err
    assert not Path("plan").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"placements": ["video"]}, "the brief names video"),
        ({"constraints": [{"kind": "bounds", "segment": "z", "min_cny": 1}]}, "matches no cell"),
        ({"constraints": [{"kind": "change_limit", "max_share": 0.1}]}, "last_plan"),
        ({"last_plan": "nowhere.csv"}, "no such file"),
        ({"last_plan": "curves.csv"}, "curves.csv: required column 'spend_cny'"),
        ({"horizon_days": 0}, "horizon_days"),
        ({"budget_cny": float("inf")}, "budget_cny"),
        ({"budget_cny": "much"}, "budget_cny"),
        ({"curves": "segment,placement,spend_cny,value\na,x,0,0\na,x,10,5\na,x,20,4\n"}, "decreases"),
        ({"curves": "segment,placement,spend_cny,value\na,x,10,nan\n"}, "value"),
    ],
)
def test_a_brief_or_curve_that_is_wrong_is_status_1(cli, tmp_path, change, told):
    code, out, err = plan_of_curves(cli, tmp_path, **change)
    assert (code, out) == (1, ""), err
    assert len(err.splitlines()) == 1
    assert told in err
    assert not Path("plan").exists()


def test_a_curve_in_a_placement_that_the_brief_leaves_out_gets_nothing(cli, tmp_path):
    code, out, err = plan_of_curves(cli, tmp_path, placements=["x"])
    assert (code, err) == (0, "")
    assert "curves of y left out" in out
    assert pl.read_csv("plan/allocation.csv")["placement"].to_list() == ["x"]


def test_a_column_of_curves_that_nobody_asked_for_is_told(cli, tmp_path):
    code, out, err = plan_of_curves(
        cli, tmp_path, curves="segment,placement,spend_cny,value,remark\na,x,0,0,\na,x,9,5,ok\n"
    )
    assert (code, err) == (0, "")
    assert "curves.csv: ignored unknown column remark" in out


def test_people_read_a_short_summary_and_no_mapping(cli, tmp_path):
    code, out, _ = plan_of_curves(cli, tmp_path)
    assert code == 0
    assert "spend        100.00 of 100.00 CNY" in out
    assert "plan/report.html" in out
    assert "{" not in out


@pytest.mark.parametrize("command", ["simulate", "run", "score"])
def test_an_output_that_cannot_be_written_is_refused_at_once(cli, data, tmp_path, command):
    (tmp_path / "file").write_text("not a directory")
    out = tmp_path / "file" / "plan"
    options = {
        "simulate": ("--users", 300),
        "run": ("--data", data, "--campaign", data / BRIEF),
        "score": ("--data", data, "--model", "models:/new-fan-gmv/1"),
    }[command]
    code, _, err = cli(command, "--out", out, *options)
    assert code == 1
    assert len(err.splitlines()) == 1
    assert str(out) in err


def test_an_output_with_a_strangers_files_is_left_alone(cli, data):
    Path("plan").mkdir()
    Path("plan/thesis.txt").write_text("mine")
    code, _, err = cli("run", "--data", data, "--campaign", data / BRIEF, "--out", "plan")
    assert code == 1
    assert "thesis.txt" in err
    assert Path("plan/thesis.txt").read_text() == "mine"


def test_no_directory_is_one_line(cli, tmp_path):
    code, _, err = cli("train", "--data", tmp_path / "nowhere")
    assert code == 1
    assert "no such directory" in err


@pytest.mark.slow
def test_a_csv_of_200_mb_is_checked(cli, tmp_path, data_dir):
    import resource

    data = Path(shutil.copytree(data_dir, tmp_path / "big"))
    table = pl.read_parquet(data / "exposures.parquet")
    (data / "exposures.parquet").unlink()
    path = data / "exposures.csv"
    table.write_csv(path)
    copies = 200_000_000 // path.stat().st_size + 1
    with path.open("wb") as file:
        for copy in range(copies):
            own = table.with_columns(exposure_id=pl.col("exposure_id") + f"-{copy}")
            own.write_csv(file, include_header=copy == 0)
    assert path.stat().st_size > 200_000_000
    code, out, err = cli("check", data)
    assert (code, err) == (0, "")
    assert "exposures" in out
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 6e6, "kilobytes"
