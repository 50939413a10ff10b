"""Tuning numbers of supply: each is right where the truth is of the size that its text states."""

import numpy as np
import polars as pl
import pytest
import right_size

from models.supply import elasticity


def reports(n, rng, *, spread, rows):
    """Reports of three cells; what a row buys depends on its audience's size, which goes with its money."""
    made = []
    for truth in rng.normal(0.7, 0.15, n):
        told = truth + rng.normal(0.0, 0.15)
        cell = np.repeat(["a", "b", "c"], rows)
        cost = rng.lognormal(0.0, spread, cell.size)
        fans = rng.poisson(40.0 * cost**told).astype(float)
        table = {"segment": cell, "placement": ["live"] * cell.size, "cost_cny": cost, "new_fans": fans}
        made.append((truth, pl.DataFrame(table)))
    return made


@pytest.mark.parametrize("name", ["elasticity_sd", "scale_bias_sd"])
def test_elasticities_of_the_stated_doubt_are_shrunk_best(monkeypatch, name):
    made = reports(80, np.random.default_rng(0), spread=0.7, rows=12)

    def loss():
        found = np.array([elasticity.pooled_elasticity(rows, outcome="new_fans").mean for _, rows in made])
        return np.mean((found - [truth for truth, _ in made]) ** 2)

    right_size.check(monkeypatch, elasticity, "SUPPLY", name, loss)
