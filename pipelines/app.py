"""The what-if page: move the budget and the limits of a saved plan and see the certified answer beside it.

`serve` starts Streamlit on this file; Streamlit runs `show` in the browser session. `what_if` is the whole
decision and needs no page. It must not import cvxpy: it asks `targeting.plan.decision`.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl

from models.errors import DataError, TargetingError
from targeting.campaign import Campaign, parse_campaign
from targeting.plan.decided import UNITS
from targeting.plan.verbs import Plan

PLAN_VARIABLE = "TARGETING_APP_PLAN"


def serve(*, plan: Path | None, port: int, browser: bool, starting: Callable[[], None]) -> int:
    """Run the page until it is stopped; the exit status of Streamlit is returned, 0 after Ctrl-C or SIGTERM.

    Args:
        plan: plan directory to open, if any.
        port: on this machine.
        browser: open a window.
        starting: called when nothing stands in the way any more.

    Raises:
        DataError: Streamlit is not installed, `plan` is no directory, or the port is taken.
    """
    if find_spec("streamlit") is None:
        raise DataError(
            "the what-if page needs streamlit, which is not installed; install `fan-targeting[app]`"
        )
    if plan is not None and not plan.is_dir():
        raise DataError(f"{plan}: no such directory; expected one written by `targeting plan`")
    _refuse_taken(port)
    starting()
    environment = {**os.environ, **({PLAN_VARIABLE: str(plan.resolve())} if plan else {})}
    options = {
        "server.port": str(port),
        "server.address": "127.0.0.1",
        "server.headless": str(not browser).lower(),
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "logger.level": "error",
    }
    command = [sys.executable, "-m", "streamlit", "run", __file__]
    command += [part for name, value in options.items() for part in (f"--{name}", value)]
    # A service manager stops us with SIGTERM; the page must not outlive us and keep the port.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        # Not wait(): polars' signal handler restarts system calls, so Ctrl-C would not end a blocking one.
        while process.poll() is None:
            time.sleep(0.2)
        return process.returncode
    except KeyboardInterrupt:
        # A terminal interrupts both of us, `kill -INT` only this process.
        process.terminate()
        process.wait()
        return 0
    finally:
        signal.signal(signal.SIGTERM, before)


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        # As the server will: a port that only rests after its last use is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise DataError(
                f"--port {port}: cannot be used ({error.strerror}); give another one, e.g. --port {port + 1}"
            ) from error


def what_if(
    plan: Plan,
    *,
    budget_cny: float,
    least_share: Mapping[str, float],
    most_share: float = 1.0,
    kept: Sequence[str] | None = None,
) -> Plan:
    """The best plan on the saved plan's market under a changed brief.

    Args:
        plan: the saved plan.
        budget_cny: yuan, > 0.
        least_share: placement -> least share of the budget, 0..1; 0 sets no limit.
        most_share: no segment may have more than this share of the budget; 1 sets no limit.
        kept: names of the brief's own constraints that stay; None keeps all.

    Raises:
        CampaignError, InfeasibleError: the changed brief contradicts itself.
    """
    from targeting.plan.decision import decide

    brief = changed_brief(
        plan.campaign, budget_cny=budget_cny, least_share=least_share, most_share=most_share, kept=kept
    )
    last = plan.allocation if any(c.kind == "change_limit" for c in brief.constraints) else None
    return decide(
        campaign=brief,
        market=plan.market,
        provenance=plan.provenance,
        audience=plan.audience,
        last_plan=last,
        time_limit_s=5.0,
    )


def changed_brief(
    campaign: Campaign,
    *,
    budget_cny: float,
    least_share: Mapping[str, float],
    most_share: float,
    kept: Sequence[str] | None,
) -> Campaign:
    """The saved brief with another budget and other limits; see `what_if`."""
    mapping = campaign.model_dump(mode="json", exclude_none=True)
    own = mapping.get("constraints", [])
    rows = [row for row in own if kept is None or row["name"] in kept]
    for placement, share in least_share.items():
        if share > 0:
            row = {"kind": "bounds", "name": f"what if: {placement} at least {share:.0%}"}
            rows.append({**row, "placement": placement, "min_share": share})
    if most_share < 1:
        row = {"kind": "bounds", "name": f"what if: no segment above {most_share:.0%}"}
        rows.append({**row, "each": "segment", "max_share": most_share})
    return parse_campaign({**mapping, "budget_cny": budget_cny, "constraints": rows}, "what-if page")


def beside(saved: Plan, tried: Plan) -> pl.DataFrame:
    """Spend per cell of both plans: segment, placement, plan (`saved`, `what if`), spend_cny."""
    columns = ["segment", "placement", "spend_cny"]
    both = [
        p.allocation.select(columns).with_columns(plan=pl.lit(name))
        for name, p in (("saved", saved), ("what if", tried))
    ]
    return (
        pl.concat(both).group_by("segment", "placement", "plan", maintain_order=True).agg(pl.sum("spend_cny"))
    )


def show() -> None:
    """Draw the page."""
    import streamlit as st

    st.set_page_config(page_title="What if", layout="wide")
    st.title("What if the brief were different?")
    folder = st.sidebar.text_input("Plan directory", os.environ.get(PLAN_VARIABLE, ""))
    if not folder:
        st.info("Give a directory written by `targeting plan` or `targeting run`.")
        return
    try:
        saved = _open(folder)
    except TargetingError as error:
        st.error(str(error))
        return
    choice = _controls(saved)
    try:
        tried = what_if(saved, **choice)
    except TargetingError as error:
        st.error(str(error))
        return
    _figures(saved, tried)
    _allocation(saved, tried)
    _prices(tried)


def _open(folder: str) -> Plan:
    """The saved plan; read once per directory and state of its plan.json."""
    import streamlit as st

    from pipelines.plan_directory import read_plan

    path = Path(folder) / "plan.json"
    stamp = path.stat().st_mtime_ns if path.exists() else 0
    cached = st.session_state.get("plan")
    if cached is None or cached[0] != (folder, stamp):
        cached = ((folder, stamp), read_plan(Path(folder)))
        st.session_state["plan"] = cached
    plan: Plan = cached[1]
    return plan


def _controls(saved: Plan) -> dict[str, Any]:
    import streamlit as st

    side = st.sidebar
    budget = saved.budget_cny
    chosen: dict[str, Any] = {
        "budget_cny": side.slider(
            "Budget, yuan", min_value=0.1 * budget, max_value=3.0 * budget, value=budget, step=budget / 100
        )
    }
    least = {}
    for placement in saved.campaign.placements:
        if side.toggle(f"Least share of {placement}", key=f"limit-{placement}"):
            least[placement] = (
                side.slider(f"{placement} at least, %", 0, 100, 25, key=f"share-{placement}") / 100
            )
    chosen["least_share"] = least
    if side.toggle("Spread over segments", key="spread"):
        chosen["most_share"] = side.slider("No segment above, %", 1, 100, 30) / 100
    names = [str(constraint.name) for constraint in saved.campaign.constraints]
    if names:
        chosen["kept"] = side.multiselect("Limits of the brief", names, default=names)
    return chosen


def _figures(saved: Plan, tried: Plan) -> None:
    import streamlit as st

    unit = UNITS[saved.campaign.objective]
    value, spend, gap, status = st.columns(4)
    change = tried.value - saved.value
    value.metric(f"Value, {unit}", f"{tried.value:,.0f}", f"{change:+,.0f} against the saved plan")
    spend.metric("Spend, yuan", f"{tried.spend_cny:,.0f}", f"{tried.spend_cny - saved.spend_cny:+,.0f}")
    gap.metric("Gap to the best possible", f"{100 * tried.gap:.4f} %")
    status.metric("Status", tried.status.replace("_", " "))


def _allocation(saved: Plan, tried: Plan) -> None:
    import altair as alt
    import streamlit as st

    rows = beside(saved, tried).filter(pl.col("spend_cny").sum().over("segment") > 0)
    chart = (
        alt.Chart(alt.Data(values=rows.to_dicts()))
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
    import streamlit as st

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
        f"Price: {UNITS[tried.campaign.objective]} per unit of the limit (the budget `total`: per yuan)."
    )


if __name__ == "__main__":
    show()
