"""The left side of the page: what is opened, and every control of the brief. It decides nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from models.errors import TargetingError
from models.escaping.media import for_markdown
from pipelines.app.choices import Choice
from pipelines.app.opening import Opened, opened
from pipelines.app.server import PLAN_VARIABLE
from pipelines.store.plans import read_plan
from targeting.decision.verbs import Plan
from targeting.report.rule_words import name_of
from targeting.words import LANGUAGES, Words

_TYPES = ["csv", "tsv", "xlsx", "xls", "parquet", "yaml", "yml", "json", "html"]
_STAYS = ("language", "files", "scenarios", "answers", "periods", "linked")
"""Of a session, whatever is opened next."""
_NAMES = {"en": "English", "zh": "中文"}


def language() -> Words:
    """The reader's language."""
    chosen = st.sidebar.segmented_control(
        "Language 语言", list(LANGUAGES), default="en", format_func=lambda code: _NAMES[code], key="language"
    )
    return LANGUAGES[chosen or "en"]


def source(w: Words) -> Opened | None:
    """What was uploaded, else what the command named; read once, and kept while the page is open.

    Raises:
        TargetingError: it cannot be used.
    """
    given = st.sidebar.file_uploader(w.desk_open, type=_TYPES, accept_multiple_files=True, key="files")
    named = os.environ.get(PLAN_VARIABLE, "")
    held = st.session_state.get("opened")
    if given:
        key: object = tuple(sorted((file.name, file.file_id) for file in given))
        if held is None or held[0] != key:
            with st.spinner(w.desk_working):
                held = (key, _tried(lambda: opened({file.name: file.getvalue() for file in given})))
    elif named:
        key = (named, _stamp(Path(named)))
        if held is None or held[0] != key:
            held = (key, _tried(lambda: Opened(read_plan(Path(named)))))
    else:
        held = None
    if held is not st.session_state.get("opened"):
        _forget_controls()
    st.session_state["opened"] = held
    if held is not None and isinstance(held[1], TargetingError):
        raise held[1]
    return None if held is None else held[1]


def _forget_controls() -> None:
    """Every control of what was open before: another plan has other budgets, segments and rules."""
    for key in [str(key) for key in st.session_state if key not in _STAYS]:
        del st.session_state[key]


def _tried(read: Any) -> Any:
    """What was read, or why not: a file is not read again and again to fail again."""
    try:
        return read()
    except TargetingError as error:
        return error


def _stamp(folder: Path) -> int:
    path = folder / "plan.json"
    return path.stat().st_mtime_ns if path.exists() else 0


def period(w: Words, start: Opened) -> Opened:
    """The opened source over other days; only a report can tell of those."""
    if start.report is None:
        return start
    own = start.plan.campaign
    left, right = st.sidebar.columns(2)
    days = int(left.number_input(w.desk_days, 1, 60, own.days, key="days"))
    slots = int(right.number_input(w.desk_slots, 1, 24, own.slots.count, key="slots"))
    made = st.session_state.setdefault("periods", {})
    key = (id(start.plan), days, slots)
    if key not in made:
        with st.spinner(w.desk_working):
            made[key] = start.over(days, slots)
    return made[key]  # type: ignore[no-any-return]


