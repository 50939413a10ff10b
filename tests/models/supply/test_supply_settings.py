"""Tuning numbers of supply: each is right where the truth is of the size that its text states."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
import right_size

from models.supply import fit, price, units
from models.supply.settings import SUPPLY


def placements_that_deliver_more(n, rng, *, days=12, users=1000.0):
    """Hill curves whose capacity is four times the most delivered, give or take exp(1.0); noisy days."""
    log_capacity = np.maximum(np.log(4.0) + rng.normal(0.0, 1.0, n), np.log(1.3))
    rows = []
    for j, top in enumerate(users * np.exp(log_capacity)):
        half_cny = 0.05 * top
        most_cny = half_cny * users / (top - users)  # buys an impression a user
        for segment in ("a", "b", "c"):
            spend = most_cny * np.append(1.0, rng.uniform(0.3, 1.0, days - 1))
            got = top * spend / (spend + half_cny) * np.exp(rng.normal(0.0, 0.25, days))
            when = [date(2020, 10, 1) + timedelta(days=d) for d in range(days)]
            rows += [(day, segment, f"p{j:02d}", s, y) for day, s, y in zip(when, spend, got, strict=True)]
    names = ["date", "segment", "placement", "cost_cny", "impressions"]
    return log_capacity, pl.DataFrame(rows, schema=names, orient="row")


@pytest.mark.parametrize("name", ["capacity_over_observed", "bend_sd"])
def test_capacities_of_the_stated_size_are_shrunk_best(monkeypatch, name):
    truth, daily = placements_that_deliver_more(60, np.random.default_rng(0))
    paid = units.paid_units(daily, outcome="impressions", placements=None)
    names = tuple(sorted(daily["placement"].unique().to_list()))

    def loss(factor):
        changed = replace(SUPPLY, **{name: factor * getattr(SUPPLY, name)})
        for module in (units, fit, price):
            monkeypatch.setattr(module, "SUPPLY", changed)
        built = units.build_units(
            paid, segments=("a", "b", "c"), placements=names, users=dict.fromkeys("abc", 1000.0),
            outcome="impressions",
        )  # fmt: skip
        fitted = fit.fit_supply(built, rng=np.random.default_rng(0), n_draws=2)
        found = fitted.draws.log_capacity.mean(axis=0).reshape(3, -1).mean(axis=0)
        return float(np.mean((found - truth) ** 2))

    assert loss(1.0) < min(loss(1 / right_size.FACTOR), loss(right_size.FACTOR))
