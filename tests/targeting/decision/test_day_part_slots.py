"""Slots of a day have the money where the hours are good, and say so where hours do not differ."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

import targeting as tg

BRIEF = {"campaign_id": "c", "budget_cny": 2000, "placements": ["video"]}


def report(night: float) -> pl.DataFrame:
    """Two weeks of hours on two segments; hours 0-5 bring `night` of what the others bring."""
    rng, rows = np.random.default_rng(0), []
    for d, h, s in np.ndindex(14, 24, 2):
        cost = 100 * rng.lognormal(0.0, 0.4)
        gmv = 80 * np.log1p(cost / 500) * (night if h < 6 else 1.0) * (1 + s) * rng.lognormal(0.0, 0.1)
        rows.append((date(2024, 1, 1) + timedelta(days=d), h, f"s{s}", "video", cost, gmv))
    return pl.DataFrame(
        rows, schema=["date", "hour", "segment", "placement", "cost_cny", "gmv_cny"], orient="row"
    )


def hourly_plan(night: float, **changed: object) -> tg.Plan:
    brief = {**BRIEF, "slots": {"count": 24}, **changed}
    return tg.plan_delivery(report(night), campaign=brief, rng=np.random.default_rng(1))


def test_hours_ten_times_worse_get_no_money():
    plan = hourly_plan(0.1)
    spend = plan.allocation.group_by("slot").agg(pl.col("spend_cny").sum()).sort("slot")["spend_cny"]
    assert spend[:6].sum() < 0.01 * spend.sum()
    whole = tg.plan_delivery(report(0.1), campaign=BRIEF, rng=np.random.default_rng(1))
    assert plan.expected["new_fan_gmv_cny"].value > 1.1 * whole.expected["new_fan_gmv_cny"].value
    assert not any(w.startswith("slots:") for w in plan.provenance.warnings)


def test_a_later_start_moves_the_hours():
    plan = hourly_plan(0.1, starts_at="2024-02-01T18:00:00")
    spend = plan.allocation.group_by("slot").agg(pl.col("spend_cny").sum()).sort("slot")["spend_cny"]
    assert spend[6:12].sum() < 0.01 * spend.sum()


def test_equal_hours_are_planned_alike_and_the_plan_says_so():
    plan = hourly_plan(1.0)
    spend = plan.allocation.group_by("slot").agg(pl.col("spend_cny").sum())["spend_cny"].to_numpy()
    assert spend == pytest.approx(spend.mean(), rel=1e-3)
    assert any("hours of the day do not differ beyond chance" in w for w in plan.provenance.warnings)
