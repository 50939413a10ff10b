"""Every tuning number of the rates, in one place. It must not import anything but the standard library.

A field's text ends with where the number is from: *derived* follows from arithmetic that is given, *tested*
has a property in tests/models/rates/test_rate_settings.py that fails when it is changed by 2.5,
*cited* names a source, *convention* is a choice that nothing here justifies further.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MapPrior:
    """A hypothesis of how a log rate changes: independent normal priors of shift, slope and bends.

    Attributes:
        shift_sd: Deviation of the shift, log units.
        slope_sd: Deviation of the slope.
        shift: Mean of the shift.
        slope: Mean of the slope.
        bend_sd: Deviation of the slope's change over one log unit; 0: the map is straight.
    """

    shift_sd: float
    slope_sd: float
    shift: float = 0.0
    slope: float = 1.0
    bend_sd: float = 0.0


@dataclass(frozen=True)
class TreeSettings:
    """LightGBM's parameters under its own names; the objective's information counts events.

    Attributes:
        learning_rate: Share of a tree's step that is taken. Convention: half of LightGBM's 0.1 to 0.05.
        num_leaves: Leaves of a tree: three splits meet, so interactions of three columns. Convention.
        max_depth: Splits on one path. Derived: 8 leaves need 3, one more lets them be uneven.
        min_data_in_leaf: Rows of a leaf. Cited: LightGBM's default.
        min_sum_hessian_in_leaf: Events of a leaf: its own rate is known to 1/sqrt(8) = 35 %. Derived.
        lambda_l2: Events that pull a leaf towards no change. Convention.
        cat_smooth: Rows that smooth a category's place in the order of a split. Cited: LightGBM's default.
        cat_l2: Events that pull a categorical leaf towards no change. Cited: LightGBM's default.
        min_data_per_group: Rows of a category group. Convention: half of LightGBM's default, for small shops.
        max_bin: Bins of a number. Convention: half of LightGBM's default, twice as fast.
        feature_fraction: Share of the columns a tree may use. Convention.
    """

    learning_rate: float = 0.08
    num_leaves: int = 8
    max_depth: int = 4
    min_data_in_leaf: int = 20
    min_sum_hessian_in_leaf: float = 8.0
    lambda_l2: float = 5.0
    cat_smooth: float = 10.0
    cat_l2: float = 10.0
    min_data_per_group: int = 50
    max_bin: int = 127
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
        max_rounds: Trees. Derived: 240 steps of 0.08 have taken 1 - 0.92^240 of any step.
        patience: Trees without a better held-out loss after which a fold stops growing. Convention.
        clearly_better: Standard errors by which held-out rows must prefer more trees. Cited: the
            one-standard-error rule of Breiman, Friedman, Olshen & Stone, "Classification and Regression
            Trees", 1984.
        rows_per_thread: Rows that are worth another thread: a tree on fewer takes under a millisecond, and
            waiting for a thread on a busy machine 46. Convention.
        penalties: Candidate penalties in events; a standardised effect has prior deviation 1/sqrt(penalty):
            0.14, 0.32, 0.71. Convention: from weak to strong effects, and cross-validation chooses.
        rank_knots: Quantiles on which a number's rank is read off. Convention.
        standardised_limit: |z| at which a standardised number is held. Derived: P(|z| > 4) = 6e-5.
        linear_steps: Of scoring; each doubles the digits near the optimum. Derived.
        linear_fresh_steps: At which the information is computed anew. Convention.
        linear_tolerance_nats: Gain of a step that cannot matter to any decision. Convention.
        slope_range: Hard limits of a map's slope: it stays increasing. Convention.
        shift_limit: Hard limit of a map's shift, log units: a factor of 150. Convention.
        knot_shares: Shares of the information at which a map may bend; closer together at the low end, where
            half of the people hold a twentieth of the events. Convention.
        map_steps: Of scoring. Derived: as above, with room for hard limits.
        map_tolerance_nats: Gain of a step at which a map is final. Derived: a thousandth of its deviation.
        calibration: The shape holds, give or take half of its slope; it holds but bends (there is a floor or
            a ceiling that a log-linear rate does not know); nobody differs. Convention.
        calibration_odds: Of these before the rows speak: people differ or they do not, and two ways to differ
            are not two votes for it. Derived.
        inverse_propensity_limits: Stabilised inverse propensities outside are clipped: a few rows must not
            decide. Convention.
        corrections: Delivery is unconfounded given the features; confounded; hopelessly so. With 170
            randomised follows a free shift has a standard error of 8 % and a free slope one of 0.1: where the
            experiment agrees within that, noise is all it would add, so one hypothesis says "no change"
            almost exactly. Tested: that one from above; the other two are a convention.
        shared: Chance that the hypothesis which holds for the funnel's other rates holds for this one.
            Convention.
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
        drift_sd: Prior deviation of the log change over the window, where there is drift. Tested.
        min_days: Days below which a line is drawn through luck. Convention.
    """

    log_range: float = 12.0
    rate_limit: float = 40.0
    most_events: int = 40_000
    most_quiet: int = 80_000
    min_events: int = 20
    folds: int = 4
    max_rounds: int = 240
    patience: int = 20
    clearly_better: float = 1.0
    rows_per_thread: int = 100_000
    penalties: tuple[float, ...] = (50.0, 10.0, 2.0)
    rank_knots: int = 33
    standardised_limit: float = 4.0
    linear_steps: int = 25
    linear_fresh_steps: int = 4
    linear_tolerance_nats: float = 1e-3
    slope_range: tuple[float, float] = (0.01, 2.5)
    shift_limit: float = 5.0
    knot_shares: tuple[float, ...] = (0.01, 0.03, 0.08, 0.17, 0.3, 0.45, 0.6, 0.75, 0.87, 0.95)
    map_steps: int = 50
    map_tolerance_nats: float = 1e-9
    calibration: tuple[MapPrior, ...] = (
        MapPrior(shift_sd=1.0, slope_sd=0.5),
        MapPrior(shift_sd=1.0, slope_sd=0.5, bend_sd=0.8),
        MapPrior(shift_sd=1.0, slope_sd=0.05, slope=0.0),
    )
    calibration_odds: tuple[float, ...] = (0.25, 0.25, 0.5)
    inverse_propensity_limits: tuple[float, float] = (0.1, 10.0)
    corrections: tuple[MapPrior, ...] = (MapPrior(0.02, 0.02), MapPrior(0.3, 0.1), MapPrior(1.0, 0.3))
    shared: float = 0.8
    prior_cv: float = 0.25
    prior_cells: float = 3.0
    spread_freedom: float = 5.0
    cv2_limits: tuple[float, float] = (0.05**2, 2.0)
    prior_events: float = 0.5
    order_sd: float = 0.3
    min_other_orders: int = 20
    slope_sd: float = 0.5
    drift_sd: float = 0.4
    min_days: int = 10


RATES = RateSettings()
TREES = TreeSettings()
