"""The charts of a plan as data: Vega-Lite specifications.

The report draws them as SVG, the page in the browser, a notebook through altair (`plots`).

Nothing here decides or recomputes; every chart takes a finished frame. Specifications are written down, not
built by altair: a move on the page needs eight charts, and altair took 0.4 s to build and check them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from targeting.report.drawing import INK, MUTED, PALETTE, Drawing, Spec, amounts, colours, field, names
from targeting.words import Words

_ROUND = {"filled": True, "opacity": 1, "stroke": "white", "strokeWidth": 1.5}


def shades_of(placements: Iterable[str]) -> dict[str, str]:
    """A colour for each placement, in the brief's order: it keeps its colour from chart to chart."""
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(dict.fromkeys(placements))}


def money_map(
    allocation: pl.DataFrame,
    words: Words,
    *,
    placements: list[str],
    measure: str = "new_fan_gmv_cny",
    top: int = 14,
) -> Spec:
    """Spend by segment (bars stacked by placement) beside what it is expected to earn.

    Args:
        allocation: the plan's allocation frame.
        words: the reader's.
        placements: legend order.
        measure: column of what is earned: new_fan_gmv_cny or new_fans.
        top: segments shown; the rest are summed into one bar so that nothing vanishes.
    """
    drawing = Drawing(words.money_head)
    cells = _folded(allocation, words, top=top, measure=measure, placements=placements)
    order = _by_spend(cells)
    colour = colours(
        "placement", [words.placement(p) for p in placements], list(shades_of(placements).values())
    )
    earned = words.measure_fans if measure == "new_fans" else words.measure_gmv
    panels = [
        {
            "mark": {"type": "bar", "size": 14},
            "width": 312,
            "height": {"step": 24},
            "encoding": {
                "x": {
                    **field(column, "quantitative"),
                    "aggregate": "sum",
                    "title": title,
                    "axis": amounts(words, 5),
                },
                "y": {**field("segment"), "sort": order, "title": None, "axis": axis},
                "color": colour,
                "order": field("rank", "quantitative"),
            },
        }
        for column, title, axis in (
            ("spend_cny", words.columns["spend_cny"], names(order)),
            (measure, earned, None),
        )
    ]
    return drawing.finished({"data": drawing.data(cells), "hconcat": panels, "spacing": 30})


def _by_spend(cells: pl.DataFrame) -> list[str]:
    """Segments, most money first."""
    spent = cells.group_by("segment").agg(pl.col("spend_cny").sum())
    return spent.sort("spend_cny", "segment", descending=[True, False])["segment"].to_list()


def _folded(
    allocation: pl.DataFrame, words: Words, *, top: int, measure: str, placements: list[str]
) -> pl.DataFrame:
    """Spend and what is earned per segment and placement, small segments summed into one."""
    order = _by_spend(allocation)
    kept = order if len(order) <= top else order[: top - 1]
    said = {name: words.segment(name) for name in kept}
    said |= dict.fromkeys(order[len(kept) :], words.other.format(count=len(order) - len(kept)))
    rank = {name: i for i, name in enumerate(placements)}
    terms = {name: words.placement(name) for name in allocation["placement"].unique().to_list()}
    return (
        allocation.with_columns(
            segment=pl.col("segment").replace_strict(said, return_dtype=pl.String),
            rank=pl.col("placement").replace_strict(rank, default=len(placements)),
            placement=pl.col("placement").replace(terms),
        )
        .group_by("segment", "placement", "rank", maintain_order=True)
        .agg(pl.col("spend_cny", measure).sum())
    )


def response_curve(curve: pl.DataFrame, unit: Mapping[str, Any], words: Words, *, shade: str) -> Spec:
    """Spend against what it earns in one unit: band, line (dashed where prolonged) and the chosen point.

    Args:
        curve: spend_cny, value, value_low, value_high, observed.
        unit: segment, placement, spend_cny, value, observed_max_cny (a thin line).
        words: the reader's.
        shade: the placement's colour.
    """
    drawing = Drawing(f"{words.segment(unit['segment'])} · {words.placement(unit['placement'])}")
    return drawing.finished(response_panel(drawing, curve, unit, words, shade=shade))


def response_panel(
    drawing: Drawing, curve: pl.DataFrame, unit: Mapping[str, Any], words: Words, *, shade: str
) -> Spec:
    """The same as a part of a drawing."""
    points = curve.sort("spend_cny").select("spend_cny", "value", "value_low", "value_high", "observed")
    x = {**field("spend_cny", "quantitative"), "title": None, "axis": amounts(words, 4)}
    y = {**field("value", "quantitative"), "title": None, "axis": amounts(words, 4)}
    line = {"type": "line", "color": shade}
    layers: list[Spec] = [
        {"mark": {**line, "strokeWidth": 1.4, "strokeDash": [4, 3], "opacity": 0.8}, "encoding": {"y": y}},
        {
            "mark": {**line, "strokeWidth": 2.4},
            "encoding": {"y": y},
            "transform": [{"filter": "datum.observed"}],
        },
    ]
    if points["value_low"].null_count() < len(points):
        band = {"y": {**y, "field": "value_low"}, "y2": {"field": "value_high"}}
        layers.insert(0, {"mark": {"type": "area", "opacity": 0.16, "color": shade}, "encoding": band})
    chosen = pl.DataFrame([{key: unit[key] for key in ("spend_cny", "value", "observed_max_cny")}])
    seen = chosen.filter(pl.col("observed_max_cny") < points["spend_cny"].max())
    rule = {"type": "rule", "color": MUTED, "strokeWidth": 0.8}
    return {
        "width": 214,
        "height": 128,
        "layer": [
            {"data": drawing.data(points), "encoding": {"x": x}, "layer": layers},
            {
                "data": drawing.data(seen),
                "mark": rule,
                "encoding": {"x": field("observed_max_cny", "quantitative")},
            },
            {
                "data": drawing.data(chosen),
                "mark": {"type": "point", "size": 80, "color": shade, **_ROUND},
                "encoding": {"x": x, "y": y},
            },
        ],
    }


