"""A platform that shows nobody more than so often a day: no money buys more than that."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from scipy.stats import poisson

from models.supply.response import fit_response

PEOPLE = 4_000.0


def daily(limit: int, seed: int = 0, share: float = 1.0) -> pl.DataFrame:
    """28 days at 0.1 to 0.6 impressions a head of the share that is addressed; those beyond the limit are not
    shown, and not paid for.
    """
    rng, rows = np.random.default_rng(seed), []
    ever = np.zeros((3, int(PEOPLE)))
    days = [rng.uniform(0.1, 0.6) for _ in range(28)]
    meant = np.arange(int(PEOPLE)) < share * PEOPLE
    shown = [[np.minimum(rng.poisson(x * meant), limit) for _ in range(3)] for x in days]
    for each in shown:
        ever += np.array(each)
    for d, (pressure, each) in enumerate(zip(days, shown, strict=True)):
        for s, n in enumerate(each):
            cost = n.sum() * 0.05 * (1 + pressure) * rng.lognormal(0.0, 0.05)
            pairs, total = n * (n - 1), ever[s]
            counts = [n, n > 0, pairs, pairs, total > 0, total * (total - 1)]
            sums = [float(x.sum()) for x in counts]
            at = date(2024, 1, 1) + timedelta(d)
            rows.append((at, "c", f"s{s}", "video", cost, *sums, float(n.max()), 0.0))
    schema = ["date", "campaign_id", "segment", "placement", "cost_cny", "impressions", "reached"]
    schema += ["pairs", "crowd", "ever", "ever_pairs", "most", "randomized_share"]
    return pl.DataFrame(rows, schema=schema, orient="row")


def bought(rows: pl.DataFrame, factor: float) -> float:
    """Impressions a head at so many times the mean daily money."""
    users = {f"s{s}": PEOPLE for s in range(3)}
    found = fit_response(rows, users_by_segment=users, rng=np.random.default_rng(0), n_draws=20)
    paid = rows["cost_cny"].sum() / 28 / 3
    return float(found.curves().value(np.full(3, factor * paid)).mean()) / PEOPLE


@pytest.mark.parametrize("limit", [1, 2])
def test_no_money_buys_more_than_the_limit(limit):
    rows = daily(limit)
    usual = rows["impressions"].sum() / 28 / 3 / PEOPLE
    assert bought(rows, 1.0) == pytest.approx(usual, rel=0.2)
    assert bought(rows, 1000.0) <= 1.01 * limit


def truly(rows: pl.DataFrame, limit: int, factor: float) -> float:
    """Impressions a head that so many times the mean daily money buys."""
    pressure = np.linspace(0.0, 3.0, 3001)[:, None]
    shown = np.minimum(np.arange(30), limit) @ poisson.pmf(np.arange(30), pressure).T
    paid = rows["cost_cny"].sum() / 28 / 3 / PEOPLE
    return float(np.interp(factor * paid, shown * 0.05 * (1.0 + pressure[:, 0]), shown))


@pytest.mark.parametrize("limit", [1, 2])
def test_a_limit_is_not_taken_for_a_smaller_pressure(limit):
    """It takes out of a day the pairs that pressure on a fifth of the people is counted by."""
    for seed in range(2):
        rows = daily(limit, seed, share=0.2)
        for factor in (1.0, 4.0, 10.0):
            assert bought(rows, factor) == pytest.approx(truly(rows, limit, factor), rel=0.2)


def test_no_limit_is_seen_where_there_is_none():
    rows = daily(1000)
    untold = rows.with_columns(most=pl.lit(None, dtype=pl.Float64))
    assert bought(rows, 1000.0) == bought(untold, 1000.0) > 1.5
