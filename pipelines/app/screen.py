"""The planner's page: controls on the left, the answer on the right.

Streamlit runs this file as a script, once per change of a control. The answer is drawn first; what needs
other plans to be solved (budgets, the cost of rules) follows while the person reads it, is kept with the
answer, and is left off as soon as the next control moves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from models.errors import TargetingError
from models.escaping.media import for_markdown
from pipelines.app import controls, links, views
from pipelines.app.what_if import what_if
from targeting.decision.verbs import Plan
from targeting.plan.rules import rules_of
from targeting.report.section import other_budgets
from targeting.words import Words, refused

# Answers of a session that are kept: somebody who moves back sees the former one at once. (Streamlit would
# draw a text that stands here by itself.)
_KEPT = 40


def show() -> None:
    """Draw the page."""
    st.set_page_config(page_title="Planner's desk 投放规划台", layout="wide")
    w = controls.language()
    st.title(w.desk_title)
    try:
        start = controls.source(w)
        if start is None:
            st.info(w.desk_start)
            return
        opened = controls.period(w, start).plan
    except TargetingError as error:
        st.error(for_markdown(refused(w, error)))
        return
    links.restore(w, opened)
    answer = _answered(w, opened)
    tried: Plan = answer["plan"]
    views.answer(w, opened, tried)
    views.where_the_money_goes(w, tried)
    views.curves_of(w, tried)
    _scenarios(w, opened, tried)
    views.programmes_of(w, tried)
    # Whatever is drawn lets Streamlit stop this run for the next move; a solver alone would not.
    stopping = st.empty()
    budgets = _once(answer, "budgets", lambda: other_budgets(tried, before=stopping.empty))
    views.budgets_of(w, tried, budgets)
    views.rules_of(w, tried, _once(answer, "rules", lambda: rules_of(tried)))
    views.downloads(w, tried, budgets)


def _answered(w: Words, opened: Plan) -> dict[str, Any]:
    """The plan of what was chosen and what is known of it; where it has none, why, and the last that had."""
    held: dict[object, dict[str, Any]] = st.session_state.setdefault("answers", {})
    chosen = controls.choice(w, opened)
    key = (id(opened), w.language, repr(chosen))
    try:
        if key not in held:
            # `opened` is held too: its id is another's as soon as nobody has it any more.
            held[key] = {"plan": what_if(opened, chosen, w), "opened": opened}
    except TargetingError as error:
        st.error(for_markdown(refused(w, error)))
        st.caption(w.desk_stays)
        earlier = [answer for answer in held.values() if answer["opened"] is opened]
        return earlier[-1] if earlier else {"plan": opened, "opened": opened}
    held[key] = answer = held.pop(key)
    while len(held) > _KEPT:
        held.pop(next(iter(held)))
    return answer


def _once(answer: dict[str, Any], name: str, make: Callable[[], Any]) -> Any:
    """What belongs to an answer, made when it is first asked for."""
    if name not in answer:
        answer[name] = make()
    return answer[name]


def _scenarios(w: Words, opened: Plan, tried: Plan) -> None:
    """Keep the present plan under a name; compare three of those that were kept; send the present one."""
    kept = st.session_state.setdefault("scenarios", {})
    if not kept:
        kept[w.desk_opened] = opened
    left, right = st.columns([1, 3])
    if left.button(w.desk_save) and not any(plan is tried for plan in kept.values()):
        goal = w.objectives[tried.campaign.objective]
        name = w.desk_of.format(objective=goal, budget=w.yuan(tried.budget_cny))
        kept[name if name not in kept else f"{name} ({len(kept)})"] = tried
    links.offer(w, opened, right)
    if len(kept) > 1:
        views.scenarios(w, kept)


if __name__ == "__main__":
    show()
