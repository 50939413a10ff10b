"""The planner's page: controls on the left, the answer on the right.

Streamlit runs this file as a script, once per change of a control. The answer is drawn first; what needs
other plans to be solved (budgets, the cost of rules) follows while the person reads it.
"""

from __future__ import annotations

import streamlit as st

from models.errors import TargetingError
from models.escaping.media import for_markdown
from pipelines.app import controls, views
from pipelines.app.what_if import what_if
from targeting.decision.verbs import Plan
from targeting.report.section import other_budgets
from targeting.words import Words


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
        st.error(for_markdown(str(error)))
        return
    tried = _tried(w, opened)
    views.answer(w, opened, tried)
    views.where_the_money_goes(w, tried)
    views.curves_of(w, tried)
    _scenarios(w, opened, tried)
    budgets = other_budgets(tried)
    views.budgets_of(w, tried, budgets)
    views.rules_of(w, tried)
    views.downloads(w, tried, budgets)


def _tried(w: Words, opened: Plan) -> Plan:
    """The plan of what was chosen; where it has none, why, and the last one that had."""
    try:
        tried = what_if(opened, controls.choice(w, opened), w)
    except TargetingError as error:
        st.error(for_markdown(views.refusal(w, error)))
        st.caption(w.desk_stays)
        last = st.session_state.get("last")
        return last[1] if last is not None and last[0] == id(opened) else opened
    st.session_state["last"] = (id(opened), tried)
    return tried


def _scenarios(w: Words, opened: Plan, tried: Plan) -> None:
    """Keep the present plan under a name; compare three of those that were kept."""
    kept = st.session_state.setdefault("scenarios", {})
    if not kept:
        kept[w.desk_opened] = opened
    if st.button(w.desk_save):
        goal = w.objectives[tried.campaign.objective]
        name = w.desk_of.format(objective=goal, budget=w.yuan(tried.budget_cny))
        kept[name if name not in kept else f"{name} ({len(kept)})"] = tried
    if len(kept) > 1:
        views.scenarios(w, kept)


if __name__ == "__main__":
    show()
