"""How charts look, and from altair to SVG text: offline, no fonts fetched, no script.

altair is imported inside the functions: a plan that is never printed as HTML must not pay for it.
"""

from __future__ import annotations

import re
from typing import Any

import polars as pl
from markupsafe import Markup

from models.escaping.media import for_chart
from targeting.words import Words

INK, MUTED, RULE = "#1f2a33", "#5f6b74", "#dfe4e7"
PALETTE = ("#0f6b6b", "#b06f14", "#5b6fa8", "#a3475c", "#5d7a33", "#7a5c8e")
# Chinese names: macOS, Windows, Linux, in the order of the page around the charts.
FONT = (
    "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', 'PingFang SC', 'Microsoft YaHei', "
    "'Noto Sans CJK SC', 'Source Han Sans SC', sans-serif"
)
LABEL_LIMIT = 210  # pixels of a name on an axis before it is cut with an ellipsis
# As altair's own `configure_*` would say it; each of those copies the whole chart once more.
LOOK = {
    "font": FONT,
    "background": "transparent",
    "view": {"stroke": None},
    "axis": {
        "labelColor": MUTED, "labelFontSize": 12, "titleColor": MUTED, "titleFontWeight": "normal",
        "titleFontSize": 12, "gridColor": RULE, "domainColor": RULE, "tickColor": RULE, "gridOpacity": 0.7,
    },
    "axisY": {"labelColor": INK, "minExtent": 34},
    "legend": {"labelFontSize": 12, "labelColor": INK, "columnPadding": 36},
}  # fmt: skip


class Drawing:
    """One picture: the records that its charts refer to by name.

    altair copies and validates inline records again and again: half a million calls for nine small curves.
    """

    def __init__(self) -> None:
        self._records: dict[str, list[dict[str, object]]] = {}

    def chart(self, frame: pl.DataFrame) -> Any:
        """An altair chart on the frame."""
        import altair as alt

        name = f"data-{len(self._records)}"
        self._records[name] = frame.to_dicts()
        return alt.Chart(alt.NamedData(name=name))

    def finished(self, chart: Any) -> Any:
        """The chart with its records and the common look: it shows itself in a notebook."""
        chart.datasets = self._records
        chart.config = LOOK
        return chart


def svg_of(chart: Any) -> Markup:
    """A finished chart as an SVG that scales with the page (width by CSS, height by its view box)."""
    import altair as alt
    import vl_convert

    svg = vl_convert.vegalite_to_svg(
        for_chart(chart.to_dict(validate=False)), vl_version=alt.SCHEMA_VERSION[1:].rsplit(".", 1)[0]
    )
    width = re.search(r'width="([\d.]+)"', svg)
    size = f' style="max-width:{float(width.group(1)):.0f}px"' if width else ""
    return Markup(re.sub(r'(<svg[^>]*?) width="[\d.]+" height="[\d.]+"', rf"\1{size}", svg, count=1))


def amounts(words: Words, ticks: int) -> Any:
    """An axis of yuan or people, in short figures."""
    import altair as alt

    return alt.Axis(labelExpr=words.axis_figures, tickCount=ticks)


def names(labels: list[str]) -> Any:
    """An axis of names with room for the widest font a reader may have.

    The SVG is laid out here, with the fonts of this machine, and drawn there, with those of the browser: a
    name measured in Arial is a fifth wider in DejaVu, and a Chinese one measured without a Chinese font is
    anybody's guess. Without the room its first letters fall off the picture.
    """
    import altair as alt

    # Widest advance at 12 px: full-width characters 12, others 8.
    widths = [sum(12 if ord(letter) > 0x2E7F else 8 for letter in label) for label in labels]
    extent = min(max(widths, default=0), LABEL_LIMIT) + 6
    return alt.Axis(labelLimit=LABEL_LIMIT, minExtent=extent, ticks=False, domain=False)


def colours(column: str, domain: list[str], shades: list[str]) -> Any:
    """Colour by a column, with a legend on top."""
    import altair as alt

    legend = alt.Legend(title=None, orient="top", symbolType="square")
    return alt.Color(f"{column}:N", scale=alt.Scale(domain=domain, range=shades), legend=legend)
