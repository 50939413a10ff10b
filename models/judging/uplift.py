"""How well a score ranks people by what showing adds. In: outcomes, scores, arms. Out: Qini, uplift curves.

One stated definition, that of scikit-uplift's `qini_auc_score` and `uplift_auc_score`, so that figures can be
laid beside published ones. Rows are sorted by falling score and cut at every distinct score (ties enter
together). With n rows so far, of them N1 treated with outcomes Y1 and N0 not treated with outcomes Y0,

    Qini curve      Q(n) = Y1 - Y0 N1 / N0              (Radcliffe 2007; Y0 counts nothing while N0 = 0)
    uplift curve    U(n) = (Y1 / N1 - Y0 / N0) n        (Devriendt, Moldovan & Verbeke 2018)
    score           (area - chance) / (perfect - chance)

where areas are trapezoids over n, `chance` is the triangle under the straight line to the curve's end and
`perfect` is the area of the best possible ranking: treated responders first and control responders last
(Qini); for uplift the groups in the order given at `perfect_uplift_curve`. Chance scores 0, a perfect ranking
1, a reversed one less than 0. Rows may carry weights (inverse propensities, bootstrap counts): every count
above is then a sum of weights; weights of one give scikit-uplift's numbers to the last digit.

A high Qini on few rows is nothing: `models.judging.heterogeneity` puts an interval around it.

Sources: Radcliffe, "Using control groups to target on predicted lift", Direct Marketing Analytics Journal
2007; Devriendt, Moldovan & Verbeke, "A literature survey and experimental evaluation of the state-of-the-art
in uplift modeling", Big Data 6(1), 2018. Must not import mlflow, lightgbm, targeting or pipelines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.errors import DataError


@dataclass(frozen=True)
class Curve:
    """Points of a curve from (0, 0).

    Attributes:
        targeted: Weight (rows) targeted so far, (k,), rising.
        gain: Incremental outcome so far, (k,).
    """

    targeted: np.ndarray
    gain: np.ndarray

    @property
    def area(self) -> float:
        """Trapezoid area."""
        return float(np.trapezoid(self.gain, self.targeted))

    @property
    def chance(self) -> float:
        """Area under the straight line to the end of the curve."""
        return float(0.5 * self.targeted[-1] * self.gain[-1])


def qini_curve(
    *, outcome: np.ndarray, score: np.ndarray, treated: np.ndarray, weight: np.ndarray | None = None
) -> Curve:
    """Q(n) = Y1 - Y0 N1 / N0 along the ranking.

    Args:
        outcome: Outcome per row, >= 0, (n,).
        score: Ranks the rows, high first, (n,).
        treated: True where shown, (n,).
        weight: Weight per row, > 0, (n,); one where not given.

    Raises:
        DataError: Lengths differ, an arm is empty, or a number is not finite.

    >>> curve = qini_curve(outcome=np.array([1, 0, 1, 0]), score=np.array([4.0, 3, 2, 1]),
    ...                    treated=np.array([1, 0, 0, 1]))
    >>> curve.gain.tolist()
    [0.0, 1.0, 1.0, 0.5, 0.0]
    """
    return Ranked.of(outcome, score, treated).qini(row_weights(weight, outcome))


def uplift_curve(
    *, outcome: np.ndarray, score: np.ndarray, treated: np.ndarray, weight: np.ndarray | None = None
) -> Curve:
    """U(n) = (Y1 / N1 - Y0 / N0) n along the ranking; arguments as for `qini_curve`."""
    return Ranked.of(outcome, score, treated).uplift(row_weights(weight, outcome))


def perfect_qini_curve(
    *, outcome: np.ndarray, treated: np.ndarray, weight: np.ndarray | None = None
) -> Curve:
    """The Qini curve of the best ranking: by y for treated and -y for control rows, high first."""
    return qini_curve(
        outcome=outcome, score=perfect_qini_score(outcome, treated), treated=treated, weight=weight
    )


def perfect_uplift_curve(
    *, outcome: np.ndarray, treated: np.ndarray, weight: np.ndarray | None = None
) -> Curve:
    """The uplift curve of scikit-uplift's best ranking.

    Rows whose outcome equals their treatment come first; ties are broken by outcome where there are more
    control responders than treated non-responders, else by treatment. For outcomes of 0 and 1 only.

    Raises:
        DataError: An outcome is neither 0 nor 1.
    """
    score = _perfect_uplift(outcome, treated)
    return uplift_curve(outcome=outcome, score=score, treated=treated, weight=weight)


def qini_auc_score(
    *, outcome: np.ndarray, score: np.ndarray, treated: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """Normalised area between the Qini curve and chance: scikit-uplift's `qini_auc_score` (negative effects
    allowed). Arguments as for `qini_curve`; NaN where even a perfect ranking gains nothing.
    """
    perfect = perfect_qini_curve(outcome=outcome, treated=treated, weight=weight)
    return _normalised(qini_curve(outcome=outcome, score=score, treated=treated, weight=weight), perfect)


def uplift_auc_score(
    *, outcome: np.ndarray, score: np.ndarray, treated: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """Normalised area between the uplift curve and chance (AUUC): scikit-uplift's `uplift_auc_score`.

    Raises:
        DataError: An outcome is neither 0 nor 1.
    """
    perfect = perfect_uplift_curve(outcome=outcome, treated=treated, weight=weight)
    return _normalised(uplift_curve(outcome=outcome, score=score, treated=treated, weight=weight), perfect)


@dataclass(frozen=True)
class Ranked:
    """Rows sorted by falling score, and where each tie ends: sorted once, weighed many times.

    Attributes:
        order: Rows by falling score, (n,).
        ends: Position of the last row of every tie, (k,).
        outcome: Outcome in that order, (n,).
        treated: 1.0 where shown, in that order, (n,).
    """

    order: np.ndarray
    ends: np.ndarray
    outcome: np.ndarray
    treated: np.ndarray

    @classmethod
    def of(cls, outcome: np.ndarray, score: np.ndarray, treated: np.ndarray) -> Ranked:
        """Check and sort rows, each array (n,).

        Raises:
            DataError: Lengths differ, an arm is empty, or a number is not finite.
        """
        y, s = np.asarray(outcome, dtype=float), np.asarray(score, dtype=float)
        t = np.asarray(treated, dtype=float)
        if not y.shape == s.shape == t.shape or y.ndim != 1 or y.size == 0:
            raise DataError(
                f"uplift: outcome {y.shape}, score {s.shape} and treated {t.shape} differ or are empty;"
                " expected one number per row in each"
            )
        if not (np.isfinite(y).all() and np.isfinite(s).all()) or not np.isin(t, (0.0, 1.0)).all():
            raise DataError("uplift: expected finite outcomes and scores, and treated 0 or 1 in every row")
        if not 0 < t.sum() < t.size:
            raise DataError("uplift: one arm is empty; expected shown and held-out rows")
        order = np.argsort(-s, kind="stable")
        ends = np.append(np.flatnonzero(np.diff(s[order])), s.size - 1)
        return cls(order, ends, y[order], t[order])

    def _sums(self, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """N1, N0, Y1, Y0 at the end of every tie, each (k,)."""
        w = weight[self.order]
        shown, held = w * self.treated, w * (1.0 - self.treated)
        parts = (shown, held, shown * self.outcome, held * self.outcome)
        n1, n0, y1, y0 = (np.cumsum(part)[self.ends] for part in parts)
        return n1, n0, y1, y0

    def qini(self, weight: np.ndarray) -> Curve:
        """Qini curve with weights in the rows' own order, (n,)."""
        n1, n0, y1, y0 = self._sums(weight)
        gain = y1 - y0 * np.divide(n1, n0, out=np.zeros_like(n1), where=n0 > 0)
        return Curve(np.append(0.0, n1 + n0), np.append(0.0, gain))

    def uplift(self, weight: np.ndarray) -> Curve:
        """Uplift curve with weights in the rows' own order, (n,)."""
        n1, n0, y1, y0 = self._sums(weight)
        shown = np.divide(y1, n1, out=np.zeros_like(y1), where=n1 > 0)
        held = np.divide(y0, n0, out=np.zeros_like(y0), where=n0 > 0)
        total = n1 + n0
        return Curve(np.append(0.0, total), np.append(0.0, (shown - held) * total))


