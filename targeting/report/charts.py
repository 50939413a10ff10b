"""Charts of the report as SVG text, drawn by altair through vl-convert: offline, no fonts fetched, no script.

altair is imported inside the functions: a plan that is never printed as HTML must not pay for it. Nothing
here decides or recomputes; every chart takes a finished frame.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import polars as pl

INK, MUTED, RULE = "#1f2a33", "#6b7780", "#dfe4e7"
MEASURES = {"new_fan_gmv_cny": "Expected new-fan GMV, yuan", "new_fans": "Expected new fans"}
PALETTE = ("#0f6b6b", "#c8862a", "#5b6fa8", "#a3475c", "#6d8f3c", "#7a5c8e")
# Chinese names: macOS, Windows, Linux, in the order of the page around the charts.
FONT = (
    "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', 'PingFang SC', 'Microsoft YaHei', "
    "'Noto Sans CJK SC', 'Source Han Sans SC', sans-serif"
)
COMPARISON_WIDTH = 520
LABEL_LIMIT = 210  # pixels of a name on an axis before it is cut with an ellipsis
# 0, 800, 2k, 1.5m: vega's own SI format writes "0k" and mixes prefixes.
_SHORT = (
    "abs(datum.value) >= 1e6 ? format(datum.value / 1e6, '~g') + 'm' : "
    "abs(datum.value) >= 1e3 ? format(datum.value / 1e3, '~g') + 'k' : format(datum.value, '~g')"
)


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

    data: dict[str, list[dict[str, Any]]] = {}
    cells = _fold(allocation, top=top, measure=measure, placements=placements)
    order = (
        cells.group_by("segment")
        .agg(pl.col("spend_cny").sum())
        .sort("spend_cny", "segment", descending=[True, False])
    )["segment"].to_list()
    y = alt.Y("segment:N", sort=order, title=None, axis=_names(order))
    colour = alt.Color(
        "placement:N",
        scale=alt.Scale(domain=placements, range=_range(placements)),
        legend=alt.Legend(title=None, orient="top", symbolType="square"),
    )
    height = {"step": 24}
    panels = []
    for column, title, axis in (
        ("spend_cny", "Spend, yuan", y),
        (measure, MEASURES[measure], y.axis(None)),
    ):
        bars = (
            alt.Chart(_named(data, cells))
            .mark_bar(size=14)
            .encode(
                x=alt.X(f"sum({column}):Q", title=title, axis=alt.Axis(labelExpr=_SHORT, tickCount=5)),
                y=axis,
                color=colour,
                order=alt.Order("rank:Q"),
            )
        )
        panels.append(bars.properties(width=312, height=height))
    return _svg(alt.hconcat(*panels, spacing=30), data)


def response_curves(curves: pl.DataFrame, chosen: pl.DataFrame, *, placements: list[str]) -> str:
    """Small multiples of spend against what it earns: band, line (dashed where extrapolated) and the chosen
    point.

    Args:
        curves: title, placement, spend_cny, value, value_low, value_high, observed.
        chosen: title, placement, spend_cny, value, observed_max_cny (a thin line), one row per
            panel.
    """
    import altair as alt

    data: dict[str, list[dict[str, Any]]] = {}
    colour = alt.Color(
        "placement:N", scale=alt.Scale(domain=placements, range=_range(placements)), legend=None
    )
    titles = chosen["title"].to_list()
    panels = []
    for title in titles:
        points = curves.filter(pl.col("title") == title).sort("spend_cny")
        base = alt.Chart(_named(data, points)).encode(
            x=alt.X("spend_cny:Q", title=None, axis=alt.Axis(labelExpr=_SHORT, tickCount=4)), color=colour
        )
        layers = [
            base.mark_line(strokeWidth=1.4, strokeDash=[4, 3], opacity=0.8).encode(
                y=alt.Y("value:Q", title=None)
            )
        ]
        if points["value_low"].null_count() < len(points):
            band = base.mark_area(opacity=0.14, line=False).encode(
                y=alt.Y("value_low:Q", title=None, axis=alt.Axis(labelExpr=_SHORT, tickCount=4)),
                y2="value_high:Q",
            )
            layers.insert(0, band)
        layers.append(
            base.mark_line(strokeWidth=2.4)
            .encode(y=alt.Y("value:Q", title=None, axis=alt.Axis(labelExpr=_SHORT, tickCount=4)))
            .transform_filter("datum.observed")
        )
        dot = chosen.filter(pl.col("title") == title)
        seen = dot.filter(pl.col("observed_max_cny") < points["spend_cny"].max())
        layers.append(
            alt.Chart(_named(data, seen))
            .mark_rule(color=MUTED, strokeWidth=0.8)
            .encode(x="observed_max_cny:Q")
        )
        layers.append(
            alt.Chart(_named(data, dot))
            .mark_point(filled=True, size=72, opacity=1, stroke="white", strokeWidth=1.5)
            .encode(x="spend_cny:Q", y="value:Q", color=colour)
        )
        heading = alt.TitleParams(
            title.split(" | ")[0], subtitle=title.split(" | ")[-1], anchor="start", frame="group", offset=8
        )
        panels.append(alt.layer(*layers).properties(width=214, height=128, title=heading))
    return _svg(alt.concat(*panels, columns=3, spacing={"column": 50, "row": 80}, bounds="flush"), data)


def fans_against_buyers(profile: pl.DataFrame) -> str:
    """Dumbbells: the share of the present fans and of the money that each group of people has.

    Args:
        profile: label, fans, gmv (shares 0..1), in the order to be drawn.
    """
    import altair as alt

    data: dict[str, list[dict[str, Any]]] = {}
    order = profile["label"].to_list()
    long = profile.unpivot(["fans", "gmv"], index="label", variable_name="group", value_name="share")
    names = {"fans": "of the present fans 粉丝", "gmv": "of the money spent 成交"}
    y = alt.Y("label:N", sort=order, title=None, axis=_names(order))
    scale = alt.Scale(domain=[0, max(0.1, float(long["share"].max() or 0.0))], nice=True)  # type: ignore[arg-type]
    x = alt.X("share:Q", title="share", scale=scale, axis=alt.Axis(format=".0%", tickCount=6))
    bars = (
        alt.Chart(_named(data, profile))
        .mark_rule(color=RULE, strokeWidth=3)
        .encode(x=alt.X("fans:Q", scale=scale), x2="gmv:Q", y=y)
    )
    dots = (
        alt.Chart(_named(data, long.with_columns(pl.col("group").replace(names))))
        .mark_point(filled=True, size=90, opacity=1)
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "group:N",
                scale=alt.Scale(domain=list(names.values()), range=["#aab5bb", PALETTE[0]]),
                legend=alt.Legend(title=None, orient="top", symbolType="circle"),
            ),
        )
    )
    return _svg((bars + dots).properties(width=560, height={"step": 24}), data)


def comparison(baselines: pl.DataFrame, *, axis: str) -> str:
    """Value of the plan and of each baseline on the same curves: label, value, is_plan."""
    import altair as alt

    data: dict[str, list[dict[str, Any]]] = {}
    order = baselines["label"].to_list()
    # The figure stands right of its bar: the axis goes on for as long as the widest of them.
    ends = [row["value"] / (1 - 7 * len(row["text"]) / COMPARISON_WIDTH) for row in baselines.to_dicts()]
    scale = alt.Scale(zero=True, domainMax=max(ends)) if max(ends) > 0 else alt.Scale(zero=True)
    base = alt.Chart(_named(data, baselines)).encode(
        y=alt.Y("label:N", sort=order, title=None, axis=_names(order)),
        x=alt.X("value:Q", title=axis, axis=alt.Axis(labelExpr=_SHORT, tickCount=5), scale=scale),
    )
    bars = base.mark_bar(size=15).encode(
        color=alt.condition("datum.is_plan", alt.value(PALETTE[0]), alt.value("#b9c3c9"))
    )
    labels = base.mark_text(align="left", dx=5, color=INK, fontSize=11).encode(text="text:N")
    return _svg((bars + labels).properties(width=COMPARISON_WIDTH, height={"step": 27}), data)


def frontier(points: pl.DataFrame, *, budget_cny: float, axis: str) -> str:
    """Best value for each budget (budget_cny, value), with the plan's own budget marked."""
    import altair as alt

    data: dict[str, list[dict[str, Any]]] = {}
    base = alt.Chart(_named(data, points)).encode(
        x=alt.X("budget_cny:Q", title="Budget, yuan", axis=alt.Axis(labelExpr=_SHORT, tickCount=6)),
        y=alt.Y("value:Q", title=axis, axis=alt.Axis(labelExpr=_SHORT, tickCount=5)),
    )
    line = base.mark_line(strokeWidth=2.2, color=PALETTE[0])
    here = base.transform_filter(f"abs(datum.budget_cny - {budget_cny}) < 0.5").mark_point(
        filled=True, size=80, color=PALETTE[0], opacity=1, stroke="white", strokeWidth=1.5
    )
    return _svg((line + here).properties(width=700, height=210), data)


