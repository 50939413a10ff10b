"""The plan in a few sentences: what it leaves, which budget leaves most, what the last money brings."""

from __future__ import annotations


class Verdict:
    """English verdict."""

    leaves = "Spending {spend} is expected to leave {profit} of profit within {days} days ({range})."
    loses = "Spending {spend} is expected to lose {profit} within {days} days ({range})."
    spends = "Spend {spend}, expect {what}."
    pays_above = "Spending {spend} leaves a profit if over {share} of its GMV is left after goods and fees: expect {what}."
    never_pays = "Spending {spend} leaves no profit, whatever the margin: expect {what}."
    spends_nothing = "Spend nothing: under this brief no yuan is worth spending."
    profit_unknown = "How much profit that leaves cannot be told: {why}."
    no_economics = "the brief has no economics (gross_margin, fee_rate)"
    no_gmv = "the input says nothing of GMV"
    wins = "It wins {what}."
    will_come = "That is the expectation; chance included, a profit of {range} will really come in four campaigns of five."
    with_range = "{amount} ({range})"
    fans = "{amount} new fans"
    gmv_of = "{amount} of new-fan GMV"
    value = "{amount} of value"
    entries = "{amount} live entries"
    and_ = " and "
    best_other = (
        "{budget} would leave most: {profit} of profit ({range}), {difference} more than this budget."
    )
    best_here = "No other budget that was tried, {least} to {most}, leaves more."
    best_more = "More money would leave more: {budget}, the most that was tried, leaves {profit} ({range})."
    best_none = "Every budget that was tried loses money; {budget}, the smallest, loses least: {profit}."
    last_pays = "The last {step} bring {gains} and add {profit} of profit."
    last_costs = "The last {step} bring {gains} and cost {profit} of profit."
    last_brings = "The last {step} bring {gains}."
    no_better = "no other split of this budget brings more {what} on these curves (certified to one part in a million)"
    no_cheaper = (
        "no cheaper plan does what the brief asks on these curves (certified to one part in a million)"
    )
    near_best = "no split of this budget brings over {gap} % more {what} on these curves (certified)"
    near_cheapest = (
        "no plan that does what the brief asks is over {gap} % cheaper on these curves (certified)"
    )
    no_bound = "no bound on what another split could bring was computed"
    within_rules = "Within your rules, {what}."
    without_rules = "{what}."
    prolonged = (
        "{what}; but {count} of its {all} funded units get more than was ever spent there, so there the curves "
        "are a forecast, not experience"
    )
    prolonged_all = (
        "{what}; but each of its {all} funded units gets more than was ever spent there, so the curves are a "
        "forecast, not experience"
    )
    more_profit = "{amount} more profit"
    less_profit = "{amount} less profit"
    more_fans = "{count} more new fans"
    fewer_fans = "{count} fewer new fans"
    more_gmv = "{amount} more GMV"
    less_gmv = "{amount} less GMV"
    against_last = "Against your last plan's split with the same money: {what}."
    room_fills = (
        "The live room holds about {places} viewers a day; this plan fills {filled} % of it, and {share} % of those "
        "who come get in."
    )
    room_unknown = (
        "The logs do not show how many the live room holds; over the sizes it may have, about {share} % of those who "
        "come get in, which is in the intervals but not in the expectation."
    )


class VerdictZh(Verdict):
    """Chinese verdict."""

    leaves = "花费 {spend}，预计 {days} 天内留下利润 {profit}（{range}）。"
    loses = "花费 {spend}，预计 {days} 天内亏损 {profit}（{range}）。"
    spends = "花费 {spend}，预计{what}。"
    pays_above = "花费 {spend}，成交额扣除货款和费用后留下超过 {share}即有利润：预计{what}。"
    never_pays = "花费 {spend}，无论毛利率多高都不会有利润：预计{what}。"
    spends_nothing = "不花钱：按这份投放需求，没有一元钱值得花。"
    profit_unknown = "利润是多少无法得知：{why}。"
    no_economics = "投放需求没有 economics（gross_margin 毛利率、fee_rate 费率）"
    no_gmv = "输入数据没有成交额"
    wins = "预计{what}。"
    will_come = "以上是预计值；含偶然在内，五次投放中有四次的实际利润在 {range}之间。"
    with_range = "{amount}（{range}）"
    fans = "涨粉 {amount} 人"
    gmv_of = "新增粉丝成交额 {amount}"
    value = "价值 {amount}"
    entries = "直播间进入 {amount}"
    and_ = "，"
    best_other = "{budget}的预算留下最多：利润 {profit}（{range}），比这份预算多 {difference}。"
    best_here = "试过的其他预算（{least}至 {most}）都不会留下更多。"
    best_more = "预算再多会留下更多：试过的最大预算 {budget}留下 {profit}（{range}）。"
    best_none = "试过的每个预算都亏损；最小的 {budget}亏得最少：{profit}。"
    last_pays = "最后 {step}带来{gains}，增加利润 {profit}。"
    last_costs = "最后 {step}带来{gains}，减少利润 {profit}。"
    last_brings = "最后 {step}带来{gains}。"
    no_better = "在这些曲线上，这份预算的其他分法都不会带来更多{what}（已证明，误差不超过百万分之一）"
    no_cheaper = "在这些曲线上，没有更便宜的计划能做到投放需求所要求的（已证明，误差不超过百万分之一）"
    near_best = "在这些曲线上，这份预算的任何分法带来的{what}最多再多 {gap}%（已证明）"
    near_cheapest = "在这些曲线上，能做到投放需求的计划最多再便宜 {gap}%（已证明）"
    no_bound = "未能算出其他分法的上界"
    within_rules = "在您的规则之内，{what}。"
    without_rules = "{what}。"
    prolonged = (
        "{what}；但 {all} 个有花费的单元中有 {count} 个的花费超过那里以往的最高值，那部分曲线是推测，不是经验"
    )
    prolonged_all = "{what}；但全部 {all} 个有花费的单元的花费都超过那里以往的最高值，曲线是推测，不是经验"
    more_profit = "利润多 {amount}"
    less_profit = "利润少 {amount}"
    more_fans = "多涨粉 {count} 人"
    fewer_fans = "少涨粉 {count} 人"
    more_gmv = "多成交 {amount}"
    less_gmv = "少成交 {amount}"
    against_last = "与沿用上次的分配（同样花费）相比：{what}。"
    room_fills = "直播间每天约容纳 {places} 人；本计划占用其 {filled}%，到场者有 {share}% 能进入。"
    room_unknown = "日志看不出直播间能容纳多少人；按可能的容量平均，到场者约 {share}% 能进入；区间已包含这一点，预计值没有。"
