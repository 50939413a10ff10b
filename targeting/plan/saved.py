"""A plan as files, and read back from them, to be looked at, compared and asked again.

The numbers are those of the files, nothing is solved again: a saved plan must say tomorrow what it said
today. It must not touch the disk and must not import the optimiser.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from models.errors import DataError
from targeting.allocation.problem import LI_PER_CNY, Market, Solution
from targeting.audience import Audience, diagnosis_from_dict
from targeting.campaign import parse_campaign
from targeting.plan.baselines import SCHEMA, spend_vector
from targeting.plan.decided import ALLOCATION_COLUMNS, DecidedPlan
from targeting.plan.market_file import market_from_json, market_to_json
from targeting.plan.promise import Interval
from targeting.plan.provenance import Provenance
from targeting.plan.questions import compiled
from targeting.segments.diagnosis import Diagnosis

_TEXT = ("segment", "placement", "reason", "campaign_id", "merchant_id")
_WHOLE = ("slot", "spend_li")


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
    """See `targeting.plan.verbs.plan_from_files`."""
    said = _json(files, "plan.json")
    market = market_from_json(_text(files, "market.json"))
    allocation = _allocation(_frame(files, "allocation.csv"))
    try:
        campaign = parse_campaign(said["campaign"], "plan.json: campaign")
        last = None if said["last_spend_cny"] is None else np.asarray(said["last_spend_cny"], dtype=float)
        _refuse_edited(said, allocation)
        return DecidedPlan(
            campaign=campaign,
            problem=compiled(market, campaign=campaign, last=last),
            solution=_solution(said, market=market, allocation=allocation),
            allocation=allocation,
            expected={n: None if i is None else Interval(**i) for n, i in said["expected"].items()},
            baselines=pl.DataFrame(said["baselines"], schema=SCHEMA),
            curves=_text_columns(_frame(files, "curves.csv")) if "curves.csv" in files else pl.DataFrame(),
            provenance=Provenance(
                claims=said["claims"],
                model_uri=said["model_uri"],
                fingerprints=said["fingerprints"],
                versions=said["versions"],
                rejected_rows=int(said["rejected_rows"]),
                unknown=tuple(said["unknown"]),
            ),
            audience=_audience(files, diagnosis_from_dict(said["diagnosis"])),
            last_spend_cny=last,
        )
    except (KeyError, TypeError) as error:
        raise DataError(
            f"plan.json: is not a saved plan ({error!r}); expected a file of `targeting plan`"
        ) from error


def _refuse_edited(said: Mapping[str, Any], allocation: pl.DataFrame) -> None:
    """Refuse an allocation that is not the one whose promises plan.json holds."""
    spend = int(allocation["spend_li"].sum()) / LI_PER_CNY
    if abs(spend - said["spend_cny"]) > 0.5 / LI_PER_CNY:
        raise DataError(
            f"allocation.csv: spends {spend:,.3f} yuan, plan.json {said['spend_cny']:,.3f}: one of the two"
            " was changed; plan again, or restore them"
        )


def _solution(said: Mapping[str, Any], *, market: Market, allocation: pl.DataFrame) -> Solution:
    bound = said["upper_bound"]
    return Solution(
        status=said["status"],
        spend_cny=spend_vector(market, allocation),
        value=float(said["value"]),
        upper_bound=np.inf if bound is None else float(bound),
        shadow_prices={
            name: np.inf if price is None else price for name, price in said["shadow_prices"].items()
        },
        binding=tuple(said["binding"]),
        seconds=0.0,
        rounds=0,
    )


def _allocation(frame: pl.DataFrame) -> pl.DataFrame:
    """allocation.csv with the types it had: a CSV of few rows reads back a text "1" as a number."""
    missing = [c for c in ALLOCATION_COLUMNS if c not in frame.columns]
    if missing:
        raise DataError(
            f"allocation.csv: column {missing[0]!r} is missing; expected a file of `targeting plan`"
        )
    numbers = [c for c in ALLOCATION_COLUMNS if c not in (*_TEXT, *_WHOLE)]
    types = pl.col(_WHOLE).cast(pl.Int64), pl.col(numbers).cast(pl.Float64)
    try:
        return _text_columns(frame).with_columns(*types)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"allocation.csv: {str(error).splitlines()[0]}; expected a file of `targeting plan`"
        ) from error


def _text_columns(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col([c for c in _TEXT if c in frame.columns]).cast(pl.String))


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
        summary=_text_columns(_frame(files, "segment_summary.csv")),
        diagnosis=diagnosis,
    )


def _json(files: Mapping[str, pl.DataFrame | str], name: str) -> dict[str, Any]:
    try:
        content = json.loads(_text(files, name))
    except ValueError as error:
        raise DataError(f"{name}: is not JSON ({error}); expected a file of `targeting plan`") from error
    if not isinstance(content, dict):
        raise DataError(f"{name}: expected a JSON object, found {type(content).__name__}")
    return content


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
