"""Every tuning number of the supply fit, in one place. It must not import anything.

A field's text ends with where the number is from: *derived* follows from arithmetic that is given, *tested*
has a property in tests/models/supply/test_supply_settings.py that fails when it is changed by 2.5,
*cited* names a source, *calibrated* makes promises hold as often as they say in simulated worlds that are
named, *convention* is a choice that nothing here justifies further.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SupplySettings:
    """Tuning numbers of the curves from yuan to impressions; deviations are in log units.

    Attributes:
        capacity_over_observed: Without evidence people can be shown this many times the highest pressure that
            was seen. Tested.
        usual_a_day: And at least so many impressions of one merchant a day, where people are known.
            Convention.
        bend_sd: Deviation of that: a factor of 2.7 either way. Tested.
        most_a_day: Impressions of one merchant a person sees on a day, whatever is paid, unless the logs show
            more. Convention.
        capped_people: People expected beyond the most that anybody was shown on a day, from whom on that is a
            limit of the platform's: none of five is chance once in 150 times. Derived.
        usual_times: The same as a multiple of the highest pressure that was seen. Convention.
        ceiling_bend: Log units over which log capacity is bent below that. Convention.
        price_sd: Deviation of a placement's price around its mean price: what was paid is known. Convention.
        sds: Deviations of the price of segments and cells and of the capacity of cells. Convention.
        passing_sd: Deviation of the price of a day and of a campaign. Their units hold it to a hundredth,
            which would make a thousand units as many witnesses of the curve. Convention.
        day_freedom: Degrees of freedom of the Student-t prior of day effects: most days are alike, a festival
            is not pulled towards them. Cited: Lange, Little & Taylor, JASA 1989 (small fixed values).
        huber: Pearson residual from which a unit weighs less. Cited: Huber 1981, 95 % efficiency at 1.345 to
            near 100 % at 2.5.
        randomised_units: Units of a report in each placement whose money was randomised that carry the curve
            alone. Convention.
        iterations: Of the fit. Derived: the spreads settle to 1 %.
        cell_events: Events at its placement's rate added to a cell's own price. Convention.
        pressure_quantile: Of the units' pressures, weighed by money, that the prior of capacity stands on.
            Convention.
        pairs: Pairs of impressions on one person at the expected pressure added to those counted. Convention.
        unevenness: Mean of h = E[k^2] / E[k]^2 of people's activity k, less 1, without evidence: 1 is an
            exponential distribution. Convention.
        unevenness_sd: Its deviation (log). Convention.
        activity_share: Share of log h that is people's activity and not campaigns that press some harder.
            Convention: nothing is known of it.
        most_away: Audience of a campaign over those who are there on a day, at most: more than that and it
            has changed its audience. Convention.
        reach_error: Relative error of the reach that gamma-distributed activity implies. Convention.
        transfer_sds: Deviations between those who were bought and everybody at once: log price of a placement
            and of a cell, log capacity of a placement beyond the pressures that were seen, and log bend all
            along. Four cases: it is counted how often people were shown; the money is known to be spread over
            everybody; only a segment's days are known; rows of one day stand for days (they may address
            audiences of different size, which makes returns look more constant than they are). Convention,
            but for the first, which is calibrated on random worlds of seeds 300-339.
        misfit: Fitted over delivered, summed over a cell's paid days, outside which a word is due: shrinkage
            and the noise of a few days explain a third, not this. Convention.
        misfit_units: Units of delivery below which chance alone may do it. Convention.
        few_days: Paid days of a cell (median) below which it cannot show its own curvature. Convention.
    """

    capacity_over_observed: float = 4.0
    usual_a_day: float = 1.5
    bend_sd: float = 1.0
    most_a_day: float = 30.0
    capped_people: float = 5.0
    usual_times: float = 3.0
    ceiling_bend: float = 0.25
    price_sd: float = 2.0
    sds: tuple[float, float, float] = (0.15, 0.15, 0.3)
    passing_sd: float = 0.02
    day_freedom: float = 3.0
    huber: float = 2.5
    randomised_units: int = 10
    iterations: int = 40
    cell_events: float = 3.0
    pressure_quantile: float = 0.9
    pairs: float = 5.0
    unevenness: float = 0.5
    unevenness_sd: float = 0.7
    activity_share: float = 0.5
    most_away: float = 2.5
    reach_error: float = 0.003
    transfer_sds: tuple[tuple[float, float, float, float], ...] = (
        (0.05, 0.05, 0.5, 0.01), (0.0, 0.03, 0.0, 0.05), (0.0, 0.03, 0.0, 0.3), (0.0, 0.03, 0.0, 1.5)
    )  # fmt: skip
    misfit: float = 1.5
    misfit_units: float = 30.0
    few_days: int = 3


@dataclass(frozen=True)
class RoomSettings:
    """Tuning numbers of the live room that fills.

    Attributes:
        span: Places that are looked at, over the arrivals of the busiest day: below, no
            day would differ from another; above, none would tell. Convention.
        grid: Their number. Derived: steps of a tenth.
        certainty: Probability from which on a limit counts as found: nineteen of twenty. Convention.
        days: Days of live impressions below which nothing is asked. Convention.
        steps: Of finding the level of entries. Derived: rows that saturate need three.
        drift_sd: Deviation of a drift of entries over the logged days. Convention: that of `drift_sd`.
        taus: Deviations of a day's entries beyond chance, equally likely before. Convention.
        bin: Width of the groups of rows by log impressions times rate of entering. Derived: a tenth is
            exact to a thousandth.
    """

    span: tuple[float, float] = (0.03, 30.0)
    grid: int = 70
    certainty: float = 0.95
    days: int = 5
    steps: int = 6
    drift_sd: float = 0.3
    taus: tuple[float, ...] = (0.0, 0.01, 0.02, 0.04, 0.08, 0.16, 0.3, 0.6)
    bin: float = 0.1


@dataclass(frozen=True)
class PartSettings:
    """Tuning numbers of hours and weekdays.

    Attributes:
        ticks: Moments of a slot at which its multipliers are looked up: of a day, every quarter of an
            hour. Derived.
        freedom: Fewest degrees of freedom behind the scatter of hours or weekdays. Convention.
        certainty: Share of shops without any difference that are told so. Convention.
        most_sd: Most deviation between hours or weekdays that is believed before they are asked one by one:
            yuan of a dozen buyers differ by any factor. Convention.
        least: Least multiplier of an hour: what never got anything is not worth nothing. Convention.
    """

    ticks: int = 96
    freedom: int = 5
    certainty: float = 0.99
    most_sd: float = 0.3
    least: float = 0.02


SUPPLY = SupplySettings()
ROOM = RoomSettings()
PARTS = PartSettings()
