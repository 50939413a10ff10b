import logging
import subprocess
import sys

import offered_people
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import targeting as tg
from models.errors import CampaignError


def test_the_best_offers_per_yuan_are_made_until_the_money_ends():
    table = pl.DataFrame(
        {
            "user_id": list("abc"),
            "placement": ["video"] * 3,
            "worth": [6.0, 5.0, 4.0],
            "cost_cny": [2.0, 1.0, 2.0],
        }
    )
    found = tg.assign(table, budget_cny=3)
    assert found.chosen.rows() == [("a", "video", 6.0, 2.0), ("b", "video", 5.0, 1.0)]
    assert (found.value, found.spend_cny, found.gap, found.status) == (11.0, 3.0, 0.0, "optimal")
    assert found.prices == {"total": 2.0}
    assert found.binding == ("total",)


def test_a_person_gets_one_placement_and_the_dearer_one_only_where_its_extra_worth_pays():
    table = pl.DataFrame(
        {
            "user_id": ["a", "a", "b", "b"],
            "placement": ["video", "live"] * 2,
            "worth": [3.0, 3.5, 3.0, 9.0],
            "cost_cny": [1.0, 3.0, 1.0, 3.0],
        }
    )
    found = tg.assign(table, budget_cny=4)
    assert found.chosen.select("user_id", "placement").rows() == [("a", "video"), ("b", "live")]


def test_an_offer_between_two_others_on_no_hull_is_never_the_price_but_may_fill_what_is_left():
    table = pl.DataFrame(
        {
            "user_id": ["a"] * 3,
            "placement": ["video", "live", "shelf"],
            "worth": [4.0, 5.0, 10.0],
            "cost_cny": [1.0, 2.0, 3.0],
        }
    )
    assert tg.assign(table, budget_cny=2).chosen["placement"].to_list() == ["live"]
    assert tg.assign(table, budget_cny=3).chosen["placement"].to_list() == ["shelf"]
    assert tg.assign(table, budget_cny=1).chosen["placement"].to_list() == ["video"]


def test_what_is_worth_nothing_is_not_shown_however_much_money_there_is():
    table = offered_people.offers(200, seed=1)
    found = tg.assign(table, budget_cny=1e9)
    assert found.chosen["worth"].min() > 0
    assert found.prices == {"total": 0.0}
    best = table.group_by("user_id").agg(pl.col("worth").max().clip(0)).select("worth").sum().item()
    assert found.value == pytest.approx(best, rel=1e-12)
    nobody = tg.assign(table.with_columns(worth=-pl.col("worth").abs()), budget_cny=10)
    assert nobody.chosen.is_empty()
    assert (nobody.value, nobody.gap, nobody.status) == (0.0, 0.0, "optimal")


def test_without_money_only_what_is_free_is_shown():
    table = offered_people.offers(300, seed=2)
    found = tg.assign(table, budget_cny=0)
    free = table.filter((pl.col("cost_cny") == 0) & (pl.col("worth") > 0))
    assert free.height > 0
    assert set(found.chosen["user_id"]) == set(free["user_id"])
    assert (found.spend_cny, found.gap, found.status) == (0.0, 0.0, "optimal")


def test_ties_go_by_user_id_whatever_the_order_of_rows():
    table = pl.DataFrame(
        {"user_id": list("dacb"), "placement": ["video"] * 4, "worth": [1.0] * 4, "cost_cny": [1.0] * 4}
    )
    assert tg.assign(table, budget_cny=2).chosen["user_id"].to_list() == ["a", "b"]
    assert tg.assign(table.reverse(), budget_cny=2).chosen["user_id"].to_list() == ["a", "b"]


def test_frames_of_polars_pandas_and_arrow_and_columns_give_the_same():
    table = offered_people.offers(100, seed=3)
    one = tg.assign(table, budget_cny=20)
    for other in (
        table.lazy(),
        pd.DataFrame(table.to_dict(as_series=False)),
        pa.table(table),
        table.to_dict(),
    ):
        assert tg.assign(other, budget_cny=20).chosen.equals(one.chosen)


def test_placements_and_people_go_by_their_usual_names():
    table = pl.DataFrame(
        {"user_id": [7, 7], "placement": ["短视频", "直播间"], "worth": [1, 3], "cost_cny": [1, 2]}
    )
    found = tg.assign(
        table, budget_cny=2, limits=[{"kind": "bounds", "placement": "直播间", "max_share": 1.0}]
    )
    assert found.chosen.rows() == [("7", "live", 3.0, 2.0)]


def test_a_placement_may_have_several_packages():
    table = pl.DataFrame(
        {
            "user_id": ["a", "a", "b", "b"],
            "placement": ["video"] * 4,
            "package": ["once", "twice"] * 2,
            "worth": [3.0, 5.0, 2.0, 2.5],
            "cost_cny": [1.0, 2.0, 1.0, 2.0],
        }
    )
    found = tg.assign(table, budget_cny=3, limits=[{"kind": "bounds", "placement": "video", "max_cny": 3}])
    assert found.chosen.select("user_id", "package").rows() == [("a", "twice"), ("b", "once")]
    lists = found.packages()
    assert {key: ids.to_list() for key, ids in lists.items()} == {
        ("video", "once"): ["b"],
        ("video", "twice"): ["a"],
    }


def test_the_lists_to_upload_name_every_placement():
    table = offered_people.offers(50, seed=4).filter(pl.col("worth") < 1e9)
    found = tg.assign(table, budget_cny=0.0)
    assert list(found.packages()) == [("live",), ("video",)]
    assert sum(len(ids) for ids in found.packages().values()) == found.chosen.height


def test_it_prints_its_numbers():
    table = offered_people.offers(500, seed=5)
    text = str(tg.assign(table, budget_cny=100, limits=offered_people.usual_limits(table)))
    assert "of 500 people" in text
    for word in ("live floor", "video cap", "room", "total", "price"):
        assert word in text


def test_the_log_says_how_it_went(caplog):
    with caplog.at_level(logging.INFO, logger="targeting.assignment"):
        tg.assign(offered_people.offers(20), budget_cny=5)
    assert "20 people" in caplog.text


@pytest.mark.parametrize("budget", [-1.0, float("nan"), float("inf"), "much", True, None])
def test_a_budget_is_a_number_of_yuan(budget):
    with pytest.raises(CampaignError, match="budget_cny is"):
        tg.assign(offered_people.offers(5), budget_cny=budget)


def test_the_first_assignment_of_a_process_prints_nothing():
    script = "import targeting as tg; tg.assign({'user_id': ['a', 'b'], 'placement': ['live'] * 2, "
    script += "'worth': [2.0, 1.0], 'cost_cny': [1.0, 1.0]}, budget_cny=1)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
