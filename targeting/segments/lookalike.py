"""People like given ones (相似粉丝). In: people, seeds. Out: a ranking by likeness, and what it is worth.

Likeness is the density ratio p(x | seed) / p(x): how much commoner a person's features are among the seeds
than among everybody. Who is a seed is fitted as an event against everybody else (positive and unlabelled
rows, Elkan & Noto, KDD 2008: seeds that are drawn at random from those meant keep the order) by the funnel's
own likelihood and shape, a line and trees as far as held-out people want them (`models.rates.shape`), so its
chance over that of a random person is the ratio. Likeness knows nothing of prices, of who follows, or
of who would have bought anyway: the result therefore says how it agrees with the value model.

It must not import the planner or the optimiser.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from models.arrays import BoolArray, FloatArray
from models.audience.encoding import FeatureEncoder
from models.contracts import as_frame
from models.errors import DataError
from models.rates.likelihood import HazardRows
from models.rates.shape import Fitting, fit_shape
from targeting.segments.segment_settings import SETTINGS


@dataclass(frozen=True, repr=False)
class Lookalike:
    """People ranked by likeness to seeds, and how that agrees with what they are worth.

    Attributes:
        people: user_id, likeness (times commoner among the seeds than among everybody), rank (1 is likest),
            p_follow, gmv_per_fan_cny and worth_cny (their product, yuan an impression adds) of the placement
            where the person is worth most; not fans and not seeds, likest first.
        seeds: found among the people.
        unknown: seeds that were not.
        told_apart: chance that a seed is ranked above another person, out of fold; 0.5 is none.
        agreement: Spearman's rank correlation of likeness and worth.
        overlap: share of the likest tenth that is in the most valuable tenth.
        captured: share of all worth in the likest tenth; captured_best: in the most valuable tenth.
    """

    people: pl.DataFrame
    seeds: int
    unknown: int
    told_apart: float
    agreement: float
    overlap: float
    captured: float
    captured_best: float

    def __str__(self) -> str:
        """What was found, a line each."""
        lines = [
            f"{self.people.height:,} people by likeness to {self.seeds:,} seeds"
            + (f" ({self.unknown:,} seeds are not among the people)" if self.unknown else ""),
            f"seeds are told apart from others with {self.told_apart:.2f} (0.5 is chance)",
            f"likest tenth: {self.captured:.0%} of the expected GMV, the value model's tenth"
            f" {self.captured_best:.0%}, a random tenth 10%; {self.overlap:.0%} of its people are in both",
            f"rank correlation with expected GMV {self.agreement:+.2f}",
        ]
        if self.captured_best > 0 and self.captured < 0.75 * self.captured_best:
            lines.append(
                "the value model finds more: plan by it, and use likeness where only ids can be given"
            )
        return "\n".join([*lines, str(self.people.head(10))])

    __repr__ = __str__


def lookalike(
    seed_users: object, *, people: pl.DataFrame, scores: pl.DataFrame, encoder: FeatureEncoder, seed: int = 0
) -> Lookalike:
    """Rank who is not a fan by likeness to the seeds; see the module.

    Args:
        seed_users: ids (a sequence or a Series), or a frame with a column user_id.
        people: users as they were scored: user_id and the features.
        scores: of these people.
        encoder: codes their features.
        seed: of folds and columns.

    Raises:
        DataError: no ids, or fewer than `least_seeds` of them are among the people, or there is nobody else.
    """
    wanted = _ids(seed_users)
    is_seed = people["user_id"].is_in(wanted.implode()).to_numpy()
    found = int(is_seed.sum())
    if found < SETTINGS.least_seeds:
        raise DataError(
            f"lookalike: {found} of {len(wanted)} seeds are among the {people.height} people of the audience;"
            f" expected {SETTINGS.least_seeds} or more; score the seeds with the people, or give more"
        )
    density, told_apart = _likeness(people, is_seed, encoder=encoder, seed=seed)
    ranked = _ranked(people.select("user_id").with_columns(likeness=density), scores, wanted)
    if ranked.is_empty():
        raise DataError(
            "lookalike: everybody is a fan or a seed, so nobody is left to rank; give more people"
        )
    likeness, worth = ranked["likeness"].to_numpy(), ranked["worth_cny"].clip(0.0).to_numpy()
    top = max(ranked.height // 10, 1)
    best = np.argsort(-worth, kind="stable")[:top]
    total = max(float(worth.sum()), 1e-300)
    return Lookalike(
        people=ranked,
        seeds=found,
        unknown=len(wanted) - found,
        told_apart=told_apart,
        agreement=_spearman(likeness, worth),
        overlap=float((best < top).mean()),
        captured=float(worth[:top].sum()) / total,
        captured_best=float(worth[best].sum()) / total,
    )


def _ids(seed_users: object) -> pl.Series:
    """The seeds' ids, each once, as text."""
    if isinstance(seed_users, pl.Series | list | tuple | set | frozenset | np.ndarray):
        ids = pl.Series("user_id", list(seed_users), strict=False)
    else:
        frame = as_frame(seed_users, source="seed_users")
        if "user_id" not in frame.columns:
            raise DataError(f"seed_users: column user_id is missing among {', '.join(frame.columns)}; add it")
        ids = frame["user_id"]
    known = ids.cast(pl.String).drop_nulls().unique().sort()
    if known.is_empty():
        raise DataError("seed_users: has no id; give the user_id of buyers, as a list or a column user_id")
    return known


def _likeness(
    people: pl.DataFrame, is_seed: BoolArray, *, encoder: FeatureEncoder, seed: int
) -> tuple[FloatArray, float]:
    """Out-of-fold density ratio of everybody, (n,), and the chance that a seed is above another."""
    n, some = people.height, is_seed.astype(np.float64)
    rows = HazardRows(user=np.arange(n), y=some, w=np.ones(n), b=np.zeros(n), weight=np.ones(n))
    fitting = Fitting(encoder.encode(people), encoder.categorical, seed=seed, threads=1)
    rate = -np.expm1(-np.exp(fit_shape(fitting, rows).out_of_fold))
    rank = pl.Series(rate).rank("average").to_numpy()
    found = float(some.sum())
    above = (float(rank[is_seed].sum()) - found * (found + 1) / 2) / max(found * (n - found), 1.0)
    return np.asarray(rate * n / found), above


def _ranked(people: pl.DataFrame, scores: pl.DataFrame, seeds: pl.Series) -> pl.DataFrame:
    """Who is eligible and no seed, likest first, with the scores where the person is worth most."""
    worth = pl.col("p_follow") * pl.col("gmv_per_fan_cny")
    best = (
        scores.filter(pl.col("eligible"))
        .with_columns(worth_cny=worth)
        .sort("worth_cny", descending=True, maintain_order=True)
        .unique("user_id", keep="first", maintain_order=True)
        .select("user_id", "p_follow", "gmv_per_fan_cny", "worth_cny")
    )
    return (
        people.filter(~pl.col("user_id").is_in(seeds.implode()))
        .join(best, on="user_id", how="inner")
        .sort("likeness", "user_id", descending=[True, False])
        .with_row_index("rank", offset=1)
        .select("user_id", "likeness", "rank", "p_follow", "gmv_per_fan_cny", "worth_cny")
    )


def _spearman(one: FloatArray, other: FloatArray) -> float:
    """Rank correlation; 0 where a side never varies."""
    a, b = (pl.Series(x).rank("average").to_numpy() for x in (one, other))
    return 0.0 if not (a.std() > 0 and b.std() > 0) else float(np.corrcoef(a, b)[0, 1])
