"""Every tuning number of the plan's room, in one place. It imports nothing of ours."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PlanSettings:
    """How a plan is solved and shown.

    Attributes:
        solved_share: of the wanted gap to which the problem is solved; the rest is kept for what whole 厘
            cost. Chosen.
        marginal_step: share of the budget over which the return of the next yuan is measured, and
            `marginal_step_cny` at least. Derived: small against a curve's bend, a whole 厘 at least.
        curve_points: rows of a cell in curves.csv. Chosen: 5 % of a cell's range apart.
        curve_range: largest spend shown over the planned one, and `curve_seen` over that of the logs. Chosen.
        intensities: money on a person of a package, as multiples of what the plan spends on a person of the
            segment. Chosen: doublings both ways.
        beyond_share, beyond_cny: more than this beyond the largest spend of the logs is extrapolation.
            Derived: rounding of money to whole 分.
        budget_shares: other budgets that are tried, as shares of the plan's. Chosen.
        budget_rounds: halvings around the one that leaves most. Derived: 4 of a gap of a quarter are 2 %.
        asked_seconds: that all other budgets may take together, and what all rules cost; each one question,
            whatever the number of its parts. Chosen: a report must not take longer than its plan.
        budget_gap, budget_seconds: gap that is enough for another budget, and seconds for each. Chosen, as
            above.
        rule_room: room in a rule, as a share of its scale, below which it is at its limit. Derived: 厘 of a
            budget of 100 yuan.
        priced_cells: of a market in which rules are taken away one by one to see what they cost. Chosen, as
            above.
        priced_rules, priced_seconds: limits that are loosened or taken away one by one to see what that
            brings, and seconds for each. Chosen: a report must not take longer than its plan.
        price_nothing: share of the plan's value below which a step of a limit is worth nothing. Derived: the
            certificate's gap is a thousand times that.
        realisations: random campaigns behind the range of what will come: its ends are known to 2 % of its
            width. Derived: root of 0.1 x 0.9 / 4000 over the density there.
        chance_stream: seed of their chance. Derived: any; fixed, so that a plan always says the same.
    """

    solved_share: float = 0.5
    marginal_step: float = 1e-6
    marginal_step_cny: float = 1e-3
    curve_points: int = 21
    curve_range: float = 1.5
    curve_seen: float = 1.2
    intensities: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0, 4.0)
    beyond_share: float = 1e-3
    beyond_cny: float = 0.01
    budget_shares: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
    budget_rounds: int = 4
    asked_seconds: float = 8.0
    budget_gap: float = 1e-4
    budget_seconds: float = 3.0
    rule_room: float = 1e-5
    priced_cells: int = 400
    priced_rules: int = 12
    priced_seconds: float = 3.0
    price_nothing: float = 1e-9
    realisations: int = 4000
    chance_stream: int = 0


SETTINGS = PlanSettings()
