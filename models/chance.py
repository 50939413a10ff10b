"""What chance adds to an expectation. In: what buyers left, how days scatter. Out: random totals.

An expectation is what many equal campaigns would bring on average; one campaign brings something else. Three
things move it: the day (delivery scatters around its curve), who follows (each person does or does not), and
who buys how much (few buyers, sizes with a heavy tail). With m the expected total of a cell and e what was
delivered over its curve,

    fans ~ unit x Poisson(e m / unit), or Binomial(N, e m / N) where the N people of the cell are known,
    GMV  = sum of Poisson(e m / E[x]) independent x, x ~ what one buyer leaves (net of refunds),

so the variance of GMV is m E[x^2] / E[x] before the day adds its own. x is a table of equal-GMV bins, hence
counts of the bins are independent Poissons and nothing is drawn buyer by buyer. It must not import anything
of ours but arrays and stored.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.arrays import FloatArray
from models.stored import Array

BINS = 100
"""Of equal GMV: within a bin sizes differ by a few per cent, E[x^2] is kept to one."""


@dataclass(frozen=True)
class Chance:
    """How what comes scatters around what is expected.

    Attributes:
        buyer_cny: (n,) what one buyer leaves within the horizon, net of refunds; empty where not known.
        buyer_share: (n,) share of the buyers who leave it; sums to 1.
        day_sd: deviation of the log of a day's delivery, all cells together.
        cell_sd: the same of one cell apart.
        fan_unit: fans that count as one independent event, 1 for people one by one.
    """

    buyer_cny: Array
    buyer_share: Array
    day_sd: float = 0.0
    cell_sd: float = 0.0
    fan_unit: float = 1.0

    def over_days(self, days: float, *, slots: int = 1) -> Chance:
        """The same of a whole campaign: days scatter apart, so their sum scatters less."""
        whole, slot = max(days, 1.0), max(days / slots, 1.0)
        return replace(self, day_sd=self.day_sd / whole**0.5, cell_sd=self.cell_sd / slot**0.5)

    def delivery(self, shape: tuple[int, int], rng: np.random.Generator) -> FloatArray:
        """(n_draws, n_cells) delivery over its curve, mean 1."""
        apart = rng.normal(0.0, self.cell_sd, shape) + rng.normal(0.0, self.day_sd, (shape[0], 1))
        return np.asarray(np.exp(apart - 0.5 * (self.cell_sd**2 + self.day_sd**2)))

    def fans(self, expected: FloatArray, people: FloatArray, rng: np.random.Generator) -> FloatArray:
        """(n_draws,) fans of all cells, from the expected ones (n_draws, n_cells) and the people (n_cells,).

        With finite people a cell's fans are at most all of them; sums of binomials of different chance are
        drawn as one of the mean chance, which is wider by at most the spread of the chances.
        """
        known = np.isfinite(people)
        apart = rng.poisson(expected[:, ~known].sum(axis=1) / self.fan_unit) * self.fan_unit
        size = np.broadcast_to(np.rint(people[known]).astype(np.int64), expected[:, known].shape)
        within = np.clip(expected[:, known] / np.maximum(size, 1), 0.0, 1.0)
        return np.asarray(apart + rng.binomial(size, within).sum(axis=1), dtype=np.float64)

    def gmv(self, expected: FloatArray, rng: np.random.Generator) -> FloatArray:
        """(n_draws,) GMV of all cells together, from the expected totals (n_draws,)."""
        buyers = np.maximum(expected, 0.0) / float(self.buyer_cny @ self.buyer_share)
        return np.asarray(rng.poisson(np.outer(buyers, self.buyer_share)) @ self.buyer_cny)


def binned(amounts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Size and share of at most `BINS` bins of equal sum, (n,) each; their mean is that of the amounts.

    >>> size, share = binned(np.array([1.0, 1.0, 2.0, 100.0]))
    >>> float(size @ share), float(size.max())
    (26.0, 100.0)
    """
    kept = np.sort(amounts[amounts > 0])
    if not len(kept):
        return np.zeros(0), np.zeros(0)
    before = np.cumsum(kept) - kept
    bin_of = np.unique(np.floor(BINS * before / kept.sum()), return_inverse=True)[1]
    count = np.bincount(bin_of)
    return np.bincount(bin_of, kept) / count, count / len(kept)