def _names(labels: list[str]) -> Any:
    """An axis of names with room for the widest font a reader may have.

    The SVG is laid out here, with the fonts of this machine, and drawn there, with those of the browser: a
    name measured in Arial is a fifth wider in DejaVu, and a Chinese one measured without a Chinese font is
    anybody's guess. Without the room its first letters fall off the picture.
    """
    import altair as alt

    # Widest advance at 11 px: full-width characters 11, others 7.
    widths = [sum(11 if ord(letter) > 0x2E7F else 7 for letter in label) for label in labels]
    extent = min(max(widths, default=0), LABEL_LIMIT) + 6
    return alt.Axis(labelLimit=LABEL_LIMIT, minExtent=extent, ticks=False, domain=False)


def _range(placements: list[str]) -> list[str]:
    return [PALETTE[i % len(PALETTE)] for i in range(len(placements))]


def _fold(allocation: pl.DataFrame, *, top: int, measure: str, placements: list[str]) -> pl.DataFrame:
    """Spend and GMV per segment and placement, small segments summed into one."""
    by_segment = (
        allocation.group_by("segment")
        .agg(pl.col("spend_cny").sum())
        .sort("spend_cny", "segment", descending=[True, False])
    )
    kept = by_segment["segment"].to_list()
    if len(kept) > top:
        kept = kept[: top - 1]
    rest = f"all other ({by_segment.height - len(kept)})"
    name = pl.when(pl.col("segment").is_in(kept)).then(pl.col("segment")).otherwise(pl.lit(rest))
    return (
        allocation.with_columns(segment=name)
        .group_by("segment", "placement", maintain_order=True)
        .agg(pl.col("spend_cny", measure).sum())
        .with_columns(
            rank=pl.col("placement").replace_strict(
                {name: i for i, name in enumerate(placements)}, default=len(placements)
            )
        )
    )


