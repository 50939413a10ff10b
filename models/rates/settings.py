"""Every tuning number of the rates, in one place. It must not import anything but the standard library.

A field's text ends with where the number is from: *derived* follows from arithmetic that is given, *tested*
has a property in tests/models/rates/test_rate_settings.py that fails when it is changed by 2.5,
*cited* names a source, *convention* is a choice that nothing here justifies further.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TreeSettings:
    """LightGBM's parameters under its own names; the objective's information counts events.

    Attributes:
        learning_rate: Share of a tree's step that is taken. Cited: LightGBM's default, 0.1, give
            or take.
        num_leaves: Leaves of a tree: three splits meet, so interactions of three columns. Convention.
        max_depth: Splits on one path. Derived: 8 leaves need 3, one more lets them be uneven.
        min_data_in_leaf: Rows of a leaf. Cited: LightGBM's default.
        min_sum_hessian_in_leaf: Events of a leaf: its own rate is known to 1/sqrt(20) = 22 %. Derived.
        lambda_l2: Events that pull a leaf towards no change. Convention.
        cat_smooth: Rows that smooth a category's place in the order of a split. Cited: LightGBM's default.
        cat_l2: Events that pull a categorical leaf towards no change. Cited: LightGBM's default.
        min_data_per_group: Rows of a category group. Convention: half of LightGBM's default, for small shops.
        max_bin: Bins of a number. Convention: a quarter of LightGBM's default, faster.
        feature_fraction: Share of the columns a tree may use. Convention.
    """

    learning_rate: float = 0.12
    num_leaves: int = 8
    max_depth: int = 4
    min_data_in_leaf: int = 20
    min_sum_hessian_in_leaf: float = 20.0
    lambda_l2: float = 5.0
    cat_smooth: float = 10.0
    cat_l2: float = 10.0
    min_data_per_group: int = 50
    max_bin: int = 63
    feature_fraction: float = 0.8


@dataclass(frozen=True)
class RateSettings:
    """Tuning numbers of shapes, maps, pooled rates and trends.

    Attributes:
        log_range: exp(f) stays within e^12 of the constant: no overflow, no effect on a possible rate.
            Derived.
        rate_limit: |f| up to which exp(f) is taken: e^40 events a row are none. Derived.
        most_events: Rows with the event that a fit looks at: a rate is then known to 1/sqrt(40,000) = 0.5 %.
            Derived.
        most_quiet: Rows without the event, which carry only exposure. Convention: twice the former.
        min_events: Events below which only the constant is fitted: it is known to 22 % then, and a slope by
            a standard error of 1/sqrt(20). Convention.
        folds: Of cross-validation over users. Convention.
        max_rounds: Trees. Derived: 160 steps of 0.12 have taken 1 - 0.88^160 of any step.
        patience: Trees without a better held-out loss after which a fold stops growing. Convention.
        tree_nats: Held-out loss that a tree must bring. Derived: a number that fits noise costs half a nat
            out of sample (Akaike), and the least of a hundred noisy losses is luck.
        bin_rows: Rows that LightGBM's bins are read off: each of 63 holds three hundred. Derived.
        rows_per_thread: Rows that are worth another thread: a tree on fewer takes under a millisecond, and
            waiting for a thread on a busy machine 46. Convention.
        many_rows: Rows that are worth the second that compiling the loops of scoring takes: LightGBM takes as
            long for their trees. Convention.
        tree_rows: Rows whose trees are summed at a time: their words are as many bytes as thirty features.
            Convention.
        first_penalty: Of a line before the rows are asked, events. Convention.
        penalty_limits: Between them the rows choose. Convention: standardised effects of 1 and of 0.003.
        penalty_rounds: In which the penalty is found at each step of a line. Convention.
        penalty_tolerance: Change of its logarithm that cannot matter. Convention.
        base_sd: Prior deviation of the slope on a related event's log rate. Convention: half of it.
        hint_sd: The same where nothing is expected of the related rate (slope around zero). Convention: half.
        group_sd: Prior deviation of a group's level, log units. Convention: a factor of two.
        rank_knots: Quantiles on which a number's rank is read off. Convention.
        column_levels: Levels of a category up to which each is a column of a line; with more they are fitted
            apart. Convention: a line of as many more columns takes twice as long.
        standardised_limit: |z| at which a standardised number is held. Derived: P(|z| > 4) = 6e-5.
        linear_steps: Of scoring; each doubles the digits near the optimum. Derived.
        linear_tolerance_nats: Gain of a step that cannot matter to any decision. Convention.
        fresh_nats: Gain of a step after which the information is computed anew. Convention.
        pair_margin: Deviations beyond the largest of as many normal numbers from which the product of two
            columns enters a line. Convention: by luck once in some five hundred fits.
        most_pairs: Such products of one line. Convention.
        fold_steps: Of scoring of a line without a fold, from that with it. Convention.
        shortest_step: Share of a full step at which nothing is left to gain. Convention.
        constant_steps: Of scoring of a constant. Derived: as above, 7 log units away.
        map_steps: Of scoring of levels and slopes. Derived: as above.
        map_tolerance_nats: Gain of a step at which they are final. Derived: a thousandth of its deviation.
        stack_level_sd: Prior deviation of a rate's level out of fold. Convention.
        stack: Slopes of the line and of the trees out of fold (means, deviations, odds before the rows): both
            hold up to a half; the line does; nobody differs. Derived: people differ or they do not, and two
            ways to differ are not two votes for it.
        inverse_propensity_limits: Stabilised inverse propensities outside are clipped: a few rows must not
            decide. Convention.
        corrections: How far the coin's rows are off the logs': deviations of the shift that all rates share
            (one platform ranks for all of them), of each rate's own, and of its tilt, log units. Delivery is
            unconfounded given the features; confounded; hopelessly so. With 170 randomised follows a free
            shift has a standard error of 8 %: where the experiment agrees within that, noise is all it would
            add. Tested: the first from above; the others are a convention.
        prior_cv: Coefficient of variation between cells before any data. Tested.
        prior_cells: Cells that this belief counts for. Tested.
        spread_freedom: Further degrees of freedom with which the learned spread between cells is drawn.
            Convention.
        cv2_limits: Squared coefficient of variation between cells, least and most. Convention.
        prior_events: Events at the overall rate given to every group, so none has a rate of zero. Cited:
            Jeffreys' prior of a Poisson rate.
        order_sd: How far the size of new fans' orders may be off that of the shop's others, log units.
            Tested.
        min_other_orders: Orders of others below which they say nothing about size: c/sqrt(20) with c = 1.3 is
            as wide as `order_sd`. Derived.
        slope_sd: Prior deviation around one of the slope of what came on what was promised. Tested.
        drift_sd: Prior deviation of the log change over the window, where there is drift. Convention.
        wave_sd: The same of a season's height, where there is one. Convention: a fifth.
        drift_alike: Correlation of these between placements. Convention: apart, or one season for all.
        wave_days: Days over which a wave keeps much of its height. Convention: a fortnight.
        day_luck: Deviations of a day's own log rate, each a hypothesis. Convention: from none to a festival.
        weekday_luck: The same of a weekday, of logs that are read day by day. Convention: none or an eighth.
        min_days: Days below which a line is drawn through luck. Convention.
        most_days: Days, or groups of days, that a trend is drawn through. Convention: longer logs are read
            by groups of days, because the work grows with the cube.
    """

    log_range: float = 12.0
    rate_limit: float = 40.0
    most_events: int = 40_000
    most_quiet: int = 80_000
    min_events: int = 20
    folds: int = 4
    max_rounds: int = 160
    patience: int = 12
    tree_nats: float = 0.5
    bin_rows: int = 20_000
    rows_per_thread: int = 100_000
    many_rows: int = 100_000
    tree_rows: int = 8192
    first_penalty: float = 10.0
    penalty_limits: tuple[float, float] = (1.0, 1e5)
    penalty_rounds: int = 20
    penalty_tolerance: float = 0.2
    base_sd: float = 0.5
    hint_sd: float = 0.5
    group_sd: float = 0.7
    rank_knots: int = 33
    column_levels: int = 51
    standardised_limit: float = 4.0
    linear_steps: int = 25
    linear_tolerance_nats: float = 1e-3
    fresh_nats: float = 1.0
    pair_margin: float = 1.0
    most_pairs: int = 4
    fold_steps: int = 12
    shortest_step: float = 1e-6
    constant_steps: int = 50
    map_steps: int = 50
    map_tolerance_nats: float = 1e-9
    stack_level_sd: float = 1.0
    stack: tuple[tuple[tuple[float, float], tuple[float, float], float], ...] = (
        ((1.0, 1.0), (0.5, 0.5), 0.25),
        ((1.0, 0.0), (0.5, 0.02), 0.25),
        ((0.0, 0.0), (0.02, 0.02), 0.5),
    )
    inverse_propensity_limits: tuple[float, float] = (0.1, 10.0)
    corrections: tuple[tuple[float, float, float], ...] = (
        (0.01, 0.02, 0.02),
        (0.3, 0.1, 0.1),
        (1.0, 0.2, 0.3),
    )
    prior_cv: float = 0.25
    prior_cells: float = 3.0
    spread_freedom: float = 5.0
    cv2_limits: tuple[float, float] = (0.05**2, 2.0)
    prior_events: float = 0.5
    order_sd: float = 0.3
    min_other_orders: int = 20
    slope_sd: float = 0.5
    drift_sd: float = 0.4
    wave_sd: float = 0.2
    drift_alike: tuple[float, ...] = (0.0, 0.9)
    wave_days: float = 15.0
    day_luck: tuple[float, ...] = (0.0, 0.07, 0.2, 0.5)
    weekday_luck: tuple[float, ...] = (0.0, 0.12)
    min_days: int = 10
    most_days: int = 60


RATES = RateSettings()
TREES = TreeSettings()
