"""What to bid for a unit: the price of the next fan or yuan at the plan, and where it would stop paying.

At the optimum the next yuan brings the same everywhere, the plan's shadow price. So the next fan of a unit,
worth g yuan of GMV, may cost g over the GMV of the next yuan; a console that bids for ROI is given that GMV
itself. Plans count GMV net of returns, consoles gross, so an ROI for a console is divided by the share that
stays. Profit ends where a fan costs what is kept of its GMV.
"""

from __future__ import annotations

from dataclasses import dataclass

from targeting.plan.decided import DecidedPlan


@dataclass(frozen=True)
class Bid:
    """Of one unit; None where the plan cannot tell.

    Attributes:
        cost_per_fan_cny: what a fan costs on average in the plan.
        fan_cny: the most for the next fan: cost-per-fan bid.
        roi: the least GMV before returns per yuan: ROI bid.
        break_even_fan_cny: what is kept of a fan's GMV.
        break_even_roi: GMV before returns per yuan at which profit is 0.
    """

    cost_per_fan_cny: float | None
    fan_cny: float | None
    roi: float | None
    break_even_fan_cny: float | None
    break_even_roi: float | None


def bid_of(
    plan: DecidedPlan,
    *,
    spend_cny: float,
    new_fans: float | None,
    gmv_cny: float | None,
    marginal_gmv_per_cny: float | None,
    refund_share: float,
) -> Bid:
    """The bid for a unit of a plan.

    Args:
        plan: for its objective, its price of the budget and the brief's margin.
        spend_cny, new_fans, gmv_cny: of the unit, over its days; None where unknown.
        marginal_gmv_per_cny: GMV of the unit's next yuan.
        refund_share: of GMV that comes back.
    """
    stays = 1.0 - refund_share
    each = gmv_cny / new_fans if new_fans and gmv_cny is not None else None
    average = spend_cny / new_fans if new_fans else None
    price = plan.shadow_prices.get("total", 0.0)
    next_fan = None
    if each and marginal_gmv_per_cny:
        next_fan = each / marginal_gmv_per_cny
    elif plan.campaign.objective == "new_fans" and price > 0:
        next_fan = 1.0 / price
    # Where a curve is steeper further out (a start that costs), the next fan is cheaper than the average one,
    # and a bid below the average would not be served.
    bid = None if average is None else max(average, next_fan or average)
    economics = plan.campaign.economics
    return Bid(
        cost_per_fan_cny=average,
        fan_cny=bid,
        roi=marginal_gmv_per_cny / stays if marginal_gmv_per_cny else None,
        break_even_fan_cny=None if economics is None or each is None else economics.kept_share * each,
        break_even_roi=None if economics is None else economics.break_even_roi / stays,
    )
