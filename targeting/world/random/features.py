"""What a drawn merchant's platform knows about people: a table of its own for every seed.

Numbers and categories lean on a few hidden factors; some are noise, some have nulls, one category may have
hundreds of levels. Whatever people do depends on the observed values only (a null is a value), so that what
features can tell is known exactly. It must not import anything of the project but its siblings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from targeting.world.supply import FloatArray

FACTORS = 5
AGE_BANDS = ("18-23", "24-30", "31-40", "41-50", "51+")
COUNTS = ("orders_90d", "live_visits_30d", "shares_30d", "comments_30d")
AMOUNTS = ("device_price_cny", "aov_cny", "watch_min_30d", "live_min_30d", "spend_180d_cny")
SHARES = tuple(
    f"interest_{topic}" for topic in ("goods", "fashion", "comedy", "games", "food", "home", "cars")
)


@dataclass(frozen=True)
class Known:
    """The table, and the same as signals.

    Attributes:
        signal: every number as a normal score (0 for a null), (n,) each.
        level: every category as codes (null is a level), (n,) each.
        crowded: the category with hundreds of levels, or none.
    """

    table: pl.DataFrame
    signal: Mapping[str, FloatArray]
    level: Mapping[str, NDArray[np.int64]]
    crowded: str | None


def draw_known(rng: np.random.Generator, n: int, *, crowded_levels: int, numbers: int) -> Known:
    """`numbers` numeric columns, a few categories, and one with `crowded_levels` levels if that is not 0."""
    factor = rng.normal(size=(n, FACTORS))
    columns: dict[str, pl.Series] = {}
    names = [*COUNTS, *AMOUNTS, *SHARES]
    for name in rng.permutation(names)[:numbers]:
        loading = rng.normal(size=FACTORS) * (rng.random(FACTORS) < 0.5)
        latent = factor @ loading + rng.uniform(0.4, 1.2) * rng.normal(size=n)
        latent = latent / max(float(latent.std()), 1e-9)
        columns[str(name)] = _hidden(rng, _number(rng, str(name), latent), _null_share(rng))
    male = factor[:, 0] + rng.normal(size=n) > rng.normal(0.0, 0.3)
    columns["gender"] = _hidden(rng, pl.Series(np.where(male, "m", "f")), rng.uniform(0.0, 0.15))
    columns["age_band"] = _hidden(rng, pl.Series(_cut(factor[:, 1] + rng.normal(size=n), AGE_BANDS)), 0.03)
    tier = _cut(factor[:, 2] + rng.normal(size=n), tuple(range(1, 6)))
    columns["city_tier"] = pl.Series(tier.astype(np.int64))
    columns["follows_shops"] = pl.Series(factor[:, 3] + rng.normal(size=n) > 0.8)
    if crowded_levels:
        size = rng.dirichlet(np.full(crowded_levels, 0.6))
        code = rng.choice(crowded_levels, n, p=size)
        columns["home_city"] = _hidden(rng, "c" + pl.Series(code).cast(pl.String).str.zfill(4), 0.02)
    table = pl.DataFrame(columns)
    return Known(table, *_signals(table), "home_city" if crowded_levels else None)


def _null_share(rng: np.random.Generator) -> float:
    return float(rng.uniform(0.01, 0.2)) if rng.random() < 0.35 else 0.0


def _number(rng: np.random.Generator, name: str, latent: FloatArray) -> pl.Series:
    """A column of the name's kind, increasing in `latent` but for rounding and chance."""
    if name in COUNTS:
        return pl.Series(rng.poisson(np.exp(rng.uniform(-1.0, 1.2) + 0.9 * latent)).astype(np.int64))
    if name in AMOUNTS:
        return pl.Series(np.round(np.exp(rng.uniform(3.5, 7.0) + rng.uniform(0.4, 1.0) * latent), 1))
    return pl.Series(np.round(1 / (1 + np.exp(-rng.normal(-0.3, 0.5) - 1.1 * latent)), 3))


def _cut(latent: FloatArray, levels: tuple[object, ...]) -> NDArray[np.object_]:
    edges = np.quantile(latent, np.linspace(0, 1, len(levels) + 1)[1:-1])
    return np.array(levels, dtype=object)[np.searchsorted(edges, latent)]


def _hidden(rng: np.random.Generator, values: pl.Series, share: float) -> pl.Series:
    return values.set(pl.Series(rng.random(len(values)) < share), None)


def _signals(table: pl.DataFrame) -> tuple[dict[str, FloatArray], dict[str, NDArray[np.int64]]]:
    signal, level = {}, {}
    for column in table:
        if column.dtype.is_numeric():
            signal[column.name] = _normal_scores(column)
        else:
            levels = column.cast(pl.String).fill_null("(null)")
            level[column.name] = levels.rank("dense").to_numpy().astype(np.int64) - 1
    return signal, level


def _normal_scores(column: pl.Series) -> FloatArray:
    """Standard normal quantiles of the ranks (ties share one), 0 for a null."""
    from scipy.special import ndtri

    rank = column.rank("average").to_numpy().astype(float)
    scores = ndtri((np.nan_to_num(rank, nan=0.5) - 0.5 + 1e-9) / max(len(column) - column.null_count(), 1))
    return np.where(np.isnan(rank), 0.0, np.clip(scores, -4.0, 4.0))
