"""Supply curves: the truth is recovered, the curves are concave, the draws are honest, bad input is named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from paid_days import logs, shop

from models.errors import DataError
from models.events.event_log import read_events
from models.supply.response import ResponseModel, daily_delivery, fit_response


def fitted(made, *, seed=0, n_draws=100, users=True, **settings):
    rng = np.random.default_rng(seed)
    known = made.users if users else None
    return fit_response(made.daily, users_by_segment=known, rng=rng, n_draws=n_draws, **settings)


@pytest.mark.parametrize("family", ["hill", "expsat", "log", "power"])
def test_the_true_curve_is_recovered_inside_the_logged_range(family):
    made = shop(1, family=family)
    model = fitted(made, n_draws=10)
    for share, tolerance in ((0.5, 0.06), (1.0, 0.09)):
        spend = model.observed_max_cny() * share
        error = model.curves().value(spend) / made.delivered(model.cells, spend) - 1
        assert np.abs(error).mean() < tolerance


@pytest.mark.parametrize("family", ["hill", "expsat", "log", "power"])
def test_every_curve_and_draw_increases_and_is_concave(family):
    model = fitted(shop(3, family=family, segments=3, days=14), n_draws=20)
    grid = np.linspace(0, 3, 40)[:, None] * model.observed_max_cny()
    for curves in (model.curves(), *(_draw(model, k) for k in range(20))):
        values = np.stack([curves.value(spend) for spend in grid])
        steps = np.diff(values, axis=0)
        assert np.all(values[0] == 0)
        assert np.all(steps > 0)
        assert np.all(np.diff(steps, axis=0) <= 1e-9 * values[-1])


def _draw(model, k):
    chosen = model.draws()
    return type(chosen)(
        family=chosen.family,
        top=chosen.top[k],
        scale_cny=chosen.scale_cny[k],
        shape=chosen.shape[k],
        base=chosen.base[k],
    )


@pytest.mark.slow
def test_eighty_percent_of_draws_mean_eighty_percent():
    hits = {0.4: [], 1.0: []}
    for seed in range(12):
        made = shop(100 + seed, family=("hill", "expsat", "log")[seed % 3], segments=6)
        model = fitted(made, seed=seed, n_draws=200)
        for share, found in hits.items():
            spend = model.observed_max_cny() * share
            low, high = np.quantile(model.draws().value(np.tile(spend, (200, 1))), [0.1, 0.9], axis=0)
            truth = made.delivered(model.cells, spend)
            found.append(np.mean((low <= truth) & (truth <= high)))
    # A little wide on purpose: the draws also carry what the family and the transfer to new delivery leave
    # open.
    assert all(0.75 <= np.mean(found) <= 0.995 for found in hits.values()), {
        k: np.mean(v) for k, v in hits.items()
    }


def test_intervals_widen_beyond_the_logged_range():
    model = fitted(shop(5, segments=4))
    width = []
    for share in (0.5, 1.0, 3.0, 10.0):
        values = model.draws().value(np.tile(model.observed_max_cny() * share, (100, 1)))
        width.append(np.mean(np.subtract(*np.quantile(values, [0.9, 0.1], axis=0)) / values.mean(axis=0)))
    assert width[0] < width[1] < width[2] < width[3]


def test_an_unseen_cell_gets_the_pooled_curve_flagged_and_wide():
    made = shop(2, segments=6)
    hidden = (pl.col("segment") == "s0") & (pl.col("placement") == "video")
    model = fit_response(
        made.daily.filter(~hidden), users_by_segment=made.users, rng=np.random.default_rng(0), n_draws=200
    )
    row = model.cells.with_row_index("at").filter(hidden).row(0, named=True)
    assert not row["seen"]
    assert row["observed_max_cny"] == 0
    spend = np.tile(model.observed_max_cny().max(), len(model.cells))
    truth = made.delivered(model.cells, spend)[row["at"]]
    low, high = np.quantile(model.draws().value(np.tile(spend, (200, 1))), [0.02, 0.98], axis=0)
    assert low[row["at"]] < truth < high[row["at"]]
    spread = model.log_price_draws.std(axis=0)
    assert spread[row["at"]] > np.median(spread)


def test_one_spend_level_leaves_the_capacity_to_the_prior():
    made = shop(4, spread=1e-9, segments=4)
    model = fitted(made)
    spend = model.observed_max_cny()
    assert np.allclose(model.curves().value(spend) / made.delivered(model.cells, spend), 1, atol=0.12)
    assert model.log_capacity_draws.std(axis=0).min() > 0.3  # nothing was learned about it
    assert fitted(shop(4, segments=4, noise=0.02, spread=0.9)).log_capacity_draws.std(axis=0).max() < 0.5


def test_constant_prices_give_a_nearly_straight_line():
    made = shop(6, segments=4, noise=0.02, day_sd=0.0)
    flat = made.daily.with_columns(impressions=(pl.col("cost_cny") / 0.04).round())
    model = fit_response(flat, users_by_segment=made.users, rng=np.random.default_rng(0), n_draws=10)
    spend = model.observed_max_cny()
    assert np.allclose(model.curves().value(spend), spend / 0.04, rtol=0.08)  # the cap per user bends it


def test_outliers_do_not_move_the_curve():
    made = shop(7, segments=4)
    rng = np.random.default_rng(0)
    odd = made.daily.with_columns(
        impressions=pl.when(pl.Series(rng.random(made.daily.height) < 0.03))
        .then(pl.col("impressions") * 20)
        .otherwise(pl.col("impressions"))
    )
    plain = fitted(made, n_draws=2)
    disturbed = fit_response(odd, users_by_segment=made.users, rng=np.random.default_rng(0), n_draws=2)
    spend = plain.observed_max_cny() * 0.7
    assert np.allclose(disturbed.curves().value(spend), plain.curves().value(spend), rtol=0.12)


def test_spend_that_follows_demand_is_corrected_where_some_was_randomised():
    made = shop(8, lean=4.0, day_sd=0.2, randomized=14, noise=0.05, family="hill", segments=6)
    spend_error = []
    for daily in (made.daily, made.daily.with_columns(randomized_share=pl.lit(0.0))):
        model = fit_response(daily, users_by_segment=made.users, rng=np.random.default_rng(0), n_draws=2)
        spend = model.observed_max_cny() * 2
        spend_error.append(np.mean(model.curves().value(spend) / made.delivered(model.cells, spend) - 1))
    assert abs(spend_error[0]) < abs(spend_error[1]) + 0.02
    assert abs(spend_error[0]) < 0.15


def test_a_festival_with_dear_prices_does_not_pass_for_saturation():
    made = shop(9, segments=5, noise=0.03)
    feast = made.daily["date"].unique().sort()[10:12].implode()
    dear = pl.col("date").is_in(feast)
    daily = made.daily.with_columns(
        cost_cny=pl.when(dear).then(pl.col("cost_cny") * 2).otherwise(pl.col("cost_cny"))
    )  # the same impressions for twice the money
    model = fit_response(daily, users_by_segment=made.users, rng=np.random.default_rng(0), n_draws=2)
    plain = fitted(made, n_draws=2)
    spend = plain.observed_max_cny() * 0.8
    assert np.allclose(model.curves().value(spend), plain.curves().value(spend), rtol=0.1)


def test_the_curve_grows_with_the_audience():
    model = fitted(shop(3, segments=3, days=14), n_draws=5)
    twice = {row["segment"]: 2 * row["size"] for row in model.cells.to_dicts()}
    spend = model.observed_max_cny()
    assert np.allclose(model.curves(twice).value(2 * spend), 2 * model.curves().value(spend))
    assert np.allclose(
        model.draws(twice).value(np.tile(2 * spend, (5, 1))), 2 * model.draws().value(np.tile(spend, (5, 1)))
    )
    assert np.allclose(model.observed_max_cny(twice), 2 * spend)
    with pytest.raises(DataError, match="no user count for segment 's2'"):
        model.curves({"s0": 1.0, "s1": 1.0})


def test_without_user_counts_the_curve_is_the_same_but_cannot_be_rescaled():
    made = shop(3, segments=4)
    model = fitted(made, users=False, n_draws=5)
    spend = model.observed_max_cny()
    assert np.allclose(model.curves().value(spend) / made.delivered(model.cells, spend), 1, atol=0.25)
    with pytest.raises(DataError, match="without user counts"):
        model.curves(made.users)


def test_json_round_trip_is_exact():
    model = fitted(shop(3, segments=3, days=14), n_draws=5)
    back = ResponseModel.from_json(model.to_json())
    spend = model.observed_max_cny()
    assert np.array_equal(back.curves().value(spend), model.curves().value(spend))
    assert np.array_equal(back.draws().top, model.draws().top)
    assert back.cells.equals(model.cells)
    assert back.diagnostics == dict(model.diagnostics)


def test_the_same_seed_and_shuffled_rows_give_the_same_model():
    made = shop(3, segments=3, days=14)
    shuffled = made.daily.sample(fraction=1.0, shuffle=True, seed=1)
    again = fit_response(shuffled, users_by_segment=made.users, rng=np.random.default_rng(0), n_draws=5)
    assert np.allclose(fitted(made, n_draws=5).log_capacity_draws, again.log_capacity_draws, rtol=1e-9)


def test_cells_can_be_picked():
    model = fitted(shop(3, segments=3, days=14), n_draws=5)
    picked = model.take(np.array([4, 1]))
    spend = model.observed_max_cny()[[4, 1]]
    assert np.allclose(picked.curves().value(spend), model.curves().value(model.observed_max_cny())[[4, 1]])


def test_two_days_of_one_cell_are_enough_to_answer():
    made = shop(3, segments=1, days=2)
    model = fitted(made, n_draws=20)
    spend = model.observed_max_cny()
    assert np.all(np.isfinite(model.curves().value(spend)))
    assert np.allclose(model.curves().value(spend) / made.delivered(model.cells, spend), 1, atol=0.4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.drop("impressions"), "column 'impressions' is missing"),
        (lambda d: d.with_columns(cost_cny=pl.lit(0.0)), "no row has a cost above 0"),
        (lambda d: d.with_columns(impressions=pl.lit(0.0)), "placement 'live': has no paid impressions"),
        (lambda d: d.with_columns(cost_cny=pl.lit(float("inf"))), "cost_cny is inf"),
        (lambda d: d.with_columns(impressions=-pl.col("impressions")), "expected a finite number >= 0"),
        (lambda d: d.filter(pl.col("placement") == "live"), "placement 'video': has no paid impressions"),
    ],
)
def test_bad_delivery_is_named(change, message):
    made = shop(3, segments=2, days=3)
    with pytest.raises(DataError, match=message):
        fit_response(
            change(made.daily),
            users_by_segment=made.users,
            rng=np.random.default_rng(0),
            n_draws=2,
            placements=("live", "video"),
        )


def test_daily_delivery_adds_up_and_leaves_the_held_out_away():
    made = logs(0, people=300, days=6)
    daily = daily_delivery(read_events(made, as_of=made.as_of), made.assignment)
    shown = made.exposures.filter(pl.col("impressions") > 0)
    assert daily["impressions"].sum() == shown["impressions"].sum()
    assert daily["new_fans"].sum() == shown["followed"].sum()
    assert np.isclose(daily["cost_cny"].sum(), shown["cost_cny"].sum())
    assert np.isclose(
        (daily["randomized_share"] * daily["cost_cny"]).sum(), shown.filter("randomized")["cost_cny"].sum()
    )
    assert "none" not in daily["placement"].to_list()
    assert daily["entries"].null_count() == daily.height
    assert daily.equals(
        daily_delivery(
            read_events(
                replace(made, exposures=made.exposures.sample(fraction=1.0, shuffle=True, seed=3)),
                as_of=made.as_of,
            ),
            made.assignment,
        )
    )


def test_the_curve_is_the_mean_of_its_draws():
    """A plan that maximises expectation needs the curve of what money buys on average, doubt included."""
    model = fitted(shop(4, spread=1e-9, segments=4), n_draws=200)
    for share in (0.3, 1.0, 3.0, 10.0, 30.0):
        spend = share * model.observed_max_cny()
        mean = model.draws().value(np.tile(spend, (200, 1))).mean(axis=0)
        assert np.allclose(model.curves().value(spend), mean, rtol=0.05)
    spend = 2.0 * model.observed_max_cny()
    price, capacity = (np.exp(x.mean(axis=0)) for x in (model.log_price_draws, model.log_capacity_draws))
    top = capacity * model.cells["size"].to_numpy()
    assert (model.curves().value(spend) < top * spend / (spend + top * price)).all()  # before they fill
