"""A plan in a dozen lines for a terminal: what it leaves, what is promised, how sure, where the report is.

One wording for `run`, `plan`, `demo` and `replay`, that of `targeting.words`. Text only; it must not read,
write or decide anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from unicodedata import east_asian_width

from models.escaping.media import for_terminal
from pipelines.jobs.planning import PlanResult
from targeting.words import Words, words_in

_PROMISES = ("new_fans", "new_fan_gmv_cny", "profit_cny")
_MOST_WARNINGS = 6
_LABEL_WIDTH = 13


def plan_summary(result: PlanResult) -> str:
    """The plan for people: its verdict, then one fact a line."""
    w = words_in(result.language)
    rows = [
        ("spend", w.fact_spend.format(spend=f"{result.spend_cny:,.2f}", budget=f"{result.budget_cny:,.2f}")),
        *[(name, _promise(w, name, result.expected.get(name))) for name in _PROMISES],
        *_to_come(w, result),
        ("certificate", _certificate(w, result)),
        ("binding", ", ".join(_price(w, result, name) for name in result.binding) or w.fact_no_binding),
        (
            "claims",
            w.fact_claim.format(kind=w.claim_kinds[result.claims["kind"]], why=w.told(result.claims["why"])),
        ),
        *_origin(w, result),
    ]
    facts = [f"{_label(w.facts[name])}{for_terminal(text)}" for name, text in rows]
    return "\n".join([*map(for_terminal, result.verdict), *facts])


def _origin(w: Words, result: PlanResult) -> list[tuple[str, str]]:
    """Where the plan comes from, where it is, and what was met on the way."""
    rows = []
    if result.rejected:
        counted = ", ".join(
            w.fact_rejected.format(rows=rows_, table=table) for table, rows_ in result.rejected.items()
        )
        rows.append(("bad_rows", w.fact_see.format(rows=counted, where=f"{result.out}/rejected")))
    if result.model_uri:
        rows.append(("model", result.model_uri))
    if result.promotion:
        rows.append(("champion", w.told(result.promotion)))
    rows += [("run", result.run_id), ("report", result.report)]
    warnings = list(result.warnings[:_MOST_WARNINGS])
    if len(result.warnings) > _MOST_WARNINGS:
        warnings.append(w.fact_more_warnings.format(count=len(result.warnings) - _MOST_WARNINGS))
    return [*rows, *(("warning", w.told(line)) for line in warnings)]


def _label(name: str) -> str:
    """The name, filled up to the column of the facts; a Chinese letter is two columns wide."""
    width = sum(2 if east_asian_width(letter) in "WF" else 1 for letter in name)
    return name + " " * max(_LABEL_WIDTH - width, 1)


def _promise(w: Words, name: str, interval: Mapping[str, Any] | None) -> str:
    if interval is None or interval["value"] is None:
        return w.fact_unknown
    told = w.fact_units[name].format(amount=_amount(interval["value"]))
    if interval.get("low") is None or interval.get("high") is None:
        return told
    return w.fact_interval.format(told=told, low=_amount(interval["low"]), high=_amount(interval["high"]))


def _to_come(w: Words, result: PlanResult) -> list[tuple[str, str]]:
    """What this one campaign will bring, luck included; nothing where no chance is known."""
    told = []
    for name in _PROMISES:
        if (found := result.realised.get(name)) is not None:
            between = {"low": _amount(found["low"]), "high": _amount(found["high"])}
            said = w.fact_to_come.format(name=w.facts[name], **between)
            told.append(w.fact_units[name].format(amount=said))
    return [("to_come", w.fact_luck.format(told=w.comma.join(told)))] if told else []


def _amount(number: float) -> str:
    """Three figures of a small number, whole units from ten on.

    >>> _amount(12345.6), _amount(25.367), _amount(-0.01234)
    ('12,346', '25', '-0.0123')
    """
    return f"{number:,.0f}" if abs(number) >= 10 else f"{number:.3g}"


def _price(w: Words, result: PlanResult, constraint: str) -> str:
    """A limit with what one step more of it brings: `the budget (one yuan more: new-fan GMV +1.41)`."""
    price = result.shadow_prices.get(constraint)
    if not price:
        return w.rule_names["total"] if constraint == "total" else constraint
    said = w.fact_next_yuan if constraint == "total" else w.fact_next_step
    return said.format(name=constraint, what=w.objectives[result.objective], price=f"{price:.3g}")


def _certificate(w: Words, result: PlanResult) -> str:
    status = result.status if w.language == "en" else w.statuses[result.status]
    if result.gap == float("inf"):
        return w.fact_no_bound.format(status=status)
    gap = w.fact_tiny_gap if result.gap <= 1e-6 else f"{result.gap:.2g}"
    return w.fact_gap.format(status=status, gap=gap, seconds=f"{result.seconds:.1f}")
