"""From logged to randomised rates. In: randomised rows, logged log rates. Out: the map between them.

How much of what logs say is the platform's choice of whom to show to? Logs are precise and confounded,
randomised rows are neither. The map is fitted on these under several hypotheses of how confounded delivery
is, averaged by how well they explain them and the randomised rows of the funnel's other rates.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from models.rates.evidence import posterior_weights
from models.rates.log_rows import hazard_rows
from models.rates.rate_maps import LogRateMap, MapFits, fit_maps
from models.rates.settings import RATES


def randomized_weight(rows: pl.DataFrame) -> np.ndarray:
    """1/propensity of randomised rows, scaled to mean one and clipped; one where the propensity is
    unknown. Shape (n,).
    """
    inverse = (1.0 / rows["propensity"]).to_numpy().astype(np.float64)
    known = np.isfinite(inverse)
    if not known.any():
        return np.ones(rows.height)
    scaled = np.clip(inverse / inverse[known].mean(), *RATES.inverse_propensity_limits)
    return np.where(known, scaled, 1.0)


def randomised_fits(
    rows: pl.DataFrame, *, event: str, exposure: str, baseline: np.ndarray | None, out_of_fold: np.ndarray
) -> MapFits | None:
    """The map from logged to randomised log rates under each hypothesis.

    None where every row is randomised or none is.

    Args:
        rows: Logged rows with user, `event`, `exposure`, randomized, propensity.
        event: Name of the event column.
        exposure: Name of the exposure column.
        baseline: Known hazard of each row, (n,), or None for zero.
        out_of_fold: Out-of-fold logged log rate of every user, (n_users,).
    """
    randomised = rows["randomized"].to_numpy()
    if not randomised.any() or randomised.all():
        return None
    chosen = rows.filter("randomized")
    events = hazard_rows(
        chosen,
        event=event,
        exposure=exposure,
        baseline=None if baseline is None else baseline[randomised],
        weight=randomized_weight(chosen),
    )
    return fit_maps(events, out_of_fold[events.user], RATES.corrections) if events.y.size else None


def randomised_map(fits: MapFits | None, others: Sequence[MapFits | None] = ()) -> tuple[LogRateMap, ...]:
    """The correction of one rate, after hearing what the same experiment says of others; () without one.

    One platform ranks for all of them: how confounded it is, is asked once. With thousands of live entries
    whose experiment agrees with the logs, 160 randomised follows that are 2.5 standard errors short are bad
    luck rather than selection; alone they would say the opposite.
    """
    if fits is None:
        return ()
    heard = [one.log_evidence for one in others if one is not None]
    if not heard:
        return (fits.average(),)
    shared = posterior_weights(np.sum(heard, axis=0))
    return (fits.average(RATES.shared * shared + (1.0 - RATES.shared) / shared.size),)
