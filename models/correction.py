"""From logged to randomised rates: how much of what logs say is the platform's choice of whom to show to.

Logs are precise and confounded, a coin is neither. The map between them is fitted on randomised rows under
several views of how confounded delivery is, and the views are averaged by how well they explain those rows.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from models.labels import hazard_rows
from models.rate_maps import LogRateMap, View, average_views

WEIGHT_LIMITS = (0.1, 10.0)
"""Stabilised inverse propensities outside are clipped: a few rows must not decide."""


CORRECTIONS = (View(0.02, 0.02), View(0.3, 0.1), View(1.0, 0.3))
"""Delivery is unconfounded given the features; confounded; hopelessly so.

With 170 randomised follows a free shift has a standard error of 8 %, a free slope one of 0.1, which at
three times the mean rate is another 11 %: where the experiment agrees with the logs within that, the noise is
all it would add, so one view says "no change" almost exactly; where it disagrees by several standard errors
that view loses and the experiment decides."""


def randomized_weight(rows: pl.DataFrame) -> np.ndarray:
    """1/propensity of randomised rows, scaled to mean one and clipped; one where the propensity is
    unknown. Shape (n,)."""
    inverse = (1.0 / rows["propensity"]).to_numpy().astype(np.float64)
    known = np.isfinite(inverse)
    if not known.any():
        return np.ones(rows.height)
    scaled = np.clip(inverse / inverse[known].mean(), *WEIGHT_LIMITS)
    return np.where(known, scaled, 1.0)


def coin_correction(
    rows: pl.DataFrame, event: str, baseline: np.ndarray | None, honest: np.ndarray, exposure: str
) -> tuple[LogRateMap, ...]:
    """The map from the logged to the randomised log rate; none where every row is randomised or no row is."""
    coin = rows["randomized"].to_numpy()
    if not coin.any() or coin.all():
        return ()
    chosen = rows.filter("randomized")
    events = hazard_rows(
        chosen,
        event=event,
        exposure=exposure,
        baseline=None if baseline is None else baseline[coin],
        weight=randomized_weight(chosen),
    )
    return (average_views(events, honest[events.user], CORRECTIONS),)
