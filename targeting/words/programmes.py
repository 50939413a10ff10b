"""The platform's support programmes: verdicts, their reasons, boards."""

from __future__ import annotations

from collections.abc import Mapping

FACTS = (
    "month_gmv_cny", "september_gmv_cny", "opened_on", "fans", "stars", "violations", "month_sales",
    "month_orders", "cash_awarded_cny", "challenge_impressions", "supply_base",
)  # fmt: skip


class Programmes:
    """English verdicts; facts keep the names under which a brief says them."""

    support_facts: Mapping[str, str] = {name: name for name in FACTS}
    outcomes: Mapping[str, str] = {
        "granted": "granted",
        "refused": "refused",
        "unknown": "unknown",
        "not running": "not running",
    }
    verdict_line = "{title}: {outcome}{gives}: {reasons}{worth}"
    verdict_gives = " ({gives})"
    verdict_worth = "; worth {worth:,.2f} yuan of profit here"
    verdict_and = "; "
    not_running = "the campaign starts {starts}, it runs {first} to {last}"
    support_fact_unknown = "{facts} is not known: say it under merchant"
    support_award_unknown = "{facts} is not known: say what was awarded"
    is_one_of = "{fact} is {value}, one of {known}"
    is_none_of = "{fact} is {value}, none of {known}"
    is_within = "{fact} {day} is within {first} to {last}"
    is_not_within = "{fact} {day} is not within {first} to {last}"
    number_holds = "{fact} {number:,.10g} is {sign} {limit:,.10g}"
    number_fails = "{fact} {number:,.10g} is not {sign} {limit:,.10g}"
    gives_fee = "fee {fee:.2%}"
    gives_cash = "{cash:,.2f} yuan to the budget"
    gives_impressions = "{impressions:,.0f} impressions in {where}"
    gives_everywhere = "all cells"
    gives_comma = ", "
    board_unknown = "{title}: how much there is now is not known: say it under merchant"
    board_reached = "{title}: reached with {reached:,.0f}"
    board_missing = "{title}: {missing:,.0f} missing{chance}; cheapest plan that brings it: {cost}"
    board_chance = ", chance {chance:.0%} with this plan"
    board_cost = "{cost:,.0f} yuan"
    board_no_plan = "no plan within the budget"

    def fact(self, name: str) -> str:
        """A fact by the name under which a brief says it."""
        return self.support_facts.get(name, name)


class ProgrammesZh(Programmes):
    """Chinese verdicts."""

    support_facts: Mapping[str, str] = {
        "month_gmv_cny": "月成交额",
        "september_gmv_cny": "9 月成交额",
        "opened_on": "开店日期",
        "fans": "粉丝数",
        "stars": "店铺评分",
        "violations": "违规次数",
        "month_sales": "月销量",
        "month_orders": "月订单数",
        "cash_awarded_cny": "获批现金补贴",
        "challenge_impressions": "获批曝光数",
        "supply_base": "供应链基地",
    }
    outcomes: Mapping[str, str] = {
        "granted": "已获得",
        "refused": "不符合",
        "unknown": "尚不能判断",
        "not running": "不在活动期",
    }
    verdict_line = "{title}：{outcome}{gives}：{reasons}{worth}"
    verdict_gives = "（{gives}）"
    verdict_worth = "；在本计划中价值 {worth:,.2f} 元利润"
    verdict_and = "；"
    not_running = "投放从 {starts} 开始，活动期为 {first} 至 {last}"
    support_fact_unknown = "不知道{facts}：请写在投放需求的 merchant 下"
    support_award_unknown = "不知道{facts}：请写明获批的数额"
    is_one_of = "{fact}为 {value}，属于{known}"
    is_none_of = "{fact}为 {value}，不属于{known}"
    is_within = "{fact} {day} 在 {first} 至 {last} 之内"
    is_not_within = "{fact} {day} 不在 {first} 至 {last} 之内"
    number_holds = "{fact} {number:,.10g} {sign} {limit:,.10g}"
    number_fails = "{fact} {number:,.10g}，不满足 {sign} {limit:,.10g}"
    gives_fee = "费率 {fee:.2%}"
    gives_cash = "预算增加 {cash:,.2f} 元"
    gives_impressions = "{where}曝光 {impressions:,.0f} 次"
    gives_everywhere = "全部单元"
    gives_comma = "、"
    board_unknown = "{title}：不知道目前的数额：请写在投放需求的 merchant 下"
    board_reached = "{title}：已达到，现为 {reached:,.0f}"
    board_missing = "{title}：还差 {missing:,.0f}{chance}；预计能达到的最省计划：{cost}"
    board_chance = "，按本计划达到的概率为 {chance:.0%}"
    board_cost = "{cost:,.0f} 元"
    board_no_plan = "预算之内没有这样的计划"

    def fact(self, name: str) -> str:
        """The Chinese name, and the key to write where it must be said."""
        said = self.support_facts.get(name)
        return name if said is None else f"{said}（{name}）"
