"""From logged to randomised rates: how much of what logs say is the platform's choice of whom to show to.

Logs are precise and confounded, a coin is neither. The map between them is fitted on randomised rows under
several views of how confounded delivery is, and the views are averaged by how well they explain those rows
and the randomised rows of the funnel's other rates.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from models.rates.log_rows import hazard_rows
from models.rates.rate_maps import LogRateMap, View, ViewFits, fit_views

WEIGHT_LIMITS = (0.1, 10.0)
"""Stabilised inverse propensities outside are clipped: a few rows must not decide."""


CORRECTIONS = (View(0.02, 0.02), View(0.3, 0.1), View(1.0, 0.3))
"""Delivery is unconfounded given the features; confounded; hopelessly so.

With 170 randomised follows a free shift has a standard error of 8 %, a free slope one of 0.1, which at
three times the mean rate is another 11 %: where the experiment agrees with the logs within that, the noise is
all it would add, so one view says "no change" almost exactly; where it disagrees by several standard errors
that view loses and the experiment decides."""
SHARED = 0.8
"""Chance that a view which holds for the funnel's other rates holds for this one."""


def randomized_weight(rows: pl.DataFrame) -> np.ndarray:
    """1/propensity of randomised rows, scaled to mean one and clipped; one where the propensity is
    unknown. Shape (n,)."""
    inverse = (1.0 / rows["propensity"]).to_numpy().astype(np.float64)
    known = np.isfinite(inverse)
    if not known.any():
        return np.ones(rows.height)
    scaled = np.clip(inverse / inverse[known].mean(), *WEIGHT_LIMITS)
    return np.where(known, scaled, 1.0)


def randomised_views(
    rows: pl.DataFrame, *, event: str, exposure: str, baseline: np.ndarray | None, honest: np.ndarray
) -> ViewFits | None:
    """The map from logged to randomised log rates under each view; None where every row is randomised or
    none is.

    Args:
        rows: Logged rows with user, `event`, `exposure`, randomized, propensity.
        event: Name of the event column.
        exposure: Name of the exposure column.
        baseline: Known hazard of each row, (n,), or None for zero.
        honest: Out-of-fold logged log rate of every user, (n_users,).
    """
    coin = rows["randomized"].to_numpy()
    if not coin.any() or coin.all():
        return None
    chosen = rows.filter("randomized")
    events = hazard_rows(
        chosen,
        event=event,
        exposure=exposure,
        baseline=None if baseline is None else baseline[coin],
        weight=randomized_weight(chosen),
    )
    return fit_views(events, honest[events.user], CORRECTIONS) if events.y.size else None


def randomised_map(fits: ViewFits | None, others: Sequence[ViewFits | None] = ()) -> tuple[LogRateMap, ...]:
    """The correction of one rate, after hearing what the same coin says of other rates; () without a coin.

    One platform ranks for all of them: how confounded it is, is asked once. With thousands of live entries
    whose coin agrees with the logs, 160 randomised follows that are 2.5 standard errors short are bad luck
    rather than selection; alone they would say the opposite.
    """
    if fits is None:
        return ()
    heard = [one.log_evidence for one in others if one is not None]
    if not heard:
        return (fits.average(),)
    together = np.sum(heard, axis=0)
    shared = np.exp(together - together.max())
    apart = np.full(shared.size, 1.0 / shared.size)
    return (fits.average(SHARED * shared / shared.sum() + (1.0 - SHARED) * apart),)
