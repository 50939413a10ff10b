"""Files of a model or a plan: exact there and back, and an error that names file and key."""

import json
from typing import Annotated

import numpy as np
import polars as pl
import pytest
from pydantic import TypeAdapter
from stored_copy import read_back

from models.audience.funnel import Funnel, PlacementFunnel
from models.errors import DataError
from models.rates.boosting import Trees
from models.rates.design import Design, Scale
from models.rates.linear import LinearTerm
from models.rates.rate import Rate, Shift
from models.stored import Array, File, Rows, read, written


class Small(File):
    n: int
    values: Array
    rows: Annotated[pl.DataFrame, Rows({"name": pl.String, "x": pl.Float64})]


SMALL = TypeAdapter(Small)
GOOD = {"n": 1, "values": [0.1], "rows": []}


def small(**changes):
    return read(SMALL, json.dumps({**GOOD, **changes}), source="small.json", what="small thing")


@pytest.mark.parametrize(
    "values",
    [[0.1, 1 / 3, 1e-300], [np.inf, -np.inf, np.nan, 1.0], [[1.0, 2.0]] * 5, [[1.0, np.inf]] * 3, []],
)
def test_arrays_and_frames_survive_exactly(values):
    rows = pl.DataFrame({"name": ["a", "1"], "x": [None, 0.1]})
    text = written(SMALL, Small(n=3, values=np.array(values), rows=rows))
    back = read(SMALL, text, source="small.json", what="small thing")
    np.testing.assert_array_equal(back.values, np.array(values))
    assert back.rows.equals(rows)
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


def test_rows_that_do_not_vary_are_written_once():
    text = written(SMALL, Small(n=3, values=np.ones((400, 50)), rows=pl.DataFrame()))
    assert len(text) < 400


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"n": "1"}, "n"),
        ({"values": ["many"]}, "values"),
        ({"values": {"row": [1.0]}}, "values"),
        ({"rows": [{"name": "a", "x": "much"}]}, "rows"),
        ({"more": 1}, "more"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_key(changes, key):
    with pytest.raises(DataError, match=rf"^small.json: is not a small thing \({key}: .*`targeting` wrote$"):
        small(**changes)


BASE = Rate(1 / 3, coin=Shift(-1.0, 1e-300, 0.1 + 0.2))
FUNNEL = Funnel({"video": PlacementFunnel(Rate(1 / 7, bases=(BASE,)))}, None, {"follows": 3.0})
TERM = LinearTerm(Design({1: 3}, {0: Scale(0.5, 2.0, (0.0, 1.0))}), -3.0, (0.5,), (0.1,) * 6)


@pytest.mark.parametrize("value", [FUNNEL, TERM], ids=["rates in rates", "positions as keys"])
def test_fitted_objects_come_back_to_the_last_digit(value):
    assert read_back(type(value), value) == value


def test_a_loaded_booster_does_not_write_its_cache():
    booster = Trees()
    booster.value(np.zeros((2, 1)), np.zeros(2), 1)
    assert TypeAdapter(Trees).dump_python(booster) == {"text": "", "weight": 0.0}


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (('"tilt": 0.30000000000000004', '"tilt": "0.3"'), "placements.video.follow.bases.0.coin.tilt"),
        (('"organic": null, ', ""), "organic"),
        (('"organic": null, ', '"organic": null, "old": 1, '), "old"),
    ],
)
def test_the_wrong_key_of_a_fitted_object_is_named(change, key):
    text = written(TypeAdapter(Funnel), FUNNEL).replace(*change)
    with pytest.raises(DataError, match=rf"audience.json: is not a funnel \({key}: "):
        read(TypeAdapter(Funnel), text, source="audience.json", what="funnel")
