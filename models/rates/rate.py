"""One rate of the funnel. In: likelihood rows, user features. Out: shape, calibration, randomised correction.

Logs are confounded. The *shape* of a rate is learned from all rows, for precision; then
log h = a + s log h_shape is fitted on the randomised rows (weights 1/propensity, stabilised and clipped).
"No correction" and freer ones are averaged by how well each explains the randomised rows: a few of them add
no noise, many decide. The first map alone is kept to judge calibration on the logs as they are.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.rates.boosted_fit import BoostedFit, fit_boosted
from models.rates.boosting import HazardBooster
from models.rates.calibration import fit_calibration
from models.rates.likelihood import HazardRows, Rows
from models.rates.rate_maps import LogRateMap, chain


@dataclass(frozen=True)
class Fitting:
    """What every fit needs to know.

    Attributes:
        matrix: User features, (n_users, p).
        categorical: Positions of category columns.
        seed: Seed.
        threads: LightGBM threads.
    """

    matrix: np.ndarray
    categorical: tuple[int, ...]
    seed: int
    threads: int

    def boosted(self, rows: Rows) -> BoostedFit:
        """The shape of what is observed of these users."""
        return fit_boosted(
            matrix=self.matrix[rows.user],
            rows=rows,
            categorical=self.categorical,
            seed=self.seed,
            threads=self.threads,
        )


@dataclass(frozen=True)
class Rate:
    """A log rate f(x) with its calibration on the logs and its correction on randomised rows.

    Attributes:
        booster: Shape.
        logged: Maps to the rate in the logs as they are.
        causal: Further maps to the rate under randomisation.
    """

    booster: HazardBooster
    logged: tuple[LogRateMap, ...] = ()
    causal: tuple[LogRateMap, ...] = ()

    def log_rate(self, matrix: np.ndarray, *, threads: int = 1, causal: bool = True) -> np.ndarray:
        """Log rate of each row of a matrix, (n,)."""
        maps = self.logged + self.causal if causal else self.logged
        return chain(self.booster.log_rate(matrix, threads=threads), maps)


@dataclass(frozen=True)
class Shape:
    """A fitted rate with what cross-validation says of it.

    Attributes:
        rate: Fitted, calibrated on out-of-fold rows and, where asked for, corrected on randomised rows.
        out_of_fold: Out-of-fold log rate of every user before that correction, (n_users,).
        rounds: Trees.
        events: Events logged.
    """

    rate: Rate
    out_of_fold: np.ndarray
    rounds: int
    events: float


def fit_shape(fitting: Fitting, rows: HazardRows) -> Shape:
    """Fit and calibrate one rate; users outside the rows get the full model, which never saw them."""
    events, rows = rows.events, rows.thinned(fitting.seed)
    fit = fitting.boosted(rows)
    maps = (fit_calibration(rows, fit.out_of_fold),)
    out_of_fold = fit.booster.log_rate(fitting.matrix, threads=fitting.threads)
    out_of_fold[rows.user] = fit.out_of_fold
    return Shape(Rate(fit.booster, maps), chain(out_of_fold, maps), fit.rounds, events)
