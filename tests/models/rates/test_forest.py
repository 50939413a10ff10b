"""Trees as tables give what LightGBM's walk gives, for whatever a person's columns hold."""

from functools import cache

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.rates import boosting
from models.rates.batch import Batch
from models.rates.boosting import Trees
from models.rates.compiled import grid_of, guide_of, places_of
from models.rates.design import Design, filled_up, places_among
from models.rates.forest import Forest
from models.rates.linear import LinearTerm
from models.rates.tree_text import checked_trees


@cache
def grown(*, leaves=8, seed=0, rounds=20, n=2000, **more):
    """Trees on two numbers with gaps, a category of 40 levels and a truth value."""
    rng = np.random.default_rng(seed)
    matrix = np.column_stack([rng.normal(size=(n, 2)), rng.integers(0, 40, n), rng.integers(0, 2, n)])
    matrix[rng.random(n) < 0.2, 0] = np.nan
    effect = np.nan_to_num(matrix[:, 0], nan=2.0) + matrix[:, 1] * matrix[:, 3] + (matrix[:, 2] % 7 == 3)
    data = lightgbm.Dataset(matrix, effect + rng.normal(size=n), categorical_feature=[2])
    parameters = {"num_leaves": leaves, "verbosity": -1, "num_threads": 1, "seed": seed, **more}
    return lightgbm.train(parameters, data, rounds), matrix


def is_lightgbms(booster, matrix):
    """Whether all bits of the sums are LightGBM's."""
    forest = Forest.of(booster.model_to_string())
    return np.array_equal(summed(forest, matrix), booster.predict(matrix, raw_score=True))


def many(matrix):
    """The rows as a batch of a table that is large enough for tables."""
    return Batch(matrix[:, :3], is_of_many=True)


def summed(forest, matrix):
    return forest.sum(forest.left(np.ascontiguousarray(matrix[:, :-1].T)), matrix[:, -1])


@pytest.mark.parametrize("leaves", [2, 8, 16, 31, 64])
def test_the_sum_is_lightgbms(leaves):
    booster, matrix = grown(leaves=leaves, min_data_in_leaf=5)
    assert is_lightgbms(booster, matrix)
    tried = Forest.of(booster.model_to_string()).trial()
    assert is_lightgbms(booster, tried)
    assert np.isnan(tried).any()


@given(
    st.lists(
        st.tuples(*[st.one_of(st.floats(allow_infinity=False), st.integers(-2, 60).map(float))] * 4),
        min_size=1,
        max_size=30,
    )
)
@settings(max_examples=60, deadline=None)
def test_whatever_is_asked(rows):
    booster, _ = grown(leaves=16, min_data_in_leaf=5)
    matrix = np.array(rows)
    matrix[:, 2] = np.where(np.abs(matrix[:, 2]) < 2e9, matrix[:, 2], np.nan)  # codes are never larger
    assert is_lightgbms(booster, matrix)


def test_missing_values_where_training_saw_none():
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(1000, 3)) + 0.5
    data = lightgbm.Dataset(matrix, matrix.sum(axis=1))
    booster = lightgbm.train({"num_leaves": 8, "verbosity": -1, "num_threads": 1}, data, 10)
    matrix[::3, 1] = np.nan
    assert is_lightgbms(booster, matrix)


def test_a_split_that_only_tells_who_is_missing():
    rng = np.random.default_rng(2)
    matrix = rng.normal(size=(1000, 2))
    matrix[::4, 0] = np.nan
    missing = np.isnan(matrix[:, 0])
    data = lightgbm.Dataset(matrix, 5.0 * missing)
    options = {"num_leaves": 3, "verbosity": -1, "num_threads": 1, "boost_from_average": False}
    options["objective"] = lambda sums, _: (sums - 5.0 * missing, np.ones(1000))
    booster = lightgbm.train(options, data, 5)
    text = booster.model_to_string()
    assert "threshold=inf" in text
    assert checked_trees(text) is text
    assert is_lightgbms(booster, matrix)


