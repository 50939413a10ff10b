"""Every tuning number of the audience model and of its cells. It imports nothing.

A field's text ends with where the number is from: *derived* follows from arithmetic that is given, *tested*
has a property in tests/models/audience/test_audience_settings.py that fails when it is changed by 2.5,
*cited* names a source, *convention* is a choice that nothing here justifies further.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AudienceSettings:
    """Tuning numbers of the audience model.

    Attributes:
        most_levels: Levels of a text column with a code of their own; the rarer ones share one. Convention.
        level_rows: Users that a level of a long text column needs: below, a tree would learn people by heart.
            Cited: LightGBM's least rows of a leaf.
        anyway_sd: How far followers may have been keener to buy than their features say before they followed,
            log units. Convention: a factor of two.
        fan_buyers: Buying fans below which their purchases are not asked about. Derived: `min_events`.
        arrived_share: Least share of a delay curve: a follower of an hour ago counts a little, and never
            divides by zero. Convention.
        curve_points: Of a stored delay curve, denser in the first day. Convention.
        at_risk: Followers still observed (or a hundredth of all) up to an age that a delay curve is trusted
            at: a jump of it is known to 1/sqrt(10). Derived.
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
    """

    most_levels: int = 50
    level_rows: int = 20
    anyway_sd: float = 0.7
    fan_buyers: int = 20
    arrived_share: float = 0.02
    curve_points: int = 120
    at_risk: int = 10
    refund_orders: int = 200
    refund_errors: float = 2.0
    amount_sd: float = 0.05
    held_out_share: float = 0.25
    held_out_follows: int = 20
    causal_shown: int = 300
    causal_follows: int = 20
    causal_held_out: int = 300


@dataclass(frozen=True)
class CellSettings:
    """Tuning numbers of logged against predicted outcomes, cell by cell.

    Attributes:
        not_selected_sd: How far ranked rows' level is off randomised ones' where nothing is hidden, log
            units. Tested.
        selected_sd: The same where something is. Tested.
        selection_odds: Chance that something is hidden, before the logs: features explain most ranking.
            Tested.
        score_sd: How far the scores' own level may be off before the logs are asked, log units. Tested.
        unknown_sd: How far a level may be off of which the logs say nothing. Convention: a factor of 1.65.
        cell_bias_sd: A cell's ranked rows are selected more or less than those of its placement, log units.
            Tested.
        placement_sd: How far the value of a placement's fans may be off that of all, beyond what the scores
            say, log units. Convention.
        shrink_follows: Follows at the ranked level that are added to a placement's randomised ones, to
            compare cells. Convention.
        decided_sd: Deviation of the log level below which randomised rows have decided it. Derived: 16
            follows.
        alone_sd: Of the level, and of each cell around it, where no outcome can be judged by. Convention.
        level_events: Events at the overall level given to a placement's GMV: one with few buyers must not
            promise zero or the moon. Convention.
        least_level: Of true over predicted GMV. Convention.
    """

    not_selected_sd: float = 0.03
    selected_sd: float = 0.25
    selection_odds: float = 0.25
    score_sd: float = 0.3
    unknown_sd: float = 0.5
    cell_bias_sd: float = 0.12
    placement_sd: float = 0.3
    shrink_follows: float = 10.0
    decided_sd: float = 0.25
    alone_sd: tuple[float, float] = (0.5, 0.25)
    level_events: float = 2.0
    least_level: float = 0.02


AUDIENCE = AudienceSettings()
CELLS = CellSettings()