def budget_curve(points: pl.DataFrame, marks: pl.DataFrame, words: Words, *, axis: str, width: int) -> Spec:
    """What each budget leaves or brings, with this plan and the best budget marked.

    Args:
        points: budget_cny, value.
        marks: budget_cny, value, label, is_plan.
        words: the reader's.
        axis: title of what is left or brought.
        width: in pixels; below 500 for a phone.
    """
    drawing = Drawing(words.budget_head)
    x = {
        **field("budget_cny", "quantitative"),
        "title": words.budget_axis,
        "axis": amounts(words, 3 if width < 500 else 6),
    }
    # Room for the labels above and beneath.
    y = {
        **field("value", "quantitative"),
        "title": axis,
        "axis": amounts(words, 5),
        "scale": {"padding": 18},
    }
    shade = {"condition": {"test": "datum.is_plan", "value": PALETTE[1]}, "value": PALETTE[0]}
    line = {"type": "line", "strokeWidth": 2.4, "color": PALETTE[0]}
    layers: list[Spec] = [
        {"data": drawing.data(points), "mark": line, "encoding": {"x": x, "y": y}},
        {
            "data": drawing.data(marks),
            "mark": {"type": "point", "size": 110, **_ROUND},
            "encoding": {"x": x, "y": y, "color": shade},
        },
    ]
    for mark in marks.to_dicts():
        # The best budget's above its peak, this plan's beneath the line, towards where the line is higher.
        falls = mark["is_plan"] and mark["budget_cny"] > marks["budget_cny"].min()
        side = {"align": "right", "dx": 4} if falls else {"align": "left", "dx": -4}
        text = {"type": "text", **side, "dy": 20 if mark["is_plan"] else -14, "color": INK}
        label = {"x": x, "y": y, "text": field("label")}
        one = drawing.data(pl.DataFrame([mark]))
        layers.append({"data": one, "mark": {**text, "fontSize": 12, "fontWeight": 600}, "encoding": label})
    if float(points["value"].min() or 0.0) < 0:  # type: ignore[arg-type]
        zero = {"type": "rule", "color": MUTED, "strokeWidth": 0.8}
        layers.insert(0, {"data": {"values": [{}]}, "mark": zero, "encoding": {"y": {"datum": 0}}})
    return drawing.finished({"width": width, "height": 210, "layer": layers})


def old_and_new(units: pl.DataFrame, words: Words, *, top: int = 14) -> Spec:
    """Former and present money by segment, side by side; the rest of the segments in one bar.

    Args:
        units: segment, spend_cny, old_spend_cny.
        words: the reader's.
        top: segments shown.
    """
    drawing = Drawing(words.money_head)
    both = units.group_by("segment", maintain_order=True).agg(pl.col("spend_cny", "old_spend_cny").sum())
    ranked = both.sort(pl.max_horizontal("spend_cny", "old_spend_cny"), descending=True, maintain_order=True)
    rest = ranked.slice(top).select(
        segment=pl.lit(words.other.format(count=max(ranked.height - top, 0))),
        spend_cny=pl.col("spend_cny").sum(),
        old_spend_cny=pl.col("old_spend_cny").sum(),
    )
    said = ranked.head(top).with_columns(
        pl.col("segment").map_elements(words.segment, return_dtype=pl.String)
    )
    shown = pl.concat([said, rest.head(1)]) if ranked.height > top else said
    # Where nothing moved there is one bar: two that are alike ask what the difference is.
    moved = (shown["spend_cny"] - shown["old_spend_cny"]).abs().max() or 0.0
    times = [words.old, words.new] if float(moved) > 0.5 else [words.new]  # type: ignore[arg-type]
    order = shown["segment"].to_list()
    long = shown.rename({"old_spend_cny": words.old, "spend_cny": words.new}).unpivot(
        times, index="segment", variable_name="time", value_name="spend_cny"
    )
    return drawing.finished(
        {
            "data": drawing.data(long),
            "autosize": {"type": "fit-x", "contains": "padding"},
            "mark": "bar",
            "height": {"step": 14},
            "encoding": {
                "x": {
                    **field("spend_cny", "quantitative"),
                    "title": words.columns["spend_cny"],
                    "axis": amounts(words, 5),
                },
                "y": {**field("segment"), "sort": order, "title": None, "axis": names(order)},
                "yOffset": {**field("time"), "sort": times},
                "color": colours("time", times, ["#b4bec4", PALETTE[0]][-len(times) :]),
            },
        }
    )
