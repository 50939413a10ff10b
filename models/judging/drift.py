"""Are people, scores and curves those that a model was trained on? In: columns then and now. Out: verdicts.

Two samples of a column are compared by the population stability index over B bins (deciles of the reference,
or its levels; missing is a bin of its own),

    PSI = sum_b (p_b - q_b) ln(p_b / q_b)          (the symmetrised Kullback-Leibler divergence)

with half a row added to every bin. The usual thresholds (Siddiqi, Credit Risk Scorecards, 2006): under 0.10
`stable`, 0.10 to 0.25 `watch`, from 0.25 `act`. They are blind to the size of the samples, so a second
test must agree: without drift PSI / (1/n + 1/m) is close to chi-square with B - 1 degrees of freedom
(Yurdakul 2018), and a PSI under its 99 % point is `stable` whatever its size. Curves drift when a yuan buys
less or more than the fitted curve said: |log(realised / promised)| against the same two thresholds and the
promised interval.

Must not import mlflow, lightgbm, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from models.errors import DataError
from models.judging.settings import JUDGING

Verdict = Literal["stable", "watch", "act"]
MISSING = "(missing)"
RARE = "(others)"
_ORDER: tuple[Verdict, ...] = ("stable", "watch", "act")


@dataclass(frozen=True)
class Drift:
    """One column, then and now.

    Attributes:
        name: Column.
        psi: Population stability index; infinite where the column is gone.
        noise: 99 % point of the PSI if nothing had changed.
        verdict: `stable`, `watch` or `act`.
        why: Which bin moved most, in words.
    """

    name: str
    psi: float
    noise: float
    verdict: Verdict
    why: str


def psi(reference: np.ndarray, current: np.ndarray) -> float:
    """Population stability index of two vectors of counts over the same bins, (B,).

    >>> round(psi(np.array([500, 500]), np.array([500, 500])), 6)
    0.0
    >>> round(psi(np.array([5000, 5000]), np.array([8000, 2000])), 3)
    0.416
    """
    p, q = (np.asarray(counts, dtype=float) + 0.5 for counts in (reference, current))
    p, q = p / p.sum(), q / q.sum()
    return float(((p - q) * np.log(p / q)).sum())


def noise_level(*, reference_rows: int, current_rows: int, bins: int) -> float:
    """99 % point of the PSI when both samples come from one population: chi-square(B - 1) (1/n + 1/m)."""
    from scipy.stats import chi2

    if bins < 2 or min(reference_rows, current_rows) < 1:
        return 0.0
    return float(chi2.ppf(JUDGING.certainty, bins - 1)) * (1 / reference_rows + 1 / current_rows)


def drift_of(reference: pl.Series, current: pl.Series) -> Drift:
    """Compare one column then and now; numbers, booleans, dates or text.

    Raises:
        DataError: A sample is empty.
    """
    name = reference.name
    if reference.is_empty() or current.is_empty():
        raise DataError(f"drift of {name}: a sample is empty; give rows on both sides")
    labels, before, after = _counts(reference, current)
    found = psi(before, after)
    noise = noise_level(reference_rows=len(reference), current_rows=len(current), bins=len(labels))
    p, q = before / before.sum(), after / after.sum()
    worst = int(np.argmax(np.abs(q - p)))
    why = f"{labels[worst]}: {100 * p[worst]:.1f} % then, {100 * q[worst]:.1f} % now"
    return Drift(name, found, noise, judged(found, noise=noise), why)


def drift_of_frames(
    reference: pl.DataFrame, current: pl.DataFrame, *, columns: Iterable[str]
) -> pl.DataFrame:
    """Compare columns then and now, the worst first.

    Args:
        reference: Rows the model was trained on.
        current: Rows it is used on now.
        columns: Which; one that `current` lacks is `act`, one that `reference` lacks is left out.

    Returns:
        name, psi (null where gone), noise, verdict, why.
    """
    found = []
    for name in columns:
        if name not in reference.columns:
            continue
        if name not in current.columns:
            found.append(Drift(name, float("inf"), 0.0, "act", "the column is gone"))
        else:
            found.append(drift_of(reference[name], current[name].alias(name)))
    found.sort(key=lambda one: (-_ORDER.index(one.verdict), -one.psi, one.name))
    return drift_table(found)


def drift_table(found: Iterable[Drift]) -> pl.DataFrame:
    """name, psi (null where the column is gone), noise, verdict, why; the given order."""
    schema = {
        "name": pl.String, "psi": pl.Float64, "noise": pl.Float64, "verdict": pl.String, "why": pl.String
    }  # fmt: skip
    rows = [(d.name, d.psi if np.isfinite(d.psi) else None, d.noise, d.verdict, d.why) for d in found]
    return pl.DataFrame(rows, schema=schema, orient="row")


def judged(found: float, *, noise: float) -> Verdict:
    """Verdict on a PSI, or on |log(realised / promised)| of a curve, given what chance alone could do."""
    if found < JUDGING.watch or found <= noise:
        return "stable"
    return "act" if found >= JUDGING.act else "watch"


def worst_verdict(verdicts: Iterable[str]) -> Verdict:
    """The most serious of some verdicts; `stable` of none."""
    ranks = [_ORDER.index(one) for one in verdicts]
    return _ORDER[max(ranks, default=0)]


def drift_of_curve(*, name: str, promised: float, low: float, high: float, realised: float) -> Drift:
    """Whether a curve still tells what its spend buys.

    Args:
        name: Cell.
        promised: What the curve said, > 0.
        low: Lower end of its interval.
        high: Upper end.
        realised: What came, in the same unit and for the same spend.
    """
    if promised <= 0 or realised <= 0:
        return Drift(name, float("inf"), 0.0, "act", f"{realised:.4g} came where {promised:.4g} was promised")
    change = float(np.log(realised / promised))
    edge = high if change > 0 else low
    noise = abs(float(np.log(edge / promised))) if edge > 0 else float("inf")
    why = f"{100 * np.expm1(change):+.0f} % against the curve"
    return Drift(name, abs(change), noise, judged(abs(change), noise=noise), why)


def _counts(reference: pl.Series, current: pl.Series) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Labels of the bins and the counts then and now, bins that are empty on both sides left out."""
    if _is_number(reference) and _is_number(current):
        before, after, labels = _number_bins(_floats(reference), _floats(current))
    else:
        before, after, labels = _level_bins(reference.cast(pl.String), current.cast(pl.String))
    filled = (before + after) > 0
    return [label for label, keep in zip(labels, filled, strict=True) if keep], before[filled], after[filled]


