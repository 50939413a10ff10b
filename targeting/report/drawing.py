"""How charts look, and from a specification to SVG text: offline, no fonts fetched, no script.

vl_convert is imported inside the function: a plan that is never printed as HTML must not pay for it.
"""

from __future__ import annotations

import re
from typing import Any

import polars as pl
from markupsafe import Markup

from models.escaping.media import for_chart
from targeting.words import Words

Spec = dict[str, Any]
"""A chart, or a part of one, as Vega-Lite says it."""
INK, MUTED, RULE = "#1f2a33", "#5f6b74", "#dfe4e7"
PALETTE = ("#0f6b6b", "#b06f14", "#5b6fa8", "#a3475c", "#5d7a33", "#7a5c8e")
# Chinese names: macOS, Windows, Linux, in the order of the page around the charts.
FONT = (
    "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', 'PingFang SC', 'Microsoft YaHei', "
    "'Noto Sans CJK SC', 'Source Han Sans SC', sans-serif"
)
LABEL_LIMIT = 210  # pixels of a name on an axis before it is cut with an ellipsis
_TAG, _ROLE = re.compile(r"<[^>]*>"), re.compile(r' (?:role|aria-[a-z]+)="[^"]*"')
VEGA_LITE = "6.4"  # that the specifications are written in
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
    """One picture: the records that its parts refer to by name.

    Args:
        says: what it shows, for a reader who cannot see it.
    """

    def __init__(self, says: str) -> None:
        self._says = says
        self._records: dict[str, list[dict[str, object]]] = {}

    def data(self, frame: pl.DataFrame) -> Spec:
        """A reference to the frame's records."""
        name = f"data-{len(self._records)}"
        self._records[name] = frame.to_dicts()
        return {"name": name}

    def finished(self, spec: Spec) -> Spec:
        """The whole picture: parts, records and the common look."""
        return {"description": self._says, "config": LOOK, "datasets": self._records, **spec}


def svg_of(chart: Any) -> Markup:
    """A finished picture (or an altair chart) as an SVG that scales with the page.

    Its width is for CSS to say, its height follows from its view box.
    """
    import vl_convert

    spec = for_chart(chart if isinstance(chart, dict) else chart.to_dict(validate=False))
    svg = vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE)
    # A reader who cannot see it is told what it shows, not every mark of it.
    svg = _TAG.sub(lambda tag: _ROLE.sub("", tag[0]), svg)
    width = re.search(r'width="([\d.]+)"', svg)
    size = f' style="max-width:{float(width.group(1)):.0f}px"' if width else ""
    said = Markup(' role="img" aria-label="{}"').format(spec.get("description", ""))
    return Markup(re.sub(r'(<svg[^>]*?) width="[\d.]+" height="[\d.]+"', rf"\1{size}{said}", svg, count=1))


def field(name: str, kind: str = "nominal") -> Spec:
    """A column as a channel."""
    return {"field": name, "type": kind}


def amounts(words: Words, ticks: int) -> Spec:
    """An axis of yuan or people, in short figures."""
    return {"labelExpr": words.axis_figures, "tickCount": ticks}


def names(labels: list[str]) -> Spec:
    """An axis of names with room for the widest font a reader may have.

    The SVG is laid out here, with the fonts of this machine, and drawn there, with those of the browser: a
    name measured in Arial is a fifth wider in DejaVu, and a Chinese one measured without a Chinese font is
    anybody's guess. Without the room its first letters fall off the picture.
    """
    # Widest advance at 12 px: full-width characters 12, others 8.
    widths = [sum(12 if ord(letter) > 0x2E7F else 8 for letter in label) for label in labels]
    extent = min(max(widths, default=0), LABEL_LIMIT) + 6
    return {"labelLimit": LABEL_LIMIT, "minExtent": extent, "ticks": False, "domain": False}


def colours(column: str, domain: list[str], shades: list[str]) -> Spec:
    """Colour by a column, with a legend on top."""
    legend = {"title": None, "orient": "top", "symbolType": "square"}
    return {**field(column), "scale": {"domain": domain, "range": shades}, "legend": legend}