def choice(w: Words, plan: Plan) -> Choice:
    """Every control of the brief, at the opened brief's own values to begin with."""
    side, brief = st.sidebar, plan.campaign
    objective = _in_words(
        side.selectbox, w, w.desk_goal, _goals(plan), name="goal", start=brief.objective,
        word=lambda goal: w.objectives[goal],
    )  # fmt: skip
    budget = side.slider(
        w.desk_budget,
        min_value=0.1 * plan.budget_cny,
        max_value=3.0 * plan.budget_cny,
        step=plan.budget_cny / 100,
        format="%.0f",
        key=_from("budget", plan.budget_cny),
    )
    margin, fee = _economics(w, plan)
    with side.expander(w.desk_returns):
        target = _switched(w.desk_roi_target_on, "target", 2.0)
        floor = _switched(w.desk_roi_floor_on, "floor", 1.0)
    with side.expander(w.desk_limits, expanded=False):
        placements = {p: _range(w, w.placement(p), f"place-{p}") for p in brief.placements}
        picked = _in_words(
            partial(st.multiselect, placeholder=w.desk_choose), w, w.desk_segments, _segments(plan),
            name="limited", start=[], word=w.segment,
        )  # fmt: skip
        segments = {name: _range(w, w.segment(name), f"segment-{name}") for name in picked}
        spread = st.slider(w.desk_spread, 1, 100, key=_from("spread", 100)) / 100
        ticket = st.number_input(w.desk_ticket, 0.0, key=_from("ticket", brief.min_ticket_cny))
    bad_case = None
    if plan.market.draws is not None:
        with side.expander(w.desk_risk):
            bad_case = _switched(w.desk_bad_case_on, "risk", round(0.5 * abs(plan.value), 2))
    return Choice(
        budget_cny=budget,
        objective=objective,
        margin=margin,
        fee=fee,
        roi_target=target,
        roi_floor=floor,
        placements=placements,
        segments=segments,
        most_share=spread,
        min_ticket_cny=ticket,
        bad_case=bad_case,
        kept=_kept(w, plan),
    )


def _in_words(
    control: Callable[..., Any],
    w: Words,
    label: str,
    options: Sequence[str],
    *,
    name: str,
    start: Any,
    word: Callable[[str], str],
) -> Any:
    """A choice among words, kept under `name`.

    Its control is another one in each language: a browser goes on showing, and sending, the words that a
    control was first drawn with.
    """
    key = f"{name} {w.language}"
    st.session_state.setdefault(key, st.session_state.get(name, start))
    st.session_state[name] = control(label, options, format_func=word, key=key)
    return st.session_state[name]


def _from(key: str, start: object) -> str:
    """The key of a control that begins there, unless a link or an earlier run has put it elsewhere."""
    st.session_state.setdefault(key, start)
    return key


def _goals(plan: Plan) -> list[str]:
    """What can be counted: nothing that the curves cannot speak of."""
    unknown, entries = plan.provenance.unknown, bool((plan.market.entry > 0).any())
    can = {
        "new_fan_gmv": "new_fan_gmv_cny" not in unknown,
        "profit": "new_fan_gmv_cny" not in unknown and plan.campaign.economics is not None,
        "new_fans": "new_fans" not in unknown,
        "live_entries": entries,
    }
    return [goal for goal, known in can.items() if known or goal == plan.campaign.objective]


def _economics(w: Words, plan: Plan) -> tuple[float | None, float | None]:
    """Margin and fee as shares; None where the person says nothing and the brief did not."""
    if "new_fan_gmv_cny" in plan.provenance.unknown:
        return None, None
    own = plan.campaign.economics
    with st.sidebar.expander(w.desk_keep, expanded=own is None):
        start = _from("margin", None if own is None else 100 * own.gross_margin)
        margin = st.number_input(w.desk_margin, 0.0, 100.0, None, key=start)
        fee = st.number_input(
            w.desk_fee, 0.0, 100.0, key=_from("fee", 0.0 if own is None else 100 * own.fee_rate)
        )
    return (None, None) if margin is None else (margin / 100, fee / 100)


def _switched(label: str, key: str, start: float) -> float | None:
    """A number behind a switch."""
    on = st.toggle(label, key=f"{key}-on")
    return st.number_input(label, 0.01, key=_from(key, start), label_visibility="collapsed") if on else None


def _range(w: Words, name: str, key: str) -> tuple[float, float]:
    label = w.desk_share_of.format(what=for_markdown(name))
    shares: Any = st.slider(label, 0, 100, key=_from(key, (0, 100)))
    return shares[0] / 100, shares[1] / 100


def _segments(plan: Plan) -> list[str]:
    """Segments, richest first."""
    return plan.allocation.sort("spend_cny", descending=True)["segment"].unique(maintain_order=True).to_list()


def _kept(w: Words, plan: Plan) -> tuple[str, ...] | None:
    names = [str(constraint.name) for constraint in plan.campaign.constraints]
    if not names:
        return None
    return tuple(
        _in_words(
            partial(st.sidebar.multiselect, placeholder=w.desk_choose), w, w.desk_kept, names,
            name="kept", start=names, word=lambda name: name_of(plan, w, name),
        )
    )  # fmt: skip