def _is_number(values: pl.Series) -> bool:
    return values.dtype.is_numeric() or values.dtype.is_temporal()


def _floats(values: pl.Series) -> np.ndarray:
    if values.dtype.is_temporal():
        values = values.to_physical()
    return values.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _number_bins(reference: np.ndarray, current: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[str]]:
    known = reference[np.isfinite(reference)]
    levels = np.unique(known)
    if levels.size <= JUDGING.bins:
        # few values: one bin each, or a move between two of them would stay unseen
        edges = (levels[1:] + levels[:-1]) / 2
    else:
        edges = np.unique(np.quantile(known, np.linspace(0, 1, JUDGING.bins + 1)[1:-1]))
    labels = [f"up to {edge:.4g}" for edge in edges] + [
        f"over {edges[-1]:.4g}" if edges.size else "any value"
    ]
    counts = []
    for values in (reference, current):
        finite = np.isfinite(values)
        inside = np.bincount(np.searchsorted(edges, values[finite], side="left"), minlength=edges.size + 1)
        counts.append(np.append(inside, (~finite).sum()).astype(float))
    return counts[0], counts[1], [*labels, MISSING]


def _level_bins(reference: pl.Series, current: pl.Series) -> tuple[np.ndarray, np.ndarray, list[str]]:
    counted = reference.drop_nulls().alias("level").value_counts(name="rows")
    frequent = counted.sort("rows", "level", descending=[True, False]).head(JUDGING.most_levels)
    common = frequent["level"].sort().to_list()
    labels = [*common, RARE, MISSING]
    counts = []
    for values in (reference, current):
        table = dict(values.drop_nulls().alias("level").value_counts(name="rows").iter_rows())
        inside = [float(table.pop(level, 0)) for level in common]
        counts.append(np.array([*inside, float(sum(table.values())), float(values.null_count())]))
    return counts[0], counts[1], labels