def _named(data: dict[str, list[dict[str, Any]]], frame: pl.DataFrame) -> Any:
    """A reference to the frame's records, kept in `data` until the very end.

    altair copies and validates inline records again and again: half a million calls for nine small curves.
    """
    import altair as alt

    name = f"data-{len(data)}"
    data[name] = frame.to_dicts()
    return alt.NamedData(name=name)


def _svg(chart: Any, data: Mapping[str, list[dict[str, Any]]]) -> str:
    """The chart as an SVG that scales with the page (width by CSS, height by its view box)."""
    import altair as alt
    import vl_convert

    chart = (
        chart.configure(font=FONT, background="transparent")
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=MUTED, titleColor=MUTED, titleFontWeight="normal", titleFontSize=11, labelFontSize=11,
            gridColor=RULE, domainColor=RULE, tickColor=RULE, gridOpacity=0.7,
        )
        .configure_axisY(labelColor=INK, minExtent=34)
        .configure_title(fontSize=12, fontWeight=600, color=INK, subtitleColor=MUTED, subtitleFontSize=11)
        .configure_legend(labelFontSize=12, labelColor=INK, columnPadding=36)
    )  # fmt: skip
    svg = vl_convert.vegalite_to_svg(
        {**chart.to_dict(validate=False), "datasets": dict(data)},
        vl_version=alt.SCHEMA_VERSION[1:].rsplit(".", 1)[0],
    )
    width = re.search(r'width="([\d.]+)"', svg)
    size = f' style="max-width:{float(width.group(1)):.0f}px"' if width else ""
    return re.sub(r'(<svg[^>]*?) width="[\d.]+" height="[\d.]+"', rf"\1{size}", svg, count=1)
