"""The difference between promised and realised, split without a rest."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from targeting.evaluation.reasons import decomposed, links, summary, with_reasons

CHAINS = arrays(float, (3, 4), elements=st.one_of(st.just(0.0), st.floats(0.01, 1e6)))


@settings(derandomize=True, max_examples=200, deadline=None)
@given(promised=CHAINS, realised=CHAINS)
def test_the_parts_always_add_up(promised, realised):
    parts = decomposed(promised, realised)
    assert np.isfinite(parts).all()
    np.testing.assert_allclose(parts.sum(axis=1), realised[:, -1] - promised[:, -1], rtol=1e-9, atol=1e-6)


def test_one_thing_that_changed_answers_for_all_of_it():
    promised = np.array([[100.0, 1000.0, 10.0, 500.0]])
    half_price = np.array([[100.0, 500.0, 5.0, 250.0]])
    np.testing.assert_allclose(decomposed(promised, half_price), [[0, -250, 0, 0]], atol=1e-9)
    poor_fans = np.array([[100.0, 1000.0, 10.0, 100.0]])
    np.testing.assert_allclose(decomposed(promised, poor_fans), [[0, 0, 0, -400]], atol=1e-9)


@pytest.mark.parametrize(
    ("realised", "blamed"),
    [
        ([0.0, 0.0, 0.0, 0.0], 0),  # no money went there
        ([100.0, 0.0, 0.0, 0.0], 1),  # it bought nothing
        ([100.0, 900.0, 0.0, 0.0], 2),  # nobody followed
        ([100.0, 900.0, 8.0, 0.0], 3),  # nobody bought
        ([100.0, 900.0, 8.0, -50.0], 3),  # more was refunded than bought
    ],
)
def test_the_first_link_that_failed_answers_for_a_cell_that_brought_nothing(realised, blamed):
    parts = decomposed(np.array([[100.0, 1000.0, 10.0, 500.0]]), np.array([realised]))
    assert parts[0, blamed] == pytest.approx(realised[-1] - 500.0)
    assert np.delete(parts[0], blamed) == pytest.approx(0.0)


def test_money_outside_the_plan_is_a_matter_of_spend_in_any_unit():
    outside = np.array([[50.0, 400.0, 3.0, 90.0]])
    for scale in (1.0, 1000.0):
        parts = decomposed(np.zeros((1, 4)), outside * [scale, 1, 1, 1])
        np.testing.assert_allclose(parts, [[90, 0, 0, 0]], atol=1e-9)


def test_granted_traffic_is_a_matter_of_price():
    free = decomposed(np.array([[100.0, 1000.0, 10.0, 500.0]]), np.array([[0.0, 2000.0, 20.0, 1000.0]]))
    np.testing.assert_allclose(free, [[0, 500, 0, 0]], atol=1e-9)


def test_a_chain_with_holes_has_other_links():
    assert links(("spend_cny", "fans")) == ("spend", "yield")
    assert links(("spend_cny", "impressions", "gmv_cny")) == ("spend", "price", "yield")
    cells = pl.DataFrame(
        {
            "promised_spend_cny": [10.0],
            "realised_spend_cny": [20.0],
            "promised_fans": [5.0],
            "realised_fans": [10.0],
        }
    )
    found = summary(with_reasons(cells, chain=("spend_cny", "fans"), final="realised_fans"))
    assert found["reason"].to_list() == ["spend", "yield"]
    assert found["unit"].to_list() == ["fans", "fans"]
    assert found["change"].to_list() == pytest.approx([5.0, 0.0])
