"""A scenario as a link: where every control stands, to be sent to somebody who has the same plan open.

The address holds the controls and nothing of the plan; the page fills them before it draws them. What a link
says is checked like anything from outside: unknown controls are left off, numbers are kept in their range.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from targeting.decision.verbs import Plan
from targeting.words import Words

PARAMETER = "scenario"
_MOST_BYTES = 20_000
_SWITCHES = ("target-on", "floor-on", "risk-on")
_PREFIXES = ("place-", "segment-")
GOALS = ("new_fan_gmv", "profit", "new_fans", "live_entries")


def mark_of(plan: Plan) -> str:
    """What two people's plans must agree on."""
    return f"{plan.campaign.campaign_id} {plan.value:.6g}"


def written(plan: Plan, controls: Mapping[str, Any]) -> str:
    """The controls as text of an address."""
    held = {key: value for key, value in controls.items() if _known(key) and value is not None}
    text = json.dumps({"plan": mark_of(plan), **held}, ensure_ascii=False, sort_keys=True)
    return base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")


def read(text: str, plan: Plan) -> dict[str, Any] | None:
    """Controls by key, those that are what such a control can be; None where the link is of another plan."""
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        said = json.loads(zlib.decompressobj().decompress(packed, _MOST_BYTES))
    except (ValueError, zlib.error):
        return None
    if not isinstance(said, dict) or said.pop("plan", None) != mark_of(plan):
        return None
    found = {key: _fitting(key, value, plan) for key, value in said.items() if _known(key)}
    return {key: value for key, value in found.items() if value is not None}


def restore(w: Words, plan: Plan) -> None:
    """Put the controls where the link has them, once in a session."""
    text = st.query_params.get(PARAMETER)
    if not text or st.session_state.get("linked") == text:
        return
    st.session_state["linked"] = text
    found = read(text, plan)
    if found is None:
        st.warning(w.desk_link_other)
        return
    for key, value in found.items():
        st.session_state[key] = value


def offer(w: Words, plan: Plan, place: Any) -> None:
    """The link of the present controls, to be copied."""
    with place.popover(w.desk_link):
        st.caption(w.desk_link_how)
        st.code(f"{st.context.url or ''}?{PARAMETER}={written(plan, st.session_state)}", wrap_lines=True)  # type: ignore[arg-type]


def _known(key: object) -> bool:
    return key in _KINDS or str(key).startswith(_PREFIXES)


def _number(value: Any, least: float, most: float) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return min(max(float(value), least), most) if number else None


def _shares(value: Any) -> tuple[int, int] | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    ends = [_number(end, 0, 100) for end in value]
    return None if None in ends else (int(min(ends)), int(max(ends)))  # type: ignore[type-var, arg-type]


def _listed(value: Any, known: list[str]) -> list[str] | None:
    return [name for name in known if name in value] if isinstance(value, list) else None


def _one_of(known: Callable[[Plan], list[str]]) -> Callable[[Any, Plan], list[str] | None]:
    return lambda value, plan: _listed(value, known(plan))


def _between(least: float, most: float) -> Callable[[Any, Plan], float | None]:
    return lambda value, plan: _number(value, least, most)


_KINDS: Mapping[str, Callable[[Any, Plan], Any]] = {
    "goal": lambda value, plan: value if value in GOALS else None,
    "budget": lambda value, plan: _number(value, 0.1 * plan.budget_cny, 3.0 * plan.budget_cny),
    **dict.fromkeys(("margin", "fee"), _between(0.0, 100.0)),
    **dict.fromkeys(("target", "floor", "risk"), _between(0.01, 1e12)),
    "ticket": _between(0.0, 1e12),
    "spread": lambda value, plan: None if (share := _number(value, 1, 100)) is None else int(share),
    "limited": _one_of(lambda plan: plan.allocation["segment"].unique(maintain_order=True).to_list()),
    "kept": _one_of(lambda plan: [str(rule.name) for rule in plan.campaign.constraints]),
    **dict.fromkeys(_SWITCHES, lambda value, plan: value if isinstance(value, bool) else None),
}


def _fitting(key: str, value: Any, plan: Plan) -> Any:
    return _KINDS[key](value, plan) if key in _KINDS else _shares(value)
