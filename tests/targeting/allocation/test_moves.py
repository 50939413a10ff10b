"""Changing one cell alone: the shared evaluation gives what one evaluation per cell gives."""

from __future__ import annotations

import numpy as np
import pytest
from small_markets import market

from targeting.allocation.moves import Neighbours, marginals, trial_gains
from targeting.allocation.outcomes import outcomes, total


@pytest.mark.parametrize("users", [2e3, np.inf])
def test_gains_are_those_of_one_change_at_a_time(users):
    small = market(segments=2, slots=3, users=users)
    rng = np.random.default_rng(1)
    spend, trials = rng.uniform(0, 200, len(small)), rng.uniform(0, 400, (4, len(small)))
    value = {"gmv": np.ones(len(small)), "spend": -np.ones(len(small))}
    gains = trial_gains(small, spend_cny=spend, trials_cny=trials, coefficients=value)
    base = float(total(value, outcomes(small, spend)))
    for k in range(4):
        for c in range(len(small)):
            moved = spend.copy()
            moved[c] = trials[k, c]
            assert gains[k, c] == pytest.approx(float(total(value, outcomes(small, moved))) - base, abs=1e-7)


def test_cells_without_shared_users_are_tried_together():
    assert Neighbours.of(market(segments=50, users=np.inf)).seat.max() == 0
    assert Neighbours.of(market(segments=50)).seat.max() == 1
    assert Neighbours.of(market(segments=5, slots=3)).seat.max() == 5


def test_marginals_are_slopes():
    small = market()
    spend = np.full(6, 100.0)
    found = marginals(small, spend_cny=spend, coefficients={"gmv": np.ones(6)}, step_cny=1e-3)
    later = marginals(small, spend_cny=2 * spend, coefficients={"gmv": np.ones(6)}, step_cny=1e-3)
    assert (found > later).all()
    assert (later > 0).all()
