"""Console reports: rates are recovered, missing columns bridged, one row per cell needs a prior."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from paid_days import report

from models.errors import DataError
from models.supply.delivery_report import fit_delivery


def learned(frame, *, n_draws=50):
    return fit_delivery(frame, rng=np.random.default_rng(0), n_draws=n_draws)


def test_a_full_report_gives_supply_hazard_value_and_entries():
    model = learned(report(1))
    assert model.basis == "impressions"
    assert model.fan_measure == "new_fans"
    assert model.has_gmv
    rate = model.response.cells["segment"].replace_strict(
        {f"s{i}": 0.002 * (1 + i) for i in range(5)}, return_dtype=pl.Float64
    )
    assert np.allclose(model.hazard, rate.to_numpy(), rtol=0.25)
    assert np.allclose(model.gmv_per_fan_cny, 40, rtol=0.25)
    live = (model.response.cells["placement"] == "live").to_numpy()
    assert np.allclose(model.entry[live], 0.2, rtol=0.02)
    assert np.all(model.entry[~live] == 0)
    assert model.claims == "observational"
    assert model.hazard_draws.shape == (50, 10)


def test_without_impressions_the_curve_goes_straight_to_fans():
    full, short = learned(report(1)), learned(report(1, drop=("impressions",)))
    assert short.basis == short.fan_measure == "new_fans"
    assert np.all(short.hazard == 1)
    spend = full.response.observed_max_cny()
    through = full.response.curves().value(spend) * full.hazard
    assert np.abs(short.response.curves().value(spend) / through - 1).mean() < 0.25
    assert np.allclose(short.gmv_per_fan_cny, 40, rtol=0.25)


def test_gmv_alone_is_enough():
    model = learned(report(2, drop=("impressions", "new_fans", "live_entries")))
    assert model.basis == "gmv_cny"
    assert model.fan_measure is None
    assert np.all(model.hazard == 1)
    assert np.all(model.gmv_per_fan_cny == 1)


def test_impressions_alone_are_counted_as_they_are():
    model = learned(report(2, drop=("gmv_cny", "new_fans", "live_entries")))
    assert model.basis == "impressions"
    assert not model.has_gmv
    assert np.all(model.hazard == 1)


def test_partly_missing_outcomes_use_the_rows_that_have_them():
    frame = report(3)
    holes = frame.with_columns(
        new_fans=pl.when(pl.int_range(pl.len()) % 3 == 0).then(None).otherwise(pl.col("new_fans"))
    )
    assert np.allclose(learned(holes).hazard, learned(frame).hazard, rtol=0.25)


def test_one_row_per_cell_takes_its_curvature_from_the_prior_and_says_observational():
    frame = report(4, days=1)
    model = learned(frame, n_draws=200)
    assert model.apart
    assert model.claims == "observational"
    spend = model.response.observed_max_cny()
    now, twice = (model.response.curves().value(spend * k) for k in (1.0, 2.0))
    assert np.all(twice / now > 1.1)
    assert np.all(twice / now < 1.9)
    logged = frame.sort("segment", "placement")["impressions"].to_numpy()
    assert np.allclose(now, logged, rtol=0.25)
    draws = model.response.draws().value(np.tile(2 * spend, (200, 1)))
    assert np.all(draws.std(axis=0) / draws.mean(axis=0) > 0.04)


def elasticity(model):
    """d log outcome / d log spend of every cell at what was spent."""
    spend, curves = model.response.observed_max_cny(), model.response.curves()
    return curves.slope(spend) * spend / curves.value(spend)


def test_rows_of_different_scale_teach_the_elasticity():
    rng = np.random.default_rng(5)
    spend = rng.lognormal(3, 1, 400)
    cell = rng.integers(0, 5, 400)
    report_of = {}
    for true in (0.5, 0.95):
        report_of[true] = pl.DataFrame(
            {
                "date": [date(2020, 10, 1)] * 400,
                "segment": [f"s{i}" for i in cell],
                "placement": ["video"] * 400,
                "cost_cny": spend,
                "new_fans": rng.poisson((1 + cell) * spend**true).astype(float),
            }
        )
    alone = report_of[0.5].group_by("segment").first().sort("segment")
    usual = elasticity(learned(alone)).mean()
    assert 0.6 < usual < 0.85
    for true, frame in report_of.items():
        found = elasticity(learned(frame)).mean()
        assert min(true, usual) < found < max(true, usual)
        assert abs(found - true) < abs(usual - true) * 0.75


def test_a_cell_that_pays_better_keeps_paying_better():
    """Good cells must not pass for saturated ones when size comes from their own delivery."""
    frame = pl.DataFrame(
        {
            "date": ["2020-10-01"] * 4,
            "segment": ["a", "b", "c", "d"],
            "placement": ["video"] * 4,
            "cost_cny": [1000.0, 1000.0, 100.0, 100.0],
            "new_fans": [100.0, 25.0, 10.0, 2.0],
        }
    ).with_columns(pl.col("date").str.to_date())
    model = learned(frame)
    more = model.response.curves().value(np.full(4, 1500.0)) - model.response.curves().value(
        np.full(4, 1000.0)
    )
    assert more[0] > more[1]
    fans = model.response.curves().value(model.response.observed_max_cny())
    assert np.allclose(fans, frame["new_fans"], rtol=0.1, atol=1.5)


def test_randomised_spend_earns_the_word_causal():
    frame = report(6, days=6).with_columns(randomized=pl.lit(True))
    assert learned(frame).claims == "causal"


def test_kag_moves_money_to_thirty_to_thirty_four(shared_data):
    raw = pl.read_csv(shared_data / "kag" / "KAG_conversion_data.csv", encoding="utf8-lossy")
    raw = raw.rename({name: name.lstrip("\ufeff") for name in raw.columns})
    frame = raw.select(
        pl.lit("2017-08-01").str.to_date().alias("date"),
        (pl.col("age") + " " + pl.col("gender")).alias("segment"),
        pl.lit("social").alias("placement"),
        pl.col("Spent").alias("cost_cny"),
        pl.col("Impressions").alias("impressions"),
        pl.col("Approved_Conversion").alias("new_fans"),
    )
    model = learned(frame)
    spend = model.response.observed_max_cny()
    curves = model.response.curves()
    marginal = curves.slope(spend) * model.hazard
    cells = model.response.cells["segment"].to_list()
    assert cells[int(np.argmax(marginal))] == "30-34 M"
    assert cells[int(np.argmin(marginal))] == "45-49 F"
    # ... and diminishing returns: at three times the money the best cell pays less than the next one now.
    best = int(np.argmax(marginal))
    assert (curves.slope(spend * 3) * model.hazard)[best] < np.sort(marginal)[-2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop("segment"), "column 'segment' is missing"),
        (lambda f: f.select("date", "segment", "placement", "cost_cny"), "no outcome"),
        (lambda f: f.with_columns(cost_cny=pl.lit(0.0)), "no row has cost_cny above 0"),
        (
            lambda f: f.with_columns(impressions=pl.lit(0.0), new_fans=pl.lit(0.0), gmv_cny=pl.lit(0.0)),
            "no outcome",
        ),
    ],
)
def test_bad_reports_are_named(change, message):
    with pytest.raises(DataError, match=message):
        learned(change(report(7, days=3, segments=2)), n_draws=2)
