"""Laws of the curve families: increasing, slopes true, inverse slopes true, bad input named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import DataError
from models.supply.curves import FAMILIES, CurveSet

SMOOTH = FAMILIES[:5]


def some(family: str, n: int = 200, seed: int = 0) -> CurveSet:
    rng = np.random.default_rng(seed)
    shape = rng.uniform(0.2, 1.0, n) if family == "power" else rng.uniform(0.4, 5.0, n)
    return CurveSet.of(
        family,
        top=rng.lognormal(3, 2, n),
        scale_cny=rng.lognormal(3, 2, n),
        shape=shape,
        base=rng.uniform(0, 5, n),
    )


@pytest.mark.parametrize("family", SMOOTH)
def test_slope_and_curvature_are_the_derivatives(family: str) -> None:
    curves = some(family)
    spend = curves.scale_cny * np.random.default_rng(1).uniform(0.1, 2.0, len(curves))
    h = 1e-5 * spend
    unit = curves.top / curves.scale_cny
    rise = (curves.value(spend + h) - curves.value(spend - h)) / (2 * h)
    bend = (curves.slope(spend + h) - curves.slope(spend - h)) / (2 * h)
    assert np.abs((rise - curves.slope(spend)) / unit).max() < 1e-5
    assert np.abs((bend - curves.curvature(spend)) * curves.scale_cny / unit).max() < 1e-5


@pytest.mark.parametrize("family", SMOOTH)
def test_inverse_slope_finds_the_spend_again(family: str) -> None:
    curves = some(family)
    spend = curves.scale_cny * np.random.default_rng(2).uniform(0.05, 3.0, len(curves))
    falling = spend > curves.inflection_cny
    assert np.allclose(curves.inverse_slope(curves.slope(spend))[falling], spend[falling], rtol=1e-7)
    rising = ~falling
    again = curves.inverse_slope(curves.slope(spend), rising=True)
    assert np.allclose(again[rising], spend[rising], rtol=1e-7)


@pytest.mark.parametrize("family", SMOOTH)
def test_too_steep_is_zero_and_free_money_is_endless(family: str) -> None:
    curves = some(family)
    assert (curves.inverse_slope(np.full(len(curves), -1.0)) == np.inf).all()
    bounded = curves.inflection_cny > 0
    steep = 10 * curves.slope(np.maximum(curves.inflection_cny, 0))
    assert (curves.inverse_slope(steep)[bounded] == 0).all()


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.sampled_from(SMOOTH), st.integers(0, 50), st.floats(0, 20), st.floats(0, 20))
def test_more_money_never_buys_less(family: str, seed: int, a: float, b: float) -> None:
    curves = some(family, 5, seed)
    low, high = (curves.value(curves.scale_cny * x) for x in sorted((a, b)))
    assert (high >= low * (1 - 1e-12)).all()
    assert np.allclose(curves.value(np.zeros(5)), curves.base, atol=1e-9 * curves.top.max())


def test_points_are_joined_by_lines_and_flat_after_the_last() -> None:
    curves = CurveSet.from_points(
        (np.array([[0, 0], [1, 2], [3, 4.0]]), np.array([[1, 1], [2, 5.0], [4, 6], [5, 6]]))
    )
    assert curves.value(np.array([[2.0, 3.0], [0.0, 0.5], [9.0, 9.0]])).tolist() == [
        [3, 5.5],
        [0, 0.5],
        [4, 6],
    ]
    assert curves.slope(np.array([1.0, 3.0])).tolist() == [1.0, 0.5]
    assert curves.inverse_slope(np.array([1.5, 0.2])).tolist() == [1.0, 4.0]
    assert curves.concave.tolist() == [True, False]
    wider = curves.rescaled(top=2.0, spend=10.0)
    assert wider.value(np.array([20.0, 30.0])).tolist() == [6.0, 11.0]


def test_draws_and_takes_are_the_same_curves() -> None:
    top = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    curves = CurveSet.of("log", top=top, scale_cny=np.ones(3))
    spend = np.array([1.0, 2.0, 3.0])
    assert curves.value(spend).shape == (2, 3)
    assert np.array_equal(curves.draw(1).value(spend), curves.value(spend)[1])
    assert np.array_equal(curves.draws(slice(1, 2)).value(spend), curves.value(spend)[1:])
    assert np.array_equal(curves.take(np.array([2, 0])).value(spend[[2, 0]]), curves.value(spend)[:, [2, 0]])


def test_families_mix_in_one_set() -> None:
    one = np.ones(5)
    mixed = CurveSet(np.arange(5, dtype=np.int8), 10 * one, 3 * one, one, 0 * one)
    alone = [
        CurveSet.of(f, top=one[:1] * 10, scale_cny=one[:1] * 3).value(np.array([2.0]))[0] for f in SMOOTH
    ]
    assert np.allclose(mixed.value(np.full(5, 2.0)), alone)


@pytest.mark.parametrize(
    ("points", "match"),
    [
        ([[0, 0]], "two points"),
        ([[0, 0], [1, 3], [2, 2]], "decreases at spend_cny 2"),
        ([[0, 0], [1, np.nan]], "NaN"),
        ([[0, 0], [0, 1]], "must increase"),
        ([[0, 0], [1, -1]], "negative"),
    ],
)
def test_bad_points_are_named(points: list[list[float]], match: str) -> None:
    with pytest.raises(DataError, match=match):
        CurveSet.from_points((np.array(points, dtype=float),))


@pytest.mark.parametrize(
    ("family", "change", "match"),
    [
        ("hill", {"scale_cny": np.array([0.0])}, "scale_cny of curve 0"),
        ("hill", {"top": np.array([-1.0])}, "top of curve 0"),
        ("hill", {"shape": np.array([np.nan])}, "shape of curve 0"),
        ("power", {"shape": np.array([1.5])}, "above 1"),
        ("cubic", {}, "expected one of hill"),
    ],
)
def test_bad_parameters_are_named(family: str, change: dict, match: str) -> None:
    given = {"top": np.ones(1), "scale_cny": np.ones(1), "shape": np.full(1, 0.5), **change}
    with pytest.raises(DataError, match=match):
        CurveSet.of(family, **given)
