"""One mechanism writes every fitted object: nothing is lost, and what is wrong is named."""

import numpy as np
import polars as pl
import pytest

from models.audience.delay import DelayCurve
from models.audience.follow import Funnel, PlacementFunnel
from models.errors import DataError
from models.rates.boosting import HazardBooster
from models.rates.linear import Design, LinearTerm, Scale
from models.rates.rate import Rate
from models.rates.rate_maps import LogRateMap
from models.serialisation import from_json, to_json, to_plain
from models.supply.response import ResponseModel

FUNNEL = Funnel(
    {
        "video": PlacementFunnel(
            Rate(HazardBooster(0.1 + 0.2), (LogRateMap(-1.0, 1e-300, 0.5, (1.0,), (2.0,)),))
        )
    },
    None,
    {"events": float("inf")},
)


def test_nested_objects_come_back_to_the_last_digit():
    assert from_json(Funnel, to_json(FUNNEL), what="funnel") == FUNNEL


def test_positions_as_keys_come_back_as_numbers():
    term = LinearTerm(Design({1: 3}, {0: Scale(0.5, 2.0, (0.0, 1.0))}), -3.0, (0.1,) * 6)
    assert from_json(LinearTerm, to_json(term), what="term") == term


def test_arrays_and_frames_come_back():
    ones = np.ones((2, 1)) / 3
    cells = pl.DataFrame(
        {
            "segment": ["a"],
            "placement": ["live"],
            "size": [3.0],
            "observed_max_cny": [0.0],
            "days": [2],
            "seen": [True],
        }
    )
    model = ResponseModel(cells, "hill", ones[0], ones[0], ones, ones, ones[0], ones[0], True)
    back = from_json(ResponseModel, to_json(model), what="response.json")
    assert back.cells.equals(cells)
    assert back.cells.schema == cells.schema
    assert (back.log_price_draws == ones).all()


def test_a_loaded_booster_does_not_write_its_cache():
    booster = HazardBooster(1.0)
    booster.log_rate(np.zeros((2, 1)))
    assert to_plain(booster) == {"constant": 1.0, "linear": None, "text": ""}


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (('"slope": 0.5', '"slope": "0.5"'), "placements.video.follow.logged.0.slope"),
        (('"organic": null, ', ""), "organic"),
    ],
)
def test_the_wrong_key_is_named(change, key):
    with pytest.raises(DataError, match=rf"^model: {key}: .*train again"):
        from_json(Funnel, to_json(FUNNEL).replace(*change), what="model")


def test_text_that_is_no_json_is_named():
    with pytest.raises(DataError, match="curve: the text: Invalid JSON"):
        from_json(DelayCurve, "{", what="curve")
