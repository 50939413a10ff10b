"""What the browser shows: controls for the budget and the limits, and the new answer beside the saved plan.

Streamlit runs this file as a script, once per change of a control. `what_if` decides; nothing is computed
here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl
import streamlit as st

from models.errors import TargetingError
from models.escaping.media import for_chart, for_markdown
from pipelines.app.server import PLAN_VARIABLE
from pipelines.app.what_if import beside, what_if
from pipelines.store.plans import read_plan
from targeting.decision.verbs import Plan
from targeting.plan.decided import UNITS


def show() -> None:
    """Draw the page."""
    st.set_page_config(page_title="What if", layout="wide")
    st.title("What if the brief were different?")
    folder = st.sidebar.text_input("Plan directory", os.environ.get(PLAN_VARIABLE, ""))
    if not folder:
        st.info("Give a directory written by `targeting plan` or `targeting run`.")
        return
    try:
        saved = _open(folder)
    except TargetingError as error:
        st.error(for_markdown(str(error)))
        return
    choice = _controls(saved)
    try:
        tried = what_if(saved, **choice)
    except TargetingError as error:
        st.error(for_markdown(str(error)))
        return
    _figures(saved, tried)
    _allocation(saved, tried)
    _prices(tried)


def _open(folder: str) -> Plan:
    """The saved plan; read once per directory and state of its plan.json."""
    path = Path(folder) / "plan.json"
    stamp = path.stat().st_mtime_ns if path.exists() else 0
    cached = st.session_state.get("plan")
    if cached is None or cached[0] != (folder, stamp):
        cached = ((folder, stamp), read_plan(Path(folder)))
        st.session_state["plan"] = cached
    plan: Plan = cached[1]
    return plan


def _controls(saved: Plan) -> dict[str, Any]:
    side = st.sidebar
    budget = saved.budget_cny
    chosen: dict[str, object] = {
        "budget_cny": side.slider(
            "Budget, yuan", min_value=0.1 * budget, max_value=3.0 * budget, value=budget, step=budget / 100
        )
    }
    least = {}
    for placement in saved.campaign.placements:
        shown = for_markdown(placement)
        if side.toggle(f"Least share of {shown}", key=f"limit-{placement}"):
            least[placement] = side.slider(f"{shown} at least, %", 0, 100, 25, key=f"share-{placement}") / 100
    chosen["least_share"] = least
    if side.toggle("Spread over segments", key="spread"):
        chosen["most_share"] = side.slider("No segment above, %", 1, 100, 30) / 100
    names = [str(constraint.name) for constraint in saved.campaign.constraints]
    if names:
        chosen["kept"] = side.multiselect("Limits of the brief", names, default=names)
    return chosen


def _figures(saved: Plan, tried: Plan) -> None:
    unit = UNITS[saved.campaign.objective]
    value, spend, gap, status = st.columns(4)
    change = tried.value - saved.value
    value.metric(f"Value, {unit}", f"{tried.value:,.0f}", f"{change:+,.0f} against the saved plan")
    spend.metric("Spend, yuan", f"{tried.spend_cny:,.0f}", f"{tried.spend_cny - saved.spend_cny:+,.0f}")
    gap.metric("Gap to the best possible", f"{100 * tried.gap:.4f} %")
    status.metric("Status", tried.status.replace("_", " "))


def _allocation(saved: Plan, tried: Plan) -> None:
    rows = beside(saved, tried).filter(pl.col("spend_cny").sum().over("segment") > 0)
    chart = (
        alt.Chart(alt.InlineData(values=for_chart(rows.to_dicts())))
        .mark_bar()
        .encode(
            x=alt.X("sum(spend_cny):Q", title="spend, yuan"),
            y=alt.Y("segment:N", title=None, sort="-x"),
            yOffset=alt.YOffset("plan:N", sort=["saved", "what if"]),
            color=alt.Color("placement:N", title="placement"),
            opacity=alt.Opacity("plan:N", scale=alt.Scale(domain=["saved", "what if"], range=[0.45, 1.0])),
            tooltip=["segment:N", "placement:N", "plan:N", alt.Tooltip("spend_cny:Q", format=",.2f")],
        )
    )
    st.subheader("Where the money goes")
    st.altair_chart(chart)
    funded = tried.allocation.filter(pl.col("spend_cny") > 0).sort("spend_cny", descending=True)
    columns = (
        "segment",
        "placement",
        "spend_cny",
        "new_fans",
        "new_fan_gmv_cny",
        "marginal_gmv_per_cny",
        "reason",
    )
    st.dataframe(funded.select(columns).to_pandas(), hide_index=True)


def _prices(tried: Plan) -> None:
    st.subheader("What each limit costs")
    if not tried.shadow_prices:
        st.write("No limit has a price here.")
        return
    rows = [
        {"limit": name, "price": price, "binding": "yes" if name in tried.binding else "no"}
        for name, price in tried.shadow_prices.items()
    ]
    st.dataframe(rows, hide_index=True)
    st.caption(
        f"Price: {UNITS[tried.campaign.objective]} per step of the limit: a yuan, a percentage point,"
        " 0.1 of a return, one viewer."
    )


if __name__ == "__main__":
    show()
