"""Every tuning number of the judging, in one place. It must not import anything.

A field's text ends with where the number is from: *derived* follows from arithmetic that is given, *cited*
names a source, *convention* is a choice that nothing here justifies further.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class JudgingSettings:
    """Tuning numbers of uplift, policy value, drift and the champion.

    Attributes:
        level: Of the intervals behind a verdict: one false alarm in forty on each side. Cited: convention
            since Fisher 1925.
        draws: Resamples of a bootstrap. Cited: Efron & Tibshirani 1993, section 19.3: percentile ends to a
            few hundredths of their deviation.
        arm_rows: Rows that each arm needs before a ranking can be judged at all. Convention.
        cost_shares: Shares of the cost of showing everybody at which a cost curve is told. Convention.
        held_out_share: Of the exposures, to compare two models on. Convention.
        follows: On the held-out rows below which nothing is compared: a level is known to 22 % then. Derived.
        buyers: Rows with worth below which the ranking is judged by fans instead of by their GMV. Derived: as
            above.
        comparison_draws: Resamples of a comparison of two models. Convention.
        least_rate: A model that calls impossible what happened loses log(1e9) = 21 nats a row, not infinitely
            many. Convention.
        watch: Population stability index from which a column is worth a look. Cited: Siddiqi 2006.
        act: The same from which the model must be trained again. Cited: Siddiqi 2006.
        bins: Of a number. Cited: deciles, Siddiqi 2006.
        certainty: Chance with which a column without drift stays below its noise. Convention.
        most_levels: Of a text column with a bin of their own; the rarer ones share one. Convention.
        effective_rows: Below which a normal interval is not taken at its word. Convention.
        small_share: Effective share of the rows, or unsupported probability, that makes the overlap poor.
            Convention.
        rough_propensity: Relative error of the mean inverse from which propensities count as inconsistent.
            Convention.
        folds: Over people, of an outcome model. Convention.
        ridge: Penalty of an outcome model, rows: it cannot bias a doubly robust estimate. Convention.
    """

    level: float = 0.95
    draws: int = 400
    arm_rows: int = 20
    cost_shares: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 1.0)
    held_out_share: float = 0.25
    follows: int = 20
    buyers: int = 20
    comparison_draws: int = 300
    least_rate: float = 1e-9
    watch: float = 0.10
    act: float = 0.25
    bins: int = 10
    certainty: float = 0.99
    most_levels: int = 30
    effective_rows: float = 100.0
    small_share: float = 0.05
    rough_propensity: float = 0.2
    folds: int = 5
    ridge: float = 1.0


JUDGING = JudgingSettings()
