"""A contradiction in the planner's words: the constraints, what to relax and by how much."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from targeting.allocation.explain.spendlp import BUDGET
from targeting.allocation.problem import Problem, Row

MOST_SAID = 8  # names in a line: nobody reads more of them


def one_line(
    problem: Problem, conflict: list[str], relaxation: Mapping[str, float], *, cut: bool = False
) -> str:
    """Which constraints no plan keeps together, and by how much each alone would have to give way."""
    said = [_said(problem, name) for name in conflict[:MOST_SAID]]
    said += [f"{len(conflict) - MOST_SAID} more"] if len(conflict) > MOST_SAID else []
    head = said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
    together = " together" if len(said) > 1 else ""
    text = f"no plan keeps {head}{together}"
    text += " (time was up: perhaps fewer of them clash)" if cut else ""
    if relaxation:
        remedies = [_remedy(problem, n, a) for n, a in [*relaxation.items()][:MOST_SAID]]
        text += f"; relax one: {', or '.join(remedies)}"
    else:
        text += "; take one of them away"
    return text


def _said(problem: Problem, name: str) -> str:
    """The constraint with its limits, as far as they are simple."""
    if name == BUDGET:
        return f"the budget of {problem.budget_cny:,.2f} CNY"
    if problem.risk and problem.risk.name == name:
        return f"'{name}' ({problem.risk.measure} at least {problem.risk.floor:,.6g})"
    limits = [_row_words(r) for r in problem.rows if r.name == name]
    words = {"lower_cny": "at least", "upper_cny": "at most", "min_if_used_cny": "0 or at least"}
    words["marginal_floor"] = "last yuan returns at least"
    for s in problem.limits.sources:
        if s.name == name:
            sizes = sorted({float(v) for v in s.value[~np.isnan(s.value)]})
            span = f"{sizes[0]:,.6g}" if len(sizes) == 1 else f"{sizes[0]:,.6g} ... {sizes[-1]:,.6g}"
            unit = (
                ""
                if s.side == "marginal_floor"
                else " CNY a cell"
                if (~np.isnan(s.value)).sum() > 1
                else " CNY"
            )
            limits.append(f"{words[s.side]} {span}{unit}")
    shown = "; ".join(dict.fromkeys(x for x in limits if x))
    return f"'{name}' ({shown})" if shown and len(shown) < 90 else f"'{name}'"


def _row_words(row: Row) -> str:
    parts = [f"at least {row.lower:,.6g} {row.unit}"] if np.isfinite(row.lower) and row.lower else []
    parts += [f"at most {row.upper:,.6g} {row.unit}"] if np.isfinite(row.upper) and row.upper else []
    return " and ".join(parts) + (f" for {row.where}" if parts and row.where else "")


def _remedy(problem: Problem, name: str, amount: float) -> str:
    unit = next((r.unit for r in problem.rows if r.name == name), "CNY")
    if any(s.name == name and s.side == "marginal_floor" for s in problem.limits.sources):
        unit = "value per CNY"
    if problem.risk and problem.risk.name == name:
        unit = "value"
    rounded = np.ceil(amount * 100 - 1e-6) / 100 if amount >= 1 else float(f"{amount:.3g}")
    verb = "raise the budget" if name == BUDGET else f"let '{name}' give way"
    return f"{verb} by {rounded:,.6g} {unit}" if rounded < 1e6 else f"{verb} by {rounded:,.0f} {unit}"
