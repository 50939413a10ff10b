from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

import targeting as tg
from models.errors import CampaignError, DataError

BRIEF = {"campaign_id": "console", "budget_cny": 900, "placements": ["video", "live"]}


def report(**dropped: object) -> pl.DataFrame:
    """Twenty days of a console's report: two segments, two placements, prices that rise with spend."""
    rng = np.random.default_rng(4)
    rows = []
    for day in range(20):
        for segment, rate, gmv in (("women 25-34", 0.02, 60.0), ("men 25-34", 0.03, 8.0)):
            for placement, price in (("video", 0.05), ("live", 0.15)):
                cost = float(rng.uniform(40, 400))
                impressions = 4000.0 * np.log1p(cost / (4000 * price))
                fans = float(rng.poisson(rate * impressions))
                money = float(rng.gamma(max(fans, 0.1) * 2, gmv / 2))
                when = date(2020, 10, 1) + timedelta(days=day)
                rows.append((when, segment, placement, cost, int(impressions), int(fans), money))
    names = ["date", "segment", "placement", "cost_cny", "impressions", "new_fans", "gmv_cny"]
    return pl.DataFrame(rows, schema=names, orient="row").drop(*dropped)


def planned(table: pl.DataFrame, **changed: object) -> tg.Plan:
    return tg.plan_delivery(table, campaign={**BRIEF, **changed}, rng=np.random.default_rng(0), n_draws=40)


def test_a_report_gives_a_certified_plan_for_those_who_buy():
    plan = planned(report())
    assert plan.gap <= 1e-6
    assert plan.violations() == ()
    women = plan.allocation.filter(pl.col("segment") == "women 25-34")["spend_cny"].sum()
    assert women > 0.7 * plan.spend_cny
    assert plan.claims["kind"] == "observational"
    assert plan.expected["new_fans"].low < plan.expected["new_fans"].high
    for name in ("new_fans", "new_fan_gmv_cny"):
        said, came = plan.expected[name], plan.realised[name]
        assert came.high - came.low > 0.95 * (said.high - said.low), "luck comes on top of what is not known"
    assert set(plan.provenance.fingerprints) == {"delivery"}
    assert plan.baselines["label"][0] == "last plan"


def test_the_same_seed_gives_the_same_plan():
    assert planned(report()).to_dict() == planned(report()).to_dict()


def test_a_report_without_money_plans_for_fans_and_claims_no_gmv():
    plan = planned(report(gmv_cny=0), objective="new_fans")
    assert plan.expected["new_fan_gmv_cny"] is None
    assert plan.expected["new_fans"].value == pytest.approx(plan.value)
    assert plan.allocation["new_fan_gmv_cny"].null_count() == 4
    with pytest.raises(DataError, match="objective new_fan_gmv needs column gmv_cny"):
        planned(report(gmv_cny=0))


def test_a_report_of_fans_only_knows_no_impressions():
    plan = planned(report(impressions=0))
    assert plan.allocation["impressions"].null_count() == 4
    assert plan.expected["new_fans"] is not None
    assert plan.curves["value"].null_count() == 0


def test_a_report_of_impressions_only_cannot_count_fans():
    with pytest.raises(DataError, match="objective new_fans needs column new_fans or orders"):
        planned(report(gmv_cny=0, new_fans=0), objective="new_fans")


def test_a_report_of_live_entries_only_plans_for_them():
    entries = report(impressions=0, gmv_cny=0).rename({"new_fans": "live_entries"})
    plan = planned(entries, objective="live_entries")
    assert plan.spend_cny == pytest.approx(900)
    assert plan.value > 0
    assert plan.allocation["new_fans"].null_count() == 4
    assert plan.expected["new_fans"] is None


@pytest.mark.parametrize("lost", ["impressions", "new_fans"])
def test_live_entries_cannot_be_planned_from_a_report_that_has_none(lost):
    with pytest.raises(DataError, match="objective live_entries: no live entry is known in"):
        planned(report(**{lost: 0}), objective="live_entries")


def test_live_entries_cannot_be_planned_from_supplied_curves():
    hill = {"segment": ["a"], "placement": ["x"], "top": [9.0], "half_spend_cny": [10.0], "slope": [1.0]}
    with pytest.raises(DataError, match="objective live_entries: no live entry is known in x"):
        tg.allocate(hill, budget_cny=12, objective="live_entries")


def test_placements_are_those_of_the_brief():
    plan = planned(report(), placements=["live"])
    assert plan.allocation["placement"].unique().to_list() == ["live"]
    with pytest.raises(DataError, match=r"no row of the brief's placements feed; found live, video"):
        planned(report(), placements=["feed"])
    with pytest.raises(CampaignError, match="budget"):
        planned(report(), budget=5)


def test_bad_rows_are_counted_in_the_plan():
    bad = report().with_columns(
        cost_cny=pl.when(pl.int_range(pl.len()) == 3).then(-1.0).otherwise("cost_cny")
    )
    assert planned(bad).provenance.rejected_rows == 1


