"""Worlds whose every mechanism is drawn: what occurs, what is written, and that nothing moves by itself."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from models.contracts import assemble, conform
from targeting.campaign import parse_campaign
from targeting.world import simulate
from targeting.world.random.draw import draw_kind
from targeting.world.supply import Hill, Landscape, Log, Power, draw_landscape

TABLES = ("users", "exposures", "orders")
SHAPES = st.one_of(
    st.builds(Power, st.floats(0.5, 5.0)),
    st.builds(Hill, st.floats(0.65, 1.0)),
    st.builds(Log, st.floats(0.25, 1.0)),
    st.builds(lambda seed: draw_landscape(np.random.default_rng(seed)), st.integers(0, 50)),
)


@pytest.fixture(scope="module")
def kinds():
    return [draw_kind(np.random.default_rng([seed, 1]))[0] for seed in range(200)]


@pytest.mark.parametrize(
    ("mechanism", "values"),
    [
        ("supply", {"power", "log", "hill", "auction"}),
        ("audiences", {"all", "segments", "packs", "lookalike"}),
        ("rhythm", {"steady", "ordinary", "bursts", "returns"}),
        ("favour", {"0.0", "0.3", "0.7"}),
        ("cap", {"none", "1", "2", "3", "4"}),
        ("room", {"none", "fills"}),
        ("steep", {"S-shaped", "log-linear"}),
        ("amounts", {"pareto", "log-normal"}),
        ("repeats", {"0", "0.25", "1", "2.5"}),
        ("coin", {"0", "0.01", "0.03", "0.08"}),
    ],
)
def test_every_mechanism_occurs_and_none_is_everywhere(kinds, mechanism, values):
    drawn = Counter(kind.mechanisms[mechanism] for kind in kinds)
    assert set(drawn) == values
    assert max(drawn.values()) < 170
    assert min(drawn.values()) >= 5


def test_every_form_of_behaviour_and_of_the_rest_occurs(kinds):
    forms = Counter(form for kind in kinds for form in kind.mechanisms["forms"].split("+"))
    assert min(forms[f] for f in ("additive", "interactions", "thresholds", "u-shapes", "category")) > 40
    assert 4 <= forms["nobody differs"] <= 30
    assert max(int(kind.mechanisms["levels"]) for kind in kinds) > 500
    assert sum(kind.intent_sd == 0 for kind in kinds) > 20
    assert sum(kind.intent_sd == 1.0 for kind in kinds) > 20
    assert sum(any(kind.drift_hazard) for kind in kinds) > 30
    assert sum(bool(kind.weekly or kind.season) for kind in kinds) > 50
    assert {kind.history_days for kind in kinds} == {12, 21, 28, 42}
    assert {kind.horizon_days for kind in kinds} == {7, 14, 30}
    assert all(kind.horizon_days <= 1.1 * kind.history_days for kind in kinds)
    budgets = [kind.budget_days[0] for kind in kinds]
    assert min(budgets) < 0.3
    assert max(budgets) > 20
    people = [kind.people for kind in kinds]
    assert 3_000 <= min(people) < 5_000
    assert 150_000 < max(people) <= 200_000
    anyway = [float(kind.mechanisms["anyway"]) for kind in kinds]
    assert min(anyway) < 0.05
    assert max(anyway) > 0.8


def test_a_seed_is_a_world_and_users_do_not_change_its_mechanisms():
    one, two, other = (simulate("random", users=600, seed=seed) for seed in (5, 5, 6))
    for name in (*TABLES, "last_plan"):
        assert_frame_equal(getattr(one, name), getattr(two, name))
    assert one.campaign == two.campaign
    assert one.kind.mechanisms != other.kind.mechanisms
    assert simulate("random", users=900, seed=5).kind.mechanisms == one.kind.mechanisms


def test_a_world_has_a_number_of_people_of_its_own():
    small = min(range(200), key=lambda seed: draw_kind(np.random.default_rng([seed, 1]))[0].people)
    world = simulate("random", seed=small)
    assert world.users.height == int(world.kind.mechanisms["people"]) < 4_000


@pytest.mark.parametrize("seed", range(12))
def test_tables_keep_the_contract(seed):
    world = simulate("random", users=1_000, seed=seed)
    good = {name: conform(getattr(world, name), name, source=name) for name in TABLES}
    assert sum(found.rejected.height for found in good.values()) == 0
    dataset = assemble(good["users"], good["exposures"], good["orders"])
    assert dataset.exposures.height == world.exposures.height
    assert world.users["snapshot_at"].max() <= world.exposures["exposed_at"].min()
    assert world.exposures["exposed_at"].max() < world.as_of
    assert world.orders["ordered_at"].max() < world.as_of
    assert parse_campaign(dict(world.campaign), source="world").budget_cny == world.campaign["budget_cny"]
    assert world.exposures.filter("followed")["user_id"].n_unique() == world.exposures["followed"].sum()
    assert isinstance(world.about["male_content_share"], float)


def _first(wanted):
    """The first seed below 200 whose kind is wanted."""
    return next(seed for seed in range(200) if wanted(draw_kind(np.random.default_rng([seed, 1]))[0]))


def test_campaigns_of_overlapping_packs_reach_the_same_people_on_the_same_day():
    world = simulate("random", users=3_000, seed=_first(lambda k: k.buying.audiences == "packs"))
    rows = world.exposures.filter(~pl.col("randomized") & (pl.col("placement") != "none"))
    same = rows.group_by("user_id", "placement", pl.col("exposed_at").dt.date()).len()
    assert (same["len"] > 1).mean() > 0.02
    share = rows.group_by("campaign_id").agg(pl.col("user_id").n_unique() / world.users.height)
    assert share["user_id"].min() < 0.5 * share["user_id"].max()


def test_segments_campaigns_share_out_the_people():
    world = simulate("random", users=3_000, seed=_first(lambda k: k.buying.audiences == "segments"))
    rows = world.exposures.filter(~pl.col("randomized") & (pl.col("placement") != "none"))
    campaigns = rows.group_by("user_id", "placement").agg(pl.col("campaign_id").n_unique())
    assert campaigns["campaign_id"].max() == 1
    assert rows["campaign_id"].n_unique() > 2


def test_nobody_is_shown_more_often_than_the_cap():
    seed = _first(lambda k: k.cap == 2)
    rows = simulate("random", users=2_000, seed=seed).exposures.filter(~pl.col("randomized"))
    day = pl.col("exposed_at").dt.date()
    assert (
        rows.group_by("user_id", "placement", day).agg(pl.col("impressions").sum())["impressions"].max() == 2
    )


def test_money_chases_returns():
    """The campaigns' shares of the money move from the first to the last week."""
    chased = simulate("random", users=6_000, seed=_first(lambda k: _chases(k, "returns")))
    steady = simulate("random", users=6_000, seed=_first(lambda k: _chases(k, "steady")))
    assert _moved(chased) > 2 * _moved(steady)