def row_weights(weight: np.ndarray | None, outcome: np.ndarray) -> np.ndarray:
    """The weights as floats, ones where there are none, (n,)."""
    return np.ones(len(outcome)) if weight is None else np.asarray(weight, dtype=float)


def _normalised(curve: Curve, perfect: Curve) -> float:
    room = perfect.area - perfect.chance
    return (curve.area - curve.chance) / room if abs(room) > 1e-12 else float("nan")


def perfect_qini_score(outcome: np.ndarray, treated: np.ndarray) -> np.ndarray:
    """Ranks treated responders first and control responders last, (n,)."""
    y, t = np.asarray(outcome, dtype=float), np.asarray(treated, dtype=float)
    return np.asarray(y * t - y * (1.0 - t))


def _perfect_uplift(outcome: np.ndarray, treated: np.ndarray) -> np.ndarray:
    y, t = np.asarray(outcome, dtype=float), np.asarray(treated, dtype=float)
    if not np.isin(y, (0.0, 1.0)).all():
        raise DataError(
            "uplift: the perfect uplift curve needs outcomes of 0 and 1; use the Qini curve instead"
        )
    control_responders = ((y == 1) & (t == 0)).sum()
    treated_nonresponders = ((y == 0) & (t == 1)).sum()
    tie = y if control_responders > treated_nonresponders else t
    return np.asarray(2.0 * (y == t) + tie)
