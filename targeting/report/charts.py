"""Charts of the report as SVG text.

Nothing here decides or recomputes; every chart takes a finished frame. altair is imported inside the
functions (see `drawing`).
"""

from __future__ import annotations

from typing import Any

import polars as pl

from targeting.report.drawing import INK, MUTED, PALETTE, RULE, Drawing, amounts, colours, names

MEASURES = {"new_fan_gmv_cny": "Expected new-fan GMV, yuan", "new_fans": "Expected new fans"}
COMPARISON_WIDTH = 520


def money_map(
    allocation: pl.DataFrame, *, placements: list[str], top: int = 14, measure: str = "new_fan_gmv_cny"
) -> str:
    """Spend by segment (bars stacked by placement) beside what it is expected to earn.

    Args:
        allocation: the plan's allocation frame.
        placements: legend order.
        measure: column of what is earned, a key of `MEASURES`.
        top: segments shown; the rest are summed into one bar so that nothing vanishes.
    """
    import altair as alt

    drawing = Drawing()
    cells = _fold(allocation, top=top, measure=measure, placements=placements)
    order = _by_spend(cells)
    y = alt.Y("segment:N", sort=order, title=None, axis=names(order))
    colour = colours("placement", placements, symbol="square")
    panels = []
    for column, title, axis in (
        ("spend_cny", "Spend, yuan", y),
        (measure, MEASURES[measure], y.axis(None)),
    ):
        bars = (
            drawing.chart(cells)
            .mark_bar(size=14)
            .encode(
                x=alt.X(f"sum({column}):Q", title=title, axis=amounts(5)),
                y=axis,
                color=colour,
                order=alt.Order("rank:Q"),
            )
        )
        panels.append(bars.properties(width=312, height={"step": 24}))
    return drawing.svg(alt.hconcat(*panels, spacing=30))


def _by_spend(cells: pl.DataFrame) -> list[str]:
    """Segments, most money first."""
    spent = cells.group_by("segment").agg(pl.col("spend_cny").sum())
    return spent.sort("spend_cny", "segment", descending=[True, False])["segment"].to_list()


def _fold(allocation: pl.DataFrame, *, top: int, measure: str, placements: list[str]) -> pl.DataFrame:
    """Spend and GMV per segment and placement, small segments summed into one."""
    order = _by_spend(allocation)
    kept = order if len(order) <= top else order[: top - 1]
    rest = f"all other ({len(order) - len(kept)})"
    name = pl.when(pl.col("segment").is_in(kept)).then(pl.col("segment")).otherwise(pl.lit(rest))
    rank = {name: i for i, name in enumerate(placements)}
    return (
        allocation.with_columns(segment=name)
        .group_by("segment", "placement", maintain_order=True)
        .agg(pl.col("spend_cny", measure).sum())
        .with_columns(rank=pl.col("placement").replace_strict(rank, default=len(placements)))
    )


def response_curves(curves: pl.DataFrame, chosen: pl.DataFrame, *, placements: list[str]) -> str:
    """Small multiples of spend against what it earns: band, line (dashed where extrapolated) and the chosen
    point.

    Args:
        curves: title, placement, spend_cny, value, value_low, value_high, observed.
        chosen: title, placement, spend_cny, value, observed_max_cny (a thin line), one row per
            panel.
    """
    import altair as alt

    drawing = Drawing()
    colour = colours("placement", placements, symbol=None)
    panels = []
    for title in chosen["title"].to_list():
        points = curves.filter(pl.col("title") == title).sort("spend_cny")
        layers = [
            *_curve(drawing, points, colour=colour),
            *_chosen(drawing, chosen.filter(pl.col("title") == title), points=points, colour=colour),
        ]
        heading = alt.TitleParams(
            title.split(" | ")[0], subtitle=title.split(" | ")[-1], anchor="start", frame="group", offset=8
        )
        panels.append(alt.layer(*layers).properties(width=214, height=128, title=heading))
    return drawing.grid(panels, columns=3, spacing={"column": 50, "row": 80})


def _curve(drawing: Drawing, points: pl.DataFrame, *, colour: Any) -> list[Any]:
    """Layers of one panel: band, dashed line, and a full line where it was observed."""
    import altair as alt

    base = drawing.chart(points).encode(x=alt.X("spend_cny:Q", title=None, axis=amounts(4)), color=colour)
    dashed = base.mark_line(strokeWidth=1.4, strokeDash=[4, 3], opacity=0.8)
    layers = [dashed.encode(y=alt.Y("value:Q", title=None))]
    if points["value_low"].null_count() < len(points):
        band = base.mark_area(opacity=0.14, line=False)
        layers.insert(0, band.encode(y=alt.Y("value_low:Q", title=None, axis=amounts(4)), y2="value_high:Q"))
    line = base.mark_line(strokeWidth=2.4).encode(y=alt.Y("value:Q", title=None, axis=amounts(4)))
    return [*layers, line.transform_filter("datum.observed")]


