"""What the coin says of logged rates. In: randomised rows of every rate, logged log rates. Out: their shifts.

Logs are precise and confounded, randomised rows are neither. On the latter the log rate of kind j is

    f_j + a_j + t_j (f_j - c_j),    a_j = a + e_j,   a ~ N(0, A^2),  e_j ~ N(0, E^2),  t_j ~ N(0, T^2),

one shift a for all rates, because one platform ranks for all of them and whatever it knows of people's intent
moves entering, following and buying alike, and each rate's own share e_j. All rates are fitted at once under
three hypotheses of (A, E, T): delivery is unconfounded given the features; confounded; hopelessly so; and
averaged by evidence (`evidence`). So thousands of live entries steady hundreds of follows, and these a
handful of buyers; where there is no coin nothing is changed.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from models.arrays import FloatArray
from models.rates.evidence import Prior, average
from models.rates.likelihood import HazardRows, hazard_gradient
from models.rates.log_rows import hazard_rows
from models.rates.rate import Shift
from models.rates.settings import RATES


@dataclass(frozen=True)
class Tossed:
    """Randomised rows of a rate beside the log rate that the logs give them, (n,)."""

    rows: HazardRows
    log_rate: FloatArray


def tossed(
    rows: pl.DataFrame, *, event: str, exposure: str, baseline: FloatArray | None, log_rate: FloatArray
) -> Tossed | None:
    """The randomised part of logged rows; None where every row is randomised or none is.

    Args:
        rows: Logged rows with user, `event`, `exposure`, randomized, propensity.
        event: Name of the event column.
        exposure: Name of the exposure column.
        baseline: Known hazard of each row, (n,), or None for zero.
        log_rate: Out-of-fold logged log rate of every user, (n_users,).
    """
    randomised = rows["randomized"].fill_null(False).to_numpy()
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
    return Tossed(events, log_rate[events.user])


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


def coin_shifts(rates: Mapping[str, Tossed | None]) -> dict[str, Shift]:
    """The shift of every rate that has randomised rows beside others, by name; fitted together."""
    some = {name: one for name, one in rates.items() if one is not None}
    if not some:
        return {}
    n = len(some)
    centres = [_centre(one) for one in some.values()]
    sizes = [one.log_rate.size for one in some.values()]
    kind = np.repeat(np.arange(n), sizes)
    f = np.concatenate([one.log_rate for one in some.values()])
    design = np.zeros((f.size, 2 * n))
    design[np.arange(f.size), kind] = 1.0
    design[np.arange(f.size), n + kind] = f - np.array(centres)[kind]
    found = average(_joined([one.rows for one in some.values()]), design, _priors(n), offset=f).theta
    return {
        name: Shift(centre, float(found[k]), float(max(found[n + k], -1.0)))
        for k, (name, centre) in enumerate(zip(some, centres, strict=True))
    }


def _priors(n: int) -> list[Prior]:
    """Each hypothesis for the shifts and the tilts of n rates."""
    priors = []
    for shared, own, tilt in RATES.corrections:
        covariance = np.zeros((2 * n, 2 * n))
        covariance[:n, :n] = shared**2 + own**2 * np.eye(n)
        covariance[n:, n:] = tilt**2 * np.eye(n)
        priors.append(Prior(np.zeros(2 * n), covariance))
    return priors


def _centre(one: Tossed) -> float:
    """Mean log rate by information: there shift and tilt are known nearly independently."""
    _, information = hazard_gradient(one.rows, one.log_rate)
    return float(np.average(one.log_rate, weights=information))


def _joined(parts: list[HazardRows]) -> HazardRows:
    """Rows of several rates in one."""
    return HazardRows(
        *(np.concatenate([getattr(p, name) for p in parts]) for name in HazardRows.__dataclass_fields__)
    )
