"""A plan as files, and read back from them, to be looked at, compared and asked again.

The numbers are those of the files, nothing is solved again: a saved plan must say tomorrow what it said
today. It must not touch the disk and must not import the optimiser.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np
import polars as pl
from pydantic import TypeAdapter

from models.errors import DataError
from models.stored import WRONG_SHAPE, read
from targeting.allocation.outcomes import outcomes, total
from targeting.allocation.problem import LI_PER_CNY, Market, Problem, Solution
from targeting.audience import Audience
from targeting.campaign import parse_campaign
from targeting.plan.decided import ALLOCATION_COLUMNS, DecidedPlan, PlanFile
from targeting.plan.market_file import market_from_json, market_to_json
from targeting.plan.provenance import Provenance
from targeting.plan.questions import compiled
from targeting.plan.usual_plans import spend_vector
from targeting.segments.diagnosis import Diagnosis

_PLAN = TypeAdapter(PlanFile)
_TEXT = ("segment", "placement", "reason", "campaign_id", "merchant_id", "fan_kind", "rule")
_WHOLE = ("slot", "spend_li", "users")
_KINDS = {**dict.fromkeys(_TEXT, pl.String), **dict.fromkeys(_WHOLE, pl.Int64), "observed": pl.Boolean}
"""Columns of the CSV files that are no floats."""
_OF_CURVES = ("segment", "placement", "slot", "spend_cny", "value")
_SAME = 1e-6
"""The value computed again against the one written: what another machine's arithmetic may differ by."""


def files_of(plan: DecidedPlan) -> dict[str, pl.DataFrame | str]:
    """The files of DESIGN 3.3 but the report, and `market.json`, so that a saved plan can be asked again."""
    written = json.dumps(plan.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return {
        **({} if plan.audience is None else plan.audience.files()),
        "curves.csv": plan.curves,
        "allocation.csv": plan.allocation,
        "plan.json": written,
        "market.json": market_to_json(plan.market),
    }


def read_back(files: Mapping[str, pl.DataFrame | str]) -> DecidedPlan:
    """See `targeting.decision.verbs.plan_from_files`."""
    said = read(_PLAN, _text(files, "plan.json"), source="plan.json", what="saved plan")
    market = market_from_json(_text(files, "market.json"))
    allocation = _typed(files, "allocation.csv", ALLOCATION_COLUMNS)
    _refuse_edited(said, allocation)
    curves = _typed(files, "curves.csv", _OF_CURVES) if "curves.csv" in files else pl.DataFrame()
    campaign = parse_campaign(_brief_of(said), "plan.json: campaign")
    try:
        problem = compiled(market, campaign=campaign, last=said.last_spend_cny)
        solution = _solution(said, market=market, allocation=allocation)
        _refuse_unfit(said, problem, solution)
    except WRONG_SHAPE as error:
        raise DataError(
            f"plan.json, market.json and allocation.csv do not fit each other ({error}); plan again, or"
            " restore them"
        ) from error
    return DecidedPlan(
        campaign=campaign,
        problem=problem,
        solution=solution,
        allocation=allocation,
        expected=said.expected,
        realised=said.realised,
        make_baselines=lambda: said.baselines,
        make_curves=lambda: curves,
        provenance=Provenance(**{name.name: getattr(said, name.name) for name in fields(Provenance)}),
        audience=_audience(files, said.diagnosis),
        last_spend_cny=said.last_spend_cny,
        past_spend_cny=said.past_spend_cny,
    )


def _brief_of(said: PlanFile) -> Mapping[str, object]:
    """The brief of the plan; one of before may say that its slots carry nothing over."""
    slots = said.campaign.get("slots")
    if not isinstance(slots, dict) or slots.get("carryover"):
        return said.campaign
    return {**said.campaign, "slots": {key: value for key, value in slots.items() if key != "carryover"}}


def _refuse_edited(said: PlanFile, allocation: pl.DataFrame) -> None:
    """Refuse an allocation that is not the one whose promises plan.json holds."""
    spend = int(allocation["spend_li"].sum()) / LI_PER_CNY
    if abs(spend - said.spend_cny) > 0.5 / LI_PER_CNY:
        raise DataError(
            f"allocation.csv: spends {spend:,.3f} yuan, plan.json {said.spend_cny:,.3f}: one of the two"
            " was changed; plan again, or restore them"
        )


def _refuse_unfit(said: PlanFile, problem: Problem, solution: Solution) -> None:
    """Refuse a market in which the plan is not worth what it says: the value is computed again."""
    worth = float(total(problem.objective, outcomes(problem.market, solution.spend_cny)))
    if not math.isclose(worth, said.value, rel_tol=_SAME, abs_tol=_SAME):
        raise DataError(
            f"market.json: the allocation is worth {worth:,.6g} in it, plan.json says {said.value:,.6g}: one"
            " of them was changed; plan again, or restore them"
        )


def _solution(said: PlanFile, *, market: Market, allocation: pl.DataFrame) -> Solution:
    return Solution(
        status=said.status,
        spend_cny=spend_vector(market, allocation),
        value=said.value,
        upper_bound=_or_inf(said.upper_bound),
        shadow_prices={name: _or_inf(price) for name, price in said.shadow_prices.items()},
        yuan_price=said.yuan_price,
        binding=said.binding,
        seconds=0.0,
        rounds=0,
    )


def _or_inf(number: float | None) -> float:
    return np.inf if number is None else number


def _typed(files: Mapping[str, pl.DataFrame | str], name: str, columns: Sequence[str]) -> pl.DataFrame:
    """A CSV with the types it had: one of few rows reads back a text "1" as a number, an edited one the other
    way round.

    Raises:
        DataError: a column is missing, or holds what it cannot.
    """
    frame = _frame(files, name)
    if missing := [column for column in columns if column not in frame.columns]:
        raise DataError(f"{name}: column {missing[0]!r} is missing; expected a file of `targeting plan`")
    kinds = {column: _KINDS.get(column, pl.Float64) for column in frame.columns}
    try:
        typed = frame.with_columns(pl.col(column).cast(kind) for column, kind in kinds.items())
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{name}: {str(error).splitlines()[0]}; expected a file of `targeting plan`"
        ) from error
    for column, kind in kinds.items():
        if kind == pl.Float64 and typed[column].is_infinite().any():
            raise DataError(
                f"{name}: column {column!r} holds an infinite number; expected a file of `targeting plan`"
            )
    return typed


def _audience(files: Mapping[str, pl.DataFrame | str], diagnosis: Diagnosis | None) -> Audience | None:
    if "segments.parquet" not in files:
        return None
    segments = _frame(files, "segments.parquet")
    if missing := [name for name in ("user_id", "segment") if name not in segments.columns]:
        raise DataError(
            f"segments.parquet: column {missing[0]!r} is missing; expected a file of `targeting plan`"
        )
    return Audience(
        scores=_frame(files, "scores.parquet") if "scores.parquet" in files else pl.DataFrame(),
        segments=segments,
        summary=_typed(files, "segment_summary.csv", ("segment", "users")),
        diagnosis=diagnosis,
    )


def _text(files: Mapping[str, pl.DataFrame | str], name: str) -> str:
    content = files.get(name)
    if not isinstance(content, str):
        raise DataError(f"{name}: is missing; expected a directory written by `targeting plan`")
    return content


def _frame(files: Mapping[str, pl.DataFrame | str], name: str) -> pl.DataFrame:
    content = files.get(name)
    if not isinstance(content, pl.DataFrame):
        raise DataError(f"{name}: is missing; expected a directory written by `targeting plan`")
    return content