def _chases(kind, rhythm):
    return kind.buying.rhythm == rhythm and kind.buying.audiences == "segments" and kind.history_days >= 28


def _moved(world):
    rows = world.exposures.filter(~pl.col("randomized") & (pl.col("placement") == "video"))
    late = pl.col("exposed_at") >= pl.lit(world.as_of).dt.offset_by("-7d")
    early = pl.col("exposed_at") < rows["exposed_at"].min() + pl.duration(days=7)
    shares = [
        rows.filter(when).group_by("campaign_id").agg(pl.col("cost_cny").sum()).sort("campaign_id")
        for when in (early, late)
    ]
    both = shares[0].join(shares[1], on="campaign_id", suffix="_late")
    a, b = both["cost_cny"] / both["cost_cny"].sum(), both["cost_cny_late"] / both["cost_cny_late"].sum()
    return float((a - b).abs().sum())


@given(SHAPES, st.floats(0.0, 0.95))
@settings(derandomize=True, max_examples=80, deadline=None)
def test_every_price_shape_inverts_and_attention_gets_dearer(shape, pressure):
    assert shape.inverse(shape.psi(pressure)) == pytest.approx(pressure, rel=1e-6, abs=1e-9)
    grid = np.linspace(0.0, 0.95, 60)
    money = shape.psi(grid)
    assert np.all(np.diff(money) > 0)
    assert np.all(np.diff(money, 2) >= -1e-9)
    assert money[0] == 0.0


def test_drawn_landscapes_are_like_real_auctions(shared_data):
    """Spread and skew of paid prices: nine advertisers' histograms, and as many draws."""
    real, drawn = [], []
    for path in sorted((shared_data / "ipinyou").glob("*.json")):
        count = np.array(json.loads(path.read_text("utf-8"))["price_counter_train"], float)
        price = np.arange(len(count))
        share = np.cumsum(count[1:]) / count[1:].sum()
        points = price[1:][np.searchsorted(share, (np.arange(512) + 0.5) / 512)]
        real.append(_looks(Landscape(points.astype(float))))
    drawn = [_looks(draw_landscape(np.random.default_rng(seed))) for seed in range(40)]
    real, drawn = np.array(real), np.array(drawn)
    # each real figure lies within the range of the draws, give or take a fifth
    assert np.all(real.max(axis=0) < 1.2 * drawn.max(axis=0))
    assert np.all(real.min(axis=0) > drawn.min(axis=0) / 1.2)


def _looks(landscape):
    """sd of log price; cost of half and of nine tenths of the auctions, in units of all of them."""
    whole = landscape.psi(1.0)
    return [np.log(landscape.price).std(), landscape.psi(0.5) / whole, landscape.psi(0.9) / whole]
