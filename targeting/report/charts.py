"""The charts of a plan, as altair charts: the report inlines them as SVG, a notebook shows them as they are.

Nothing here decides or recomputes; every chart takes a finished frame. altair is imported inside the
functions (see `drawing`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from targeting.report.drawing import INK, MUTED, PALETTE, Drawing, amounts, colours, names
from targeting.words import Words


def shades_of(placements: list[str]) -> dict[str, str]:
    """A colour for each placement, in the brief's order: it keeps its colour from chart to chart."""
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(placements)}


def money_map(
    allocation: pl.DataFrame,
    words: Words,
    *,
    placements: list[str],
    measure: str = "new_fan_gmv_cny",
    top: int = 14,
) -> Any:
    """Spend by segment (bars stacked by placement) beside what it is expected to earn.

    Args:
        allocation: the plan's allocation frame.
        words: the reader's.
        placements: legend order.
        measure: column of what is earned: new_fan_gmv_cny or new_fans.
        top: segments shown; the rest are summed into one bar so that nothing vanishes.
    """
    import altair as alt

    drawing = Drawing()
    cells = _folded(allocation, words, top=top, measure=measure, placements=placements)
    order = _by_spend(cells)
    y = alt.Y("segment:N", sort=order, title=None, axis=names(order))
    shades = shades_of(placements)
    colour = colours("placement", [words.placement(p) for p in placements], list(shades.values()))
    earned = words.measure_fans if measure == "new_fans" else words.measure_gmv
    panels = []
    for column, title, axis in (
        ("spend_cny", words.columns["spend_cny"], y),
        (measure, earned, y.axis(None)),
    ):
        x = alt.X(f"sum({column}):Q", title=title, axis=amounts(words, 5))
        bars = drawing.chart(cells).mark_bar(size=14)
        bars = bars.encode(x=x, y=axis, color=colour, order=alt.Order("rank:Q"))
        panels.append(bars.properties(width=312, height={"step": 24}))
    return drawing.finished(alt.hconcat(*panels, spacing=30))


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


def response_curve(curve: pl.DataFrame, unit: Mapping[str, Any], words: Words, *, shade: str) -> Any:
    """One unit's `response_panel` as a chart of its own."""
    drawing = Drawing()
    return drawing.finished(response_panel(drawing, curve, unit, words, shade=shade))


def response_panel(
    drawing: Drawing, curve: pl.DataFrame, unit: Mapping[str, Any], words: Words, *, shade: str
) -> Any:
    """Spend against what it earns in one unit: band, line (dashed where prolonged) and the chosen point.

    Args:
        drawing: that it is part of.
        curve: spend_cny, value, value_low, value_high, observed.
        unit: spend_cny, value, observed_max_cny (a thin line).
        words: the reader's.
        shade: the placement's colour.
    """
    import altair as alt

    points = curve.sort("spend_cny").select("spend_cny", "value", "value_low", "value_high", "observed")
    y = alt.Y("value:Q", title=None, axis=amounts(words, 4))
    base = drawing.chart(points).encode(x=alt.X("spend_cny:Q", title=None, axis=amounts(words, 4)))
    layers = [base.mark_line(strokeWidth=1.4, strokeDash=[4, 3], opacity=0.8, color=shade).encode(y=y)]
    if points["value_low"].null_count() < len(points):
        band = base.mark_area(opacity=0.16, line=False, color=shade)
        low = alt.Y("value_low:Q", title=None, axis=amounts(words, 4))
        layers.insert(0, band.encode(y=low, y2="value_high:Q"))
    line = base.mark_line(strokeWidth=2.4, color=shade).encode(y=y)
    layers.append(line.transform_filter("datum.observed"))
    dot = pl.DataFrame([{key: unit[key] for key in ("spend_cny", "value", "observed_max_cny")}])
    seen = dot.filter(pl.col("observed_max_cny") < points["spend_cny"].max())
    layers.append(drawing.chart(seen).mark_rule(color=MUTED, strokeWidth=0.8).encode(x="observed_max_cny:Q"))
    point = drawing.chart(dot).mark_point(
        filled=True, size=80, opacity=1, stroke="white", strokeWidth=1.5, color=shade
    )
    layers.append(point.encode(x="spend_cny:Q", y="value:Q"))
    return alt.layer(*layers).properties(width=214, height=128)


def budget_curve(points: pl.DataFrame, marks: pl.DataFrame, words: Words, *, axis: str, width: int) -> Any:
    """What each budget leaves or brings, with this plan and the best budget marked.

    Args:
        points: budget_cny, value.
        marks: budget_cny, value, label, is_plan.
        words: the reader's.
        axis: title of what is left or brought.
        width: in pixels; below 500 for a phone.
    """
    import altair as alt

    drawing, narrow = Drawing(), width < 500
    x = alt.X("budget_cny:Q", title=words.budget_axis, axis=amounts(words, 3 if narrow else 6))
    y = alt.Y("value:Q", title=axis, axis=amounts(words, 5))
    base = drawing.chart(points).encode(x=x, y=y)
    line = base.mark_line(strokeWidth=2.4, color=PALETTE[0])
    zero = (
        drawing.chart(pl.DataFrame({"value": [0.0]}))
        .mark_rule(color=MUTED, strokeWidth=0.8)
        .encode(y="value:Q")
    )
    at = drawing.chart(marks).encode(x=x, y=y)
    colour = alt.condition("datum.is_plan", alt.value(PALETTE[1]), alt.value(PALETTE[0]))
    dots = at.mark_point(filled=True, size=110, opacity=1, stroke="white", strokeWidth=1.5).encode(
        color=colour
    )
    texts = []
    for mark in marks.to_dicts():
        # A curve of profit falls where the plan is and is flat at its top; one of value rises everywhere.
        dy = -14 if len(marks) > 1 else 20
        one = drawing.chart(pl.DataFrame([mark])).encode(x=x, y=y, text="label:N")
        texts.append(one.mark_text(align="left", dx=-4, dy=dy, fontSize=12, fontWeight=600, color=INK))
    layers = [zero, line, dots, *texts] if float(points["value"].min() or 0.0) < 0 else [line, dots, *texts]  # type: ignore[arg-type]
    return drawing.finished(alt.layer(*layers).properties(width=width, height=210))


def old_and_new(units: pl.DataFrame, words: Words, *, top: int = 14) -> Any:
    """Former and present money by segment, side by side; the rest of the segments in one bar.

    Args:
        units: segment, spend_cny, old_spend_cny.
        words: the reader's.
        top: segments shown.
    """
    import altair as alt

    drawing = Drawing()
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
    order, times = shown["segment"].to_list(), [words.old, words.new]
    long = shown.rename({"old_spend_cny": words.old, "spend_cny": words.new}).unpivot(
        times, index="segment", variable_name="time", value_name="spend_cny"
    )
    bars = (
        drawing.chart(long)
        .mark_bar()
        .encode(
            x=alt.X("spend_cny:Q", title=words.columns["spend_cny"], axis=amounts(words, 5)),
            y=alt.Y("segment:N", sort=order, title=None, axis=names(order)),
            yOffset=alt.YOffset("time:N", sort=times),
            color=colours("time", times, ["#b4bec4", PALETTE[0]]),
        )
    )
    return drawing.finished(bars.properties(height={"step": 14}))
