"""A market as JSON text, so that a saved plan can be loaded and asked again (frontier, why, what-if).

Point estimates are written exactly (Python's shortest round-trip floats); draws too, because the intervals
of a reloaded plan must be the same to the last digit. Infinity is written as the text "inf". It must not
touch the disk.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl

from models.curves import FAMILIES, CurveSet, FloatArray
from models.errors import DataError
from targeting.allocation.problem import CELL_KEYS, Draws, Market

_ARRAYS = ("users", "hazard", "entry", "gmv_per_fan_cny", "observed_max_cny")


def market_to_json(market: Market) -> str:
    """The market as JSON text; `market_from_json` gives an equal one back."""
    draws = market.draws
    content = {
        "cells": market.cells.select(CELL_KEYS).to_dict(as_series=False),
        "block": market.block.tolist(),
        "supply": _curves_to_dict(market.supply),
        **{name: _numbers(getattr(market, name)) for name in _ARRAYS},
        "draws": None
        if draws is None
        else {
            "supply": _curves_to_dict(draws.supply),
            "hazard": _numbers(draws.hazard),
            "gmv_per_fan_cny": _numbers(draws.gmv_per_fan_cny),
        },
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False)


def market_from_json(text: str, *, source: str = "market.json") -> Market:
    """The market that `market_to_json` wrote.

    Raises:
        DataError: the text is not such a market.
    """
    try:
        raw = json.loads(text)
        drawn = raw["draws"]
        cells = pl.DataFrame(
            raw["cells"], schema={k: pl.Int64 if k == "slot" else pl.String for k in CELL_KEYS}
        )
        return Market(
            cells=cells,
            block=np.asarray(raw["block"], dtype=np.int64),
            supply=_curves_from_dict(raw["supply"]),
            **{name: _array(raw[name]) for name in _ARRAYS},
            draws=None
            if drawn is None
            else Draws(
                supply=_curves_from_dict(drawn["supply"]),
                hazard=_array(drawn["hazard"]),
                gmv_per_fan_cny=_array(drawn["gmv_per_fan_cny"]),
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{source}: is not a saved market ({error!r}); expected a file written by `targeting plan`"
        ) from error


def _curves_to_dict(curves: CurveSet) -> dict[str, Any]:
    return {
        "family": [FAMILIES[code] for code in curves.family],
        "top": _numbers(curves.top),
        "scale_cny": _numbers(curves.scale_cny),
        "shape": _numbers(curves.shape),
        "base": _numbers(curves.base),
        "knots": [None if knots is None else knots.tolist() for knots in curves.knots],
    }


def _curves_from_dict(raw: dict[str, Any]) -> CurveSet:
    return CurveSet(
        np.array([FAMILIES.index(name) for name in raw["family"]], dtype=np.int8),
        _array(raw["top"]),
        _array(raw["scale_cny"]),
        _array(raw["shape"]),
        _array(raw["base"]),
        tuple(None if knots is None else np.asarray(knots, dtype=float) for knots in raw["knots"]),
    )


def _numbers(array: FloatArray) -> Any:
    """Nested lists; draws that never vary are written once, which keeps a market of many cells small."""
    if array.ndim == 2 and len(array) > 1 and np.all(array == array[0]):
        return {"times": len(array), "row": _numbers(array[0])}
    if np.isfinite(array).all():
        return array.tolist()
    words = np.where(np.isnan(array), "nan", np.where(array > 0, "inf", "-inf"))
    flat = [float(x) if np.isfinite(x) else str(w) for x, w in zip(array.ravel(), words.ravel(), strict=True)]
    return np.array(flat, dtype=object).reshape(array.shape).tolist()


def _array(raw: Any) -> FloatArray:
    if isinstance(raw, dict):
        return np.tile(_array(raw["row"]), (int(raw["times"]), 1))
    return np.asarray(raw, dtype=float)
