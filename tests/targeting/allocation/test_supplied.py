"""Curves supplied from outside: read as they are meant, refused with the cell's name."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from models.errors import DataError
from targeting.allocation.tabled import market_from_curves

HILL = {"segment": "a", "placement": "video", "top": 10.0, "half_spend_cny": 5.0, "slope": 2.0}


def points(spend: list[float], value: list[float]) -> pl.DataFrame:
    return pl.DataFrame({"segment": "a", "placement": "live", "spend_cny": spend, "value": value})


def test_hill_parameters_follow_the_formula() -> None:
    market = market_from_curves(pl.DataFrame([HILL, {**HILL, "segment": "b", "slope": 1.0}]))
    assert market.supply.value(np.array([5.0, 15.0])) == pytest.approx([5.0, 7.5])
    assert np.isinf(market.users).all()


def test_points_are_joined_in_order_of_spend() -> None:
    market = market_from_curves(points([20.0, 0.0, 10.0], [6.0, 0.0, 4.0]))
    assert market.supply.value(np.array([15.0])) == pytest.approx([5.0])
    assert market.observed_max_cny == pytest.approx([20.0])


def test_families_may_differ_cell_by_cell() -> None:
    other = {**HILL, "segment": "b", "family": "expsat", "slope": None}
    market = market_from_curves(pl.DataFrame([{**HILL, "family": "hill"}, other]))
    assert market.supply.value(np.array([5.0, 5.0])) == pytest.approx([5.0, 10.0 * (1 - np.exp(-1.0))])


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (pl.DataFrame({"placement": ["video"]}), "no column segment"),
        (pl.DataFrame([HILL]).clear(), "empty"),
        (pl.DataFrame([HILL, HILL]), "2 rows"),
        (pl.DataFrame([{**HILL, "top": float("nan")}]), "top"),
        (pl.DataFrame([{**HILL, "half_spend_cny": 0.0}]), "half_spend_cny"),
        (pl.DataFrame([{**HILL, "family": "cubic"}]), "cubic"),
        (pl.DataFrame([{**HILL, "family": "power", "slope": 1.5}]), "0 < slope <= 1"),
        (points([1.0], [1.0]), "one point"),
        (points([0.0, 1.0], [2.0, 1.0]), "decreases at spend_cny 1"),
        (points([1.0, 1.0], [1.0, 2.0]), "same spend_cny"),
        (points([0.0, 1.0], [0.0, float("nan")]), "finite"),
    ],
)
def test_bad_curves_are_refused_in_words(frame: pl.DataFrame, says: str) -> None:
    with pytest.raises(DataError, match=says):
        market_from_curves(frame)
