"""Curves supplied from outside (`curves.csv`, DESIGN 3.1) as a market of additive cells.

The value on such a curve is taken as it is: no audience, no competition between placements, no draws.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from models.errors import DataError
from models.supply.curves import FAMILIES, POINTS, CurveSet
from targeting.allocation.problem import Market

_POINT_COLUMNS = ("spend_cny", "value")
_KEYS = ("campaign_id", "merchant_id", "segment", "placement", "slot")
_DEFAULTS = {"campaign_id": "", "merchant_id": "", "placement": "", "slot": 0, "fan_kind": ""}


def market_from_curves(curves: pl.DataFrame) -> Market:
    """Additive market of a curves frame: one cell per segment x placement (x slot, campaign, merchant where
    given).

    Args:
        curves: either points (`segment, placement, spend_cny, value`; several rows per cell, in any order)
            or parameters (`segment, placement, top, half_spend_cny, slope`, one row per cell: top s^slope /
            (s^slope + half^slope)). With a column `family` (hill, log, power, expsat, logistic, points)
            cells may differ; the other families take `scale_cny` (or `half_spend_cny`) and `slope` as their
            shape.

    Raises:
        DataError: a column or number is missing, or a curve decreases; names the cell.
    """
    if "segment" not in curves.columns:
        raise DataError(
            f"curves: no column segment among {', '.join(curves.columns)}; one row per curve or point"
        )
    if not len(curves):
        raise DataError("curves: the table is empty; expected one row per curve or point")
    fill = [
        (pl.col(k).fill_null(v) if k in curves.columns else pl.lit(v)).alias(k) for k, v in _DEFAULTS.items()
    ]
    frame = curves.with_columns(fill).with_columns(pl.col("slot").cast(pl.Int64))
    cells = frame.select([*_KEYS, "fan_kind"]).unique(subset=list(_KEYS), keep="first", maintain_order=True)
    rows = frame.join(
        cells.select(_KEYS).with_row_index("cell"), on=list(_KEYS), how="left", nulls_equal=True
    )
    groups = {int(k[0]): g for k, g in rows.group_by("cell", maintain_order=True)}
    parts = [_curve(groups[i], _label(cells, i)) for i in range(len(cells))]
    family = np.array([FAMILIES.index(p["family"]) for p in parts], dtype=np.int8)
    numbers = {k: np.array([p[k] for p in parts], dtype=float) for k in ("top", "scale", "shape")}
    knots = tuple(p["knots"] for p in parts) if (family == POINTS).any() else ()
    supply = CurveSet(family, numbers["top"], numbers["scale"], numbers["shape"], np.zeros(len(parts)), knots)
    one = np.ones(len(parts))
    return Market(
        cells=cells,
        block=np.arange(len(parts)),
        supply=supply,
        users=one * np.inf,
        hazard=one,
        entry=0.0 * one,
        gmv_per_fan_cny=one,
        observed_max_cny=np.array([p["seen"] for p in parts]),
    )


def _label(cells: pl.DataFrame, i: int) -> str:
    row = cells.row(i, named=True)
    return f"segment {row['segment']!r}, placement {row['placement']!r}"


def _curve(group: pl.DataFrame, who: str) -> dict[str, Any]:
    named = "family" in group.columns and group["family"][0] is not None
    family = (
        str(group["family"][0])
        if named
        else "points"
        if set(_POINT_COLUMNS) <= set(group.columns)
        else "hill"
    )
    if family not in FAMILIES:
        raise DataError(f"curves: {who}: family {family!r} is unknown, expected one of {', '.join(FAMILIES)}")
    if family == "points":
        return _tabulated(group, who)
    if len(group) > 1:
        raise DataError(f"curves: {who} has {len(group)} rows, expected one row of {family} parameters")
    row = group.row(0, named=True)
    scale = row.get("scale_cny") if row.get("scale_cny") is not None else row.get("half_spend_cny")
    needs_shape = family in ("hill", "power", "logistic", "lomax")
    given: dict[str, Any] = {
        "top": row.get("top"),
        "half_spend_cny": scale,
        "slope": row.get("slope") if needs_shape else 1.0,
    }
    for key, x in given.items():
        if x is None or not np.isfinite(float(x)) or float(x) < 0 or (key != "top" and float(x) == 0):
            raise DataError(
                f"curves: {who}: {key} is {x!r}, expected a number {'>= 0' if key == 'top' else '> 0'}"
            )
    if family == "power" and float(given["slope"]) > 1:
        raise DataError(f"curves: {who}: slope of a power curve is {given['slope']}, expected 0 < slope <= 1")
    top, scale_cny, shape = (float(given[k]) for k in ("top", "half_spend_cny", "slope"))
    return {"family": family, "top": top, "scale": scale_cny, "shape": shape, "knots": None, "seen": np.inf}


def _tabulated(group: pl.DataFrame, who: str) -> dict[str, Any]:
    points = group.select(pl.col(c).cast(pl.Float64) for c in _POINT_COLUMNS).sort("spend_cny").to_numpy()
    if len(points) < 2:
        raise DataError(f"curves: {who} has one point, expected at least two (spend_cny, value)")
    if not np.isfinite(points).all() or (points < 0).any():
        raise DataError(f"curves: {who}: spend_cny and value must be finite numbers >= 0")
    if (np.diff(points[:, 0]) <= 0).any():
        raise DataError(f"curves: {who}: two points have the same spend_cny")
    drop = np.flatnonzero(np.diff(points[:, 1]) < 0)
    if len(drop):
        raise DataError(
            f"curves: {who}: value decreases at spend_cny {points[drop[0] + 1, 0]:g}; expected it to grow"
        )
    return {
        "family": "points", "top": 1.0, "scale": 1.0, "shape": 1.0, "knots": points, "seen": float(points[-1,
        0]),
    }  # fmt: skip
