"""Every tuning number of the audience model and of its cells. It imports nothing.

A field's text ends with where the number is from: *derived* follows from arithmetic that is given, *tested*
has a property in tests/models/audience/test_audience_settings.py that fails when it is changed by 2.5,
*cited* names a source, *calibrated* makes promises hold as often as they say in simulated worlds that are
named, *convention* is a choice that nothing here justifies further.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AudienceSettings:
    """Tuning numbers of the audience model.

    Attributes:
        most_features: Feature columns; a line of them is solved in the cube of their number. Convention:
            fitting 3,000 people: 2 s of CPU with 10, 10 s with 110, 107 s and 0.7 GB with 510.
        most_levels: Levels of a text column with a code of their own; the rarer ones share one. Convention.
        level_rows: Users that a level of a long text column needs: below, a rate would learn people by heart.
            Cited: LightGBM's least rows of a leaf.
        long_levels: Levels from which on a text column is a long one. Convention.
        anyway_sd: How far followers may have been keener to buy than their features say before they followed,
            log units. Convention: a factor of two.
        fan_buyers: Buying fans below which their purchases are not asked about. Derived: `min_events`.
        pressure_prior: Showings that pull what a new fan stands for towards one. Derived: people differ in
            how hard they are pressed by a factor of e.
        arrived_share: Least share of a delay curve: a follower of an hour ago counts a little, and never
            divides by zero. Convention.
        curve_points: Of a stored delay curve, denser in the first day. Convention.
        at_risk: Followers still observed (or a hundredth of all) up to an age that a delay curve is trusted
            at: a jump of it is known to 1/sqrt(10). Derived.
        longest_horizon: Times the age of the oldest new fan, beyond which a horizon is refused. Derived: fans
            who go on buying at the rate they did and fans whose purchases fade with log(1 + age) are then
            worth 2.6 times apart: 6 against 1 + log(6) / log(2) / 2 = 2.3 times what was seen.
        usual_horizon: Days that are never refused: what holds where the brief does not say. Convention.
        silent_extrapolation: Share of the GMV within the horizon, and of the horizon's days, that may be
            extrapolated without a word. Convention.
        extrapolated_sd: Deviation of the log of a fan's GMV per share of it that is extrapolated. Derived:
            that part may be nothing or twice as much, taken as an 80 % interval: 1 / 1.28.
        unwatched_sd: The same per share of the horizon's days that nobody was watched for, at least: of few
            purchases none may have fallen on the last days. Convention.
        refund_orders: Orders below which refunds still to come are not estimated: ten groups of twenty.
            Derived.
        refund_errors: Standard errors by which old orders must be refunded more than young ones. Convention:
            one false alarm in forty.
        amount_sd: Least deviation of log amounts: prices that never vary would be noise-free. Convention.
        held_out_share: Of the exposures by time, for calibration. Convention.
        held_out_follows: Per placement on both sides of the cut, known to 22 % each. Derived.
        causal_shown: Randomised shown rows of a placement without which no effect is called causal.
            Convention.
        causal_follows: Follows on them: their level is known to 1/sqrt(20) = 22 %. Derived.
        causal_held_out: Randomised held-out rows. Convention.
        score_rows: People scored at a time. Derived: 70 columns of doubles are then 2 MB, a processor's own
            cache, and a thousand numbers take as long as the call of numpy around them.
    """

    most_features: int = 1000
    most_levels: int = 5000
    level_rows: int = 20
    long_levels: int = 50
    anyway_sd: float = 0.7
    fan_buyers: int = 20
    pressure_prior: float = 1.0
    arrived_share: float = 0.02
    curve_points: int = 120
    at_risk: int = 10
    longest_horizon: float = 6.0
    usual_horizon: int = 30
    silent_extrapolation: tuple[float, float] = (0.1, 0.2)
    extrapolated_sd: float = 0.78
    unwatched_sd: float = 0.3
    refund_orders: int = 200
    refund_errors: float = 2.0
    amount_sd: float = 0.05
    held_out_share: float = 0.25
    held_out_follows: int = 20
    causal_shown: int = 300
    causal_follows: int = 20
    causal_held_out: int = 300
    score_rows: int = 4096


@dataclass(frozen=True)
class CellSettings:
    """The prior's table of logged against predicted outcomes: deviations in log units.

    Attributes:
        level_sd: How far the scores' own level of follows may be off before the logs are asked. Tested.
        gmv_level_sd: The same of GMV per fan: a few dozen buyers set it. Convention: with 0.2 promises of 29
            random worlds were no better.
        cell_sd: How far a cell may be off that; each is a hypothesis of its own. Convention.
        not_selected_sd: How far ranked rows are off randomised ones where nothing is hidden, of a placement
            and of a cell apart. Tested.
        selected_sd: The same of a placement where something is. Tested.
        cell_bias_sd: The same of a cell apart. Tested.
        selection_odds: Chance that something is hidden, before the logs: features explain most ranking.
            Tested.
        selection_like_sd: How far selection for buying is off selection for following. Convention.
        transfer_sd: How far those whom a plan will reach are off those whom the logs reached, beyond all
            that, follows and GMV per fan: who is left is less keen, segments are chosen on the same data, and
            intent that nobody sees is not spread as it was. Tested: calibrated on 30 random worlds of 8,000
            and of 40,000 people without a live room that fills (seeds 200-240), none of them held back.
        decided_follows: Randomised follows of a placement that have decided its level: known to a quarter.
            Derived.
        newton_steps: Of the fit: quadratic convergence, five steps from anywhere sensible. Derived.
        newton_tolerance: Step at which it is final. Derived.
    """

    level_sd: float = 0.3
    gmv_level_sd: float = 0.45
    cell_sd: tuple[float, ...] = (0.05, 0.15, 0.4)
    not_selected_sd: float = 0.03
    selected_sd: float = 0.25
    cell_bias_sd: float = 0.12
    selection_odds: float = 0.25
    selection_like_sd: float = 0.15
    transfer_sd: tuple[float, float] = (0.15, 0.13)
    decided_follows: float = 16.0
    newton_steps: int = 50
    newton_tolerance: float = 1e-6


AUDIENCE = AudienceSettings()
CELLS = CellSettings()