def _chosen(drawing: Drawing, dot: pl.DataFrame, *, points: pl.DataFrame, colour: object) -> list[object]:
    """Layers of one panel: where the logs end, where that is in the picture, and the plan's point."""
    seen = dot.filter(pl.col("observed_max_cny") < points["spend_cny"].max())
    rule = drawing.chart(seen).mark_rule(color=MUTED, strokeWidth=0.8).encode(x="observed_max_cny:Q")
    point = drawing.chart(dot).mark_point(filled=True, size=72, opacity=1, stroke="white", strokeWidth=1.5)
    return [rule, point.encode(x="spend_cny:Q", y="value:Q", color=colour)]


def fans_against_buyers(profile: pl.DataFrame) -> str:
    """Dumbbells: the share of the present fans and of the money that each group of people has.

    Args:
        profile: label, fans, gmv (shares 0..1), in the order to be drawn.
    """
    import altair as alt

    drawing = Drawing()
    order = profile["label"].to_list()
    long = profile.unpivot(["fans", "gmv"], index="label", variable_name="group", value_name="share")
    words = {"fans": "of the present fans 粉丝", "gmv": "of the money spent 成交"}
    y = alt.Y("label:N", sort=order, title=None, axis=names(order))
    scale = alt.Scale(domain=[0, max(0.1, float(long["share"].max() or 0.0))], nice=True)  # type: ignore[arg-type]
    x = alt.X("share:Q", title="share", scale=scale, axis=alt.Axis(format=".0%", tickCount=6))
    bars = (
        drawing.chart(profile)
        .mark_rule(color=RULE, strokeWidth=3)
        .encode(x=alt.X("fans:Q", scale=scale), x2="gmv:Q", y=y)
    )
    shades = ["#aab5bb", PALETTE[0]]
    dots = (
        drawing.chart(long.with_columns(pl.col("group").replace(words)))
        .mark_point(filled=True, size=90, opacity=1)
        .encode(x=x, y=y, color=colours("group", list(words.values()), shades=shades, symbol="circle"))
    )
    return drawing.svg((bars + dots).properties(width=560, height={"step": 24}))


def comparison(baselines: pl.DataFrame, *, axis: str) -> str:
    """Value of the plan and of each baseline on the same curves: label, value, is_plan."""
    import altair as alt

    drawing = Drawing()
    order = baselines["label"].to_list()
    # The figure stands right of its bar: the axis goes on for as long as the widest of them.
    ends = [row["value"] / (1 - 7 * len(row["text"]) / COMPARISON_WIDTH) for row in baselines.to_dicts()]
    scale = alt.Scale(zero=True, domainMax=max(ends)) if max(ends) > 0 else alt.Scale(zero=True)
    base = drawing.chart(baselines).encode(
        y=alt.Y("label:N", sort=order, title=None, axis=names(order)),
        x=alt.X("value:Q", title=axis, axis=amounts(5), scale=scale),
    )
    bars = base.mark_bar(size=15).encode(
        color=alt.condition("datum.is_plan", alt.value(PALETTE[0]), alt.value("#b9c3c9"))
    )
    labels = base.mark_text(align="left", dx=5, color=INK, fontSize=11).encode(text="text:N")
    return drawing.svg((bars + labels).properties(width=COMPARISON_WIDTH, height={"step": 27}))


def frontier(points: pl.DataFrame, *, budget_cny: float, axis: str) -> str:
    """Best value for each budget (budget_cny, value), with the plan's own budget marked."""
    import altair as alt

    drawing = Drawing()
    base = drawing.chart(points).encode(
        x=alt.X("budget_cny:Q", title="Budget, yuan", axis=amounts(6)),
        y=alt.Y("value:Q", title=axis, axis=amounts(5)),
    )
    line = base.mark_line(strokeWidth=2.2, color=PALETTE[0])
    here = base.transform_filter(f"abs(datum.budget_cny - {budget_cny}) < 0.5").mark_point(
        filled=True, size=80, color=PALETTE[0], opacity=1, stroke="white", strokeWidth=1.5
    )
    return drawing.svg((line + here).properties(width=700, height=210))
