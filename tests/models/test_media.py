"""Media returns from totals: right where nothing is hidden, never confidently wrong where something is."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from models.errors import DataError
from models.media import media_returns
from models.media_shapes import carried_over

DATA = Path(__file__).parents[3] / "shared" / "data" / "mmm_roas" / "mmm_roas_data.csv"
WEEKS = 130
DATES = [date(2021, 1, 4) + timedelta(weeks=k) for k in range(WEEKS)]


def series(seed, *, hidden=0.0):
    """Two channels, sales and the truth; demand nobody sees moves `tv` and sales as much as the season."""
    rng = np.random.default_rng(seed)
    season = np.sin(2 * np.pi * np.arange(WEEKS) / 52.18)
    demand = rng.gamma(1.0, 1.0, WEEKS)
    spend = {
        "tv": np.maximum(100 + 14 * season + 10 * hidden * demand + rng.normal(0, 15, WEEKS), 1.0),
        "search": rng.gamma(4.0, 10.0, WEEKS),
    }
    true, sales = {}, 800 + np.arange(WEEKS) + 100 * season + 70 * hidden * demand + rng.normal(0, 15, WEEKS)
    for name, top, half, share in (("tv", 400.0, 150.0, 0.3), ("search", 300.0, 50.0, 0.0)):
        carried = carried_over(spend[name], share)
        effect = top * carried / (carried + half)
        sales = sales + effect
        true[name] = float(effect.sum() / spend[name].sum())
    return spend, sales, true


def returns(spend, sales, *, seed=0, draws=150, **more):
    rng = np.random.default_rng(seed)
    return media_returns(dates=DATES, sales_cny=sales, spend_cny=spend, rng=rng, draws=draws, **more)


@pytest.mark.slow
def test_without_a_hidden_cause_the_plain_interval_is_right_at_its_rate():
    inside, asked = 0, 0
    for seed in range(15):
        spend, sales, true = series(seed)
        for one in returns(spend, sales).channels:
            inside += true[one.channel] in one.roas
            asked += 1
            assert one.with_hidden.low <= one.roas.low
            assert one.with_hidden.high >= one.roas.high
    assert inside / asked >= 0.6, "the nominal level is 0.8, thirty channels"


@pytest.mark.slow
def test_a_hidden_cause_makes_the_plain_interval_wrong_and_the_wide_one_says_so():
    plain, wide = 0, 0
    for seed in range(8):
        spend, sales, true = series(seed, hidden=1.0)
        tv = returns(spend, sales).channels[0]
        plain += true["tv"] in tv.roas
        wide += true["tv"] in tv.with_hidden
    assert plain <= 2, "what a regression alone would say is wrong here"
    assert wide >= 7


def test_a_control_that_sees_the_cause_is_a_demand_driver_like_any_other():
    spend, sales, _ = series(3)
    holiday = np.zeros(WEEKS)
    holiday[::26] = 1.0
    found = returns(spend, sales + 500 * holiday, controls={"holiday": holiday}, draws=40)
    assert found.explained > 0.9
    assert {one.like for one in found.channels} <= {"trend", "season", "holiday"}
    assert found.claims == "observational"
    assert "no randomised spend" in found.why


def test_units_do_not_matter_and_the_seed_does_all():
    spend, sales, _ = series(4)
    once = returns(spend, sales, draws=30)
    again = returns({name: values / 1000 for name, values in spend.items()}, sales / 1000, draws=30)
    for a, b in zip(once.channels, again.channels, strict=True):
        assert a.roas.value == pytest.approx(b.roas.value, rel=1e-6)
        assert a.with_hidden.low == pytest.approx(b.with_hidden.low, rel=1e-6)
        assert a.robustness == pytest.approx(b.robustness, rel=1e-6)
    assert str(once) == str(returns(spend, sales, draws=30))


def test_the_verdict_is_in_words():
    spend, sales, _ = series(5)
    tv, search = returns(spend, sales, draws=60).channels
    assert search.known
    assert "it brings something, unless a hidden cause is stronger than the" in str(search)
    pulsed = {**spend, "tv": 100 + 50 * np.sin(2 * np.pi * np.arange(WEEKS) / 52.18) + spend["tv"] / 50}
    lost = returns(pulsed, sales, draws=60).channels[0]
    assert not lost.known, "a channel that follows the season cannot be told from it"
    assert "the data cannot tell" in str(lost)
    assert tv.like in ("trend", "season")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"dates": DATES[:30]}, "30 dates, expected at least 40"),
        ({"dates": [*DATES[:-1], DATES[-1] + timedelta(days=1)]}, "days apart, expected even, rising steps"),
        ({"sales_cny": np.full(WEEKS, np.nan)}, "sales_cny has shape .* or a gap"),
        ({"sales_cny": np.zeros(WEEKS)}, "sales_cny never varies"),
        ({"spend_cny": {f"c{i}": np.arange(WEEKS) * (i + 1.0) for i in range(WEEKS)}}, "cannot tell"),
        ({"spend_cny": {}}, "no channel was given"),
        ({"spend_cny": {"tv": np.ones(WEEKS)}}, "spend of tv is negative or never varies"),
    ],
)
def test_bad_series_are_told(change, match):
    spend, sales, _ = series(0)
    given = {"dates": DATES, "sales_cny": sales, "spend_cny": spend, **change}
    with pytest.raises(DataError, match=match):
        media_returns(**given, rng=np.random.default_rng(0), draws=5)


@pytest.mark.skipif(not DATA.is_file(), reason="needs ../shared/data/mmm_roas, which is absent")
def test_no_confident_wrong_answer_on_the_confounded_series():
    """Truth: 93.388 and 171.409 (the shared data's README); x1 is moved by a cause nobody sees."""
    table = pl.read_csv(DATA, try_parse_dates=True)
    found = media_returns(
        dates=table["date"].to_list(),
        sales_cny=table["y"].to_numpy(),
        spend_cny={name: table[name].to_numpy() for name in ("x1", "x2")},
        rng=np.random.default_rng(0),
        draws=300,
    )
    x1, x2 = found.channels
    assert 93.388 in x1.with_hidden
    assert 171.409 in x2.with_hidden
    assert 93.388 not in x1.roas, "the regression alone is confidently wrong: that is why the wide one exists"
    assert not x1.known
    assert "the data cannot tell" in str(x1)
