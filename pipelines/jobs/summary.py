"""A plan in a dozen lines for a terminal: what is spent, what is promised, how sure, where the report is.

One wording for `run`, `plan`, `demo` and `replay`. Text only; it must not read, write or decide anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.escaping.media import for_terminal
from pipelines.jobs.planning import PlanResult

_PROMISES = (
    ("new_fans", "new fans", ""),
    ("new_fan_gmv_cny", "new-fan GMV", " CNY"),
    ("profit_cny", "profit", " CNY"),
)
_MOST_WARNINGS = 6


def plan_summary(result: PlanResult) -> str:
    """The plan for people, one fact a line."""
    rows = [
        ("spend", f"{result.spend_cny:,.2f} of {result.budget_cny:,.2f} CNY"),
        *[(name, _promise(result.expected.get(key), unit)) for key, name, unit in _PROMISES],
        *_to_come(result),
        ("certificate", _certificate(result)),
        ("binding", ", ".join(map(result.price_of, result.binding)) or "no constraint"),
        ("claims", f"{result.claims['kind']} ({result.claims['why']})"),
    ]
    if result.rejected:
        counted = ", ".join(f"{rows_} of {table}" for table, rows_ in result.rejected.items())
        rows.append(("bad rows", f"{counted}: see {result.out}/rejected"))
    if result.model_uri:
        rows.append(("model", result.model_uri))
    if result.promotion:
        rows.append(("champion", result.promotion))
    rows += [("MLflow run", result.run_id), ("report", result.report)]
    warnings = list(result.warnings[:_MOST_WARNINGS])
    if len(result.warnings) > _MOST_WARNINGS:
        warnings.append(f"{len(result.warnings) - _MOST_WARNINGS} more: --json prints all")
    rows += [("warning", line) for line in warnings]
    return "\n".join(f"{name:<13}{for_terminal(text)}" for name, text in rows)


def _promise(interval: Mapping[str, Any] | None, unit: str) -> str:
    if interval is None or interval["value"] is None:
        return "cannot be told from this input"
    told = f"{_amount(interval['value'])}{unit}"
    if interval.get("low") is None or interval.get("high") is None:
        return told
    return f"{told}  (80 %: {_amount(interval['low'])} to {_amount(interval['high'])})"


def _to_come(result: PlanResult) -> list[tuple[str, str]]:
    """What this one campaign will bring, luck included; nothing where no chance is known."""
    told = [
        f"{name} {_amount(found['low'])} to {_amount(found['high'])}{unit}"
        for key, name, unit in _PROMISES
        if (found := result.realised.get(key)) is not None
    ]
    return [("will come", f"{', '.join(told)} (4 campaigns of 5, luck included)")] if told else []


def _amount(number: float) -> str:
    """Three figures of a small number, whole units of a large one.

    >>> _amount(12345.6), _amount(25.367), _amount(-0.01234)
    ('12,346', '25.4', '-0.0123')
    """
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def _certificate(result: PlanResult) -> str:
    if result.gap == float("inf"):
        return f"{result.status}; no bound was found within the time limit"
    ceiling = "below 1e-6" if result.gap <= 1e-6 else f"{result.gap:.2g}"
    return f"{result.status}; gap to the best possible {ceiling}, solved in {result.seconds:.1f} s"
