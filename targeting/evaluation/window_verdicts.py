"""A window's promise against the coin's verdict, and all windows together.

Realised is the off-policy value of the plan less that of showing nobody, times all people and days of the
plan. Frames in, rows out. It must not import the optimiser or the planner.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from models.events.event_log import EventLog
from models.judging.policy_value import Z80, Z95
from targeting.evaluation.backtest_windows import Window, rows_of
from targeting.evaluation.evaluation_settings import SETTINGS
from targeting.evaluation.experiment import PLAN, judge_experiment
from targeting.plan.decided import DecidedPlan

NOBODY = "all none"
PROMISES = {"new_fans": "new_fans", "new_fan_gmv_cny": "new_fan_gmv_cny", "cost_cny": "spend_cny"}
"""Outcome of the experiment -> figure of the plan."""
TABLE: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "window": pl.Int64, "start": pl.Datetime("us"), "outcome": pl.String, "promised": pl.Float64,
    "promised_low_80": pl.Float64, "promised_high_80": pl.Float64, "realised": pl.Float64,
    "standard_error": pl.Float64, "low_80": pl.Float64, "high_80": pl.Float64, "ips": pl.Float64,
    "self_normalised": pl.Float64, "coin_rows": pl.Int64, "events": pl.Int64, "overlap": pl.String,
    "verdict": pl.String,
}  # fmt: skip


def judged_by_randomised_rows(
    plan: DecidedPlan, log: EventLog, window: Window, *, horizon_days: int, rng: np.random.Generator
) -> list[dict[str, object]]:
    """Promised against the coin's verdict, a row per outcome; none where the coin chose too little."""
    rows = rows_of(log, window)
    if rows.is_empty() or plan.audience is None:
        return []
    found = judge_experiment(
        plan,
        rows,
        log=log.before(window.known_by),
        horizon_days=horizon_days,
        known_by=window.known_by,
        rng=rng,
    )
    if found is None:
        return []
    person_days = plan.audience.segments.height * plan.campaign.days
    value = {(r["policy"], r["outcome"]): r for r in found.values.iter_rows(named=True)}
    judged = []
    for outcome, figure in PROMISES.items():
        mine, nobody = value.get((PLAN, outcome)), value.get((NOBODY, outcome))
        if mine is None or nobody is None:
            continue
        error = (nobody["less_high_95"] - nobody["plan_less_this"]) / Z95 * person_days
        realised = nobody["plan_less_this"] * person_days
        promised, low, high = _promised(plan, figure)
        row = {
            "window": window.number,
            "start": window.start,
            "outcome": figure,
            "promised": promised,
            "promised_low_80": low,
            "promised_high_80": high,
            "realised": realised,
            "standard_error": error,
            "ips": (mine["ips"] - nobody["ips"]) * person_days,
            "self_normalised": (mine["self_normalised"] - nobody["self_normalised"]) * person_days,
            "coin_rows": found.rows,
            "events": mine["events"],
            "overlap": mine["overlap"],
        }
        judged.append(_with_verdict(row))
    return judged


def _with_verdict(row: dict[str, Any]) -> dict[str, object]:
    """The row of `TABLE` with its 80 % interval and its verdict."""
    reach = Z80 * row["standard_error"]
    band = {"low_80": row["realised"] - reach, "high_80": row["realised"] + reach}
    return {**row, **band, "verdict": verdict(row)}


def verdict(row: Mapping[str, Any]) -> str:
    """Whether promise and realisation differ by more than their errors together, at 95 %.

    Spend has no such verdict: the coin paid the prices of the logged pressure, the plan promises those of its
    own.
    """
    promised, low, high = (row[c] for c in ("promised", "promised_low_80", "promised_high_80"))
    realised, error = row["realised"], row["standard_error"]
    if row["outcome"] == PROMISES["cost_cny"]:
        return "at the prices of the logged pressure"
    if promised is None:
        return "nothing was promised"
    if row["events"] < SETTINGS.least_events:
        return f"cannot be told from {row['events']} events"
    if row["overlap"] != "good":
        return "cannot be told: the coin hardly tried what the plan would do"
    spread = 0.0 if low is None or high is None else (high - low) / (2 * Z80)
    together = math.hypot(spread, error)
    if not math.isfinite(together) or together == 0:
        return "cannot be told"
    distance = (realised - promised) / together
    if abs(distance) <= Z95:
        return "agrees within the errors"
    return "more came than was promised" if distance > 0 else "less came than was promised"


def _promised(plan: DecidedPlan, figure: str) -> tuple[float | None, float | None, float | None]:
    if figure == "spend_cny":
        return float(plan.spend_cny), None, None
    said = plan.expected.get(figure)
    return (None, None, None) if said is None else (said.value, said.low, said.high)


def together(judged: list[dict[str, Any]]) -> pl.DataFrame:
    """All windows in one row per outcome: sums, errors added in squares (the windows share no rows)."""
    rows = []
    for outcome in dict.fromkeys(row["outcome"] for row in judged):
        mine = [row for row in judged if row["outcome"] == outcome]
        summed = ("realised", "ips", "self_normalised", "coin_rows", "events")
        error = math.sqrt(sum(row["standard_error"] ** 2 for row in mine))
        known = all(row["promised"] is not None for row in mine)
        promised = sum(row["promised"] for row in mine) if known else None
        low = high = None
        if promised is not None and all(row["promised_low_80"] is not None for row in mine):
            # plans of one merchant err together: their intervals are added, not their squares
            low, high = (sum(row[c] for row in mine) for c in ("promised_low_80", "promised_high_80"))
        whole = {
            "window": 0,
            "start": mine[0]["start"],
            "outcome": outcome,
            "promised": promised,
            "promised_low_80": low,
            "promised_high_80": high,
            **{c: sum(row[c] for row in mine) for c in summed},
            "standard_error": error,
            "overlap": min((row["overlap"] for row in mine), key=("none", "poor", "good").index),
        }
        rows.append(_with_verdict(whole))
    return pl.DataFrame(rows, schema=TABLE)