def test_a_report_of_totals_only_points_to_what_it_can_tell():
    days = [date(2020, 11, 1) + timedelta(days=k) for k in range(4)]
    spend = pl.DataFrame({"date": days, "segment": "all", "placement": "video", "cost_cny": 50.0})
    totals = pl.DataFrame({"date": days, "segment": "all", "placement": "total", "cost_cny": 0.0})
    both = pl.concat([spend, totals.with_columns(gmv_cny=900.0)], how="diagonal")
    with pytest.raises(DataError, match=r"found total; 4 rows have no outcome: .* targeting plan --curves"):
        planned(both, placements=["video"])


SEGMENT, LIVE = pl.col("segment") == "men 25-34", pl.col("placement") == "live"
NOTHING = {"cost_cny": 0.0, "impressions": 0, "new_fans": 0, "gmv_cny": 0.0}


def with_cells(where, **cells):
    table = report()
    set_ = [
        pl.when(where).then(pl.lit(v)).otherwise(pl.col(n)).cast(table.schema[n]).alias(n)
        for n, v in cells.items()
    ]
    return table.with_columns(set_)


def spend_in(plan, segment, placement):
    cells = plan.allocation.filter((pl.col("segment") == segment) & (pl.col("placement") == placement))
    return cells["spend_cny"].sum(), cells["reason"].to_list()


@pytest.mark.parametrize("objective", ["new_fan_gmv", "new_fans"])
@pytest.mark.parametrize(
    ("where", "cells"),
    [
        (SEGMENT & LIVE, {"new_fans": 0, "gmv_cny": 0.0}),
        (SEGMENT & LIVE, {"impressions": 0, "new_fans": 0, "gmv_cny": 0.0}),
        (SEGMENT & LIVE, NOTHING),
        (SEGMENT, NOTHING),
        (pl.col("date").dt.day() > 1, NOTHING),
        (pl.col("date").dt.day() % 2 == 0, NOTHING),
    ],
)
def test_a_cell_without_fans_or_money_does_not_stop_the_others(where, cells, objective):
    plan = planned(with_cells(where, **cells), objective=objective)
    assert np.isfinite(plan.value)
    assert plan.value > 0
    assert plan.violations() == ()


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (NOTHING, "no row has cost_cny above 0"),
        ({"cost_cny": 0.0}, "no row has cost_cny above 0"),
        ({"impressions": 0, "new_fans": 0, "gmv_cny": 0.0}, "no outcome .* is above 0"),
        ({"gmv_cny": 0.0}, "needs column gmv_cny, which the report does not have above 0"),
    ],
)
def test_what_a_report_of_zeros_cannot_tell_is_said(cells, told):
    with pytest.raises(DataError, match=told):
        planned(with_cells(pl.lit(True), **cells))


def test_a_placement_that_was_paused_throughout_gets_nothing_and_is_said():
    plan = planned(with_cells(LIVE, **NOTHING))
    assert plan.allocation["placement"].unique().to_list() == ["video"]
    assert any("nothing was ever spent in live" in line for line in plan.provenance.warnings)


def test_a_pair_that_was_never_tried_gets_trial_money_only():
    pairs = (~SEGMENT & ~LIVE) | (SEGMENT & LIVE)
    table = report().filter(pairs)
    untried = [("women 25-34", "live"), ("men 25-34", "video")]
    plan = planned(table)
    assert [spend_in(plan, *pair)[0] for pair in untried] == [0.0, 0.0]
    assert "never tried" in spend_in(plan, *untried[0])[1][0]
    trial = planned(table, trial_cny=150)
    spent = [spend_in(trial, *pair)[0] for pair in untried]
    assert 0 < sum(spent) <= 150
    assert "trial money" in spend_in(trial, *untried[int(np.argmax(spent))])[1][0]
    assert trial.value > plan.value
    assert trial.violations() == ()


def test_spellings_of_a_placement_are_one_and_others_are_counted():
    table = report().with_columns(
        placement=pl.when(LIVE).then(pl.lit("Search Ads")).otherwise(pl.col("placement"))
    )
    odd = table.with_columns(
        placement=pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.col("placement").str.to_uppercase())
        .otherwise(pl.col("placement"))
    )  # fmt: skip
    same, plain = (planned(t, placements=["search ads", "video"]) for t in (odd, table))
    assert same.value == pytest.approx(plain.value, rel=1e-9)
    one = planned(odd, placements=["video"])
    assert any(
        "40 of 80 rows are of placements that the brief does not buy" in w for w in one.provenance.warnings
    )


def test_a_curve_that_misses_its_own_data_is_said():
    rng, rows = np.random.default_rng(0), []
    for day in range(86):
        cost = float(rng.uniform(2, 6))
        shown = int(cost * (1950 if day >= 78 else 20))
        when = date(2024, 4, 1) + timedelta(days=day)
        rows += [
            (when, "A", "video", cost, shown, 8.0),
            (when, "A", "live", cost * 20, int(cost * 18000), 8.0),
        ]
    names = ["date", "segment", "placement", "cost_cny", "impressions", "new_fans"]
    plan = planned(pl.DataFrame(rows, schema=names, orient="row"), objective="new_fans")
    assert any("its curve gives 0." in line for line in plan.provenance.warnings)
