"""Every tuning number of the supply fit, in one place. It must not import anything.

A field's text ends with where the number is from: *derived* follows from arithmetic that is given, *tested*
has a property in tests/models/supply/test_supply_settings.py that fails when it is changed by 2.5,
*cited* names a source, *convention* is a choice that nothing here justifies further.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SupplySettings:
    """Tuning numbers of the curves from yuan to impressions.

    Attributes:
        capacity_over_observed: Without evidence a cell can deliver this many times the most it was seen to
            deliver. Tested.
        capacity_sd: Deviation of that, log units: a factor of 2.2 either way. Tested.
        ceiling_deviations: Prior deviations of log capacity beyond which supply is linear and nothing is
            learned. Derived: 1 in 30,000.
        ceiling_bend: Log units over which log capacity is bent below its ceiling. Convention.
        most_a_day: Impressions of one merchant a user sees on a day, whatever is paid, unless the logs say
            otherwise. Convention.
        usual_times: The same as a multiple of the logged frequency of a reached user. Convention.
        cell_events: Events at its placement's rate added to a cell's own price. Convention.
        capacity_quantile: Of the cells' most delivered, that a placement's capacity prior stands on.
            Convention.
        price_sd: Prior deviation of a placement's log price around its mean price, log units: what was paid
            per impression is known. Convention.
        huber: Pearson residual from which a day weighs less. Cited: Huber 1981, 95 % efficiency at 1.345 to
            near 100 % at 2.5.
        lean_sd: Prior deviation of how much of unplanned spend is demand: a day's demand explains at most
            about a third of it. Convention.
        day_freedom: Degrees of freedom of the Student-t prior of day effects: most days are alike, a festival
            is not pulled towards them. Cited: Lange, Little & Taylor, JASA 1989 (small fixed values).
        randomised_days: Cell-days with randomised spend that can carry the curve. Convention.
        iterations: Of a fit with known spreads: enough to 1 % of the spread of the draws. Derived.
        learning_iterations: Of a fit that learns them. Derived.
        burn_in: Iterations before spreads are learned. Convention.
        spread_prior_sd: Deviations (log units) of price, capacity, segments and days that the learned spreads
            start from. Convention.
        spread_prior_cells: Pseudo-observations behind each of these. Convention.
        folds: Of days, to choose a family. Convention.
        least_days: Paid days of a cell without which no family is chosen. Convention.
        cells_a_day: Cells in a placement's day: with fewer the day effect swallows whatever a family gets
            wrong, and the family with the freest days wins. Convention.
        switch_errors: Standard errors by which another family must predict better than `hill`, which lies
            between the abrupt `expsat` and the never-ending `power` and so is wrong by least. With three
            rivals and a month of days one standard error is passed by luck in every third shop. Tested.
        close_errors: Standard errors within which a rival counts as not ruled out. Convention.
        extra_sd_decided: Extra deviation of log capacity where no rival is close. Convention.
        extra_sd_open: The same where one is: what the families disagree on beyond the data. Convention.
        bootstrap_days: Days without which deliveries are redrawn instead of days reweighted. Convention.
        most_at_once: Draws x cell-days worked on at once: 0.3 GB. Derived.
        transfer_sd: Deviation of a cell's log price between how it was bought and how it will be. Convention.
        elasticity: Of delivery in spend without evidence: another 10 % of money buys about 7 % more.
            Convention.
        elasticity_sd: Its deviation. Tested.
        scale_bias_sd: Deviation added to what a report tells of it: its rows mix audiences of different size,
            which makes returns look more constant than they are. Tested.
        misfit: Fitted over delivered, summed over a cell's paid days, outside which a word is due: shrinkage
            and the noise of a few days explain a third, not this. Convention.
        misfit_units: Units of delivery below which chance alone may do it. Convention.
        few_days: Paid days of a cell (median) below which it cannot show its own curvature. Convention.
        slot_ticks: Moments of a slot at which its multipliers are looked up: of a day, every quarter of an
            hour. Derived.
        part_freedom: Fewest degrees of freedom behind the scatter of hours or weekdays. Convention.
        part_certainty: Share of shops without any difference that are told so. Convention.
        part_least: Least multiplier of an hour: what never got anything is not worth nothing. Convention.
    """

    capacity_over_observed: float = 4.0
    capacity_sd: float = 0.8
    ceiling_deviations: float = 4.0
    ceiling_bend: float = 0.25
    most_a_day: float = 20.0
    usual_times: float = 3.0
    cell_events: float = 3.0
    capacity_quantile: float = 0.75
    price_sd: float = 2.0
    huber: float = 2.5
    lean_sd: float = 0.3
    day_freedom: float = 3.0
    randomised_days: int = 10
    iterations: int = 20
    learning_iterations: int = 40
    burn_in: int = 4
    spread_prior_sd: tuple[float, float, float, float] = (0.15, 0.3, 0.15, 0.05)
    spread_prior_cells: tuple[float, float, float, float] = (2.0, 10.0, 2.0, 2.0)
    folds: int = 5
    least_days: int = 4
    cells_a_day: float = 3.0
    switch_errors: float = 3.0
    close_errors: float = 2.0
    extra_sd_decided: float = 0.1
    extra_sd_open: float = 0.15
    bootstrap_days: int = 8
    most_at_once: int = 1_500_000
    transfer_sd: float = 0.04
    elasticity: float = 0.7
    elasticity_sd: float = 0.15
    scale_bias_sd: float = 0.15
    misfit: float = 1.5
    misfit_units: float = 30.0
    few_days: int = 3
    slot_ticks: int = 96
    part_freedom: int = 5
    part_certainty: float = 0.99
    part_least: float = 0.02


SUPPLY = SupplySettings()
