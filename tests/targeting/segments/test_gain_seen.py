"""Which part of a promised difference is there: all of it, none of it, or nobody can tell."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scored_people import people

from targeting.segments import form_segments


def trial_of(scores, *, real, orders, seed=0):
    """The same people ten impressions each later; `real` of the promised differences hold."""
    rng = np.random.default_rng(seed)
    promised = scores["p_follow"] * scores["gmv_per_fan_cny"]
    mean = pl.DataFrame({"p": scores["placement"], "w": promised}).select(pl.col("w").mean().over("p"))["w"]
    worth = (real * promised + (1.0 - real) * mean).to_numpy()
    size = 10.0 * worth.sum() / orders  # yuan of an order
    bought = rng.poisson(10.0 * worth / size)
    return scores.with_columns(matured_impressions=pl.lit(10.0), gmv_cny=pl.Series(bought * size))


def formed(scores, trial):
    return form_segments(scores, scores.select("user_id").unique(), rules=False, trial=trial, min_audience=50)


@pytest.mark.parametrize(("real", "low", "high"), [(1.0, 0.8, 1.0), (0.5, 0.35, 0.65), (0.0, 0.0, 0.15)])
def test_later_outcomes_tell_which_part_is_there(real, low, high):
    _, scores = people(6000)
    seen = [formed(scores, trial_of(scores, real=real, orders=3000, seed=s)).gain_seen for s in range(4)]
    assert low <= np.mean(seen) <= high


def test_a_dozen_orders_cannot_tell():
    _, scores = people(3000)
    seen = [formed(scores, trial_of(scores, real=1.0, orders=8, seed=s)).gain_seen for s in range(12)]
    assert 0.25 < np.mean(seen) < 0.9
    nothing = trial_of(scores, real=1.0, orders=8).with_columns(gmv_cny=pl.lit(0.0))
    assert formed(scores, nothing).gain_seen == 0.5


def test_a_gain_that_is_not_there_buys_no_segments():
    _, scores = people(6000)
    believed = formed(scores, None)
    assert believed.gain_seen is None
    real, false = (formed(scores, trial_of(scores, real=r, orders=3000)) for r in (1.0, 0.0))
    assert real.summary.height == believed.summary.height
    assert false.summary.height < 0.5 * believed.summary.height


def test_the_order_of_rows_and_the_unit_of_money_do_not_matter():
    _, scores = people(4000)
    trial = trial_of(scores, real=1.0, orders=500)
    seen = formed(scores, trial).gain_seen
    assert formed(scores, trial.sample(fraction=1.0, shuffle=True, seed=3)).gain_seen == pytest.approx(seen)
    in_li = pl.col("gmv_per_fan_cny") * 1000.0
    dear = formed(scores.with_columns(in_li), trial.with_columns(in_li, pl.col("gmv_cny") * 1000.0))
    assert dear.gain_seen == pytest.approx(seen)