def test_a_person_is_worth_the_same_alone():
    booster, matrix = grown(leaves=31)
    forest = Forest.of(booster.model_to_string())
    together = summed(forest, matrix)
    alone = [summed(forest, matrix[i : i + 1])[0] for i in range(0, 2000, 100)]
    np.testing.assert_array_equal(together[::100], alone)


@pytest.mark.parametrize("more", [{"leaves": 100, "min_data_in_leaf": 5}, {"zero_as_missing": True}])
def test_what_tables_cannot_hold_is_walked(more, caplog):
    booster, matrix = grown(**more)
    assert Forest.of(booster.model_to_string()) is None
    trees = Trees(booster.model_to_string(), 1.0)
    walked = trees.value(many(matrix), matrix[:, 3], 1)
    np.testing.assert_array_equal(walked, booster.predict(matrix, raw_score=True))
    assert "LightGBM predicts them" in caplog.text


def test_tables_that_are_wrong_are_found_and_not_used(monkeypatch, caplog):
    booster, matrix = grown()
    right = Forest.of

    def wrong(text):
        forest = right(text)
        forest.leaves[3] += 1e-9
        return forest

    monkeypatch.setattr(boosting.Forest, "of", wrong)
    trees = Trees(booster.model_to_string(), 1.0)
    assert trees.forest is None
    np.testing.assert_array_equal(
        trees.value(many(matrix), matrix[:, 3], 1), booster.predict(matrix, raw_score=True)
    )
    assert "LightGBM predicts them" in caplog.text


_STEPS = st.lists(st.floats(-1e300, 1e300) | st.just(np.inf) | st.floats(1e-35, 50), unique=True, max_size=70)


@given(_STEPS, st.data())
@settings(max_examples=100, deadline=None)
def test_places_are_those_of_a_search(steps, data):
    steps = np.sort(np.array(steps, dtype=float))
    near = [*steps, *np.nextafter(steps, np.inf)]
    asked = np.array(data.draw(st.lists(st.sampled_from(near or [0.0]), max_size=30)), dtype=float)
    right = np.searchsorted(steps, asked)
    np.testing.assert_array_equal(places_among(filled_up(steps), asked), right)
    # and so in the compiled loop, which starts from a bucket; beyond any number the bucket cannot be told
    places, grid = np.empty(len(asked), dtype=int), grid_of(steps)
    with np.errstate(all="ignore"):
        places_of(asked, asked.view(np.int64), grid, guide_of(steps, grid), np.append(steps, np.inf), places)
    np.testing.assert_array_equal(places, right)


def test_large_tables_have_the_bits_of_small_ones(caplog):
    booster, matrix = grown(leaves=31)
    trees = Trees(booster.model_to_string(), 0.5)
    small = trees.value(matrix[:, :3], matrix[:, 3], 1)
    large = trees.value(many(np.tile(matrix, (10, 1))), np.tile(matrix[:, 3], 10), 1)
    np.testing.assert_array_equal(large, np.tile(small, 10))
    assert not caplog.text


def test_without_a_compiler_lightgbm_predicts(monkeypatch, caplog):
    booster, matrix = grown()
    monkeypatch.setattr(boosting, "compiled", lambda loop: None)
    trees = Trees(booster.model_to_string(), 1.0)
    np.testing.assert_array_equal(
        trees.value(many(matrix), matrix[:, 3], 1), booster.predict(matrix, raw_score=True)
    )
    assert "LightGBM predicts them" in caplog.text


def test_lines_of_large_tables_have_the_bits_of_small_ones():
    rng = np.random.default_rng(4)
    matrix = np.column_stack([rng.lognormal(size=3000), rng.integers(0, 5, 3000), rng.normal(size=3000)])
    matrix[rng.random(3000) < 0.1, 0] = np.nan
    design = Design.fit(matrix, (1,))
    coefficients = rng.normal(size=len(design.feature_of) + 2)
    line = LinearTerm(design, 0.3, (), tuple(coefficients.tolist()), ((0, 2), (1, 1)))
    matrix[0] = [1e300, np.nan, -1e300]
    small, large = (line.value(Batch(matrix, is_of_many=many), np.zeros((3000, 0))) for many in (False, True))
    np.testing.assert_array_equal(small, large)
