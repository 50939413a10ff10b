"""What the command line says of a plan, one fact a line."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


class Terminal:
    """English facts."""

    facts = MappingProxyType(
        {
            "spend": "spend",
            "new_fans": "new fans",
            "new_fan_gmv_cny": "new-fan GMV",
            "profit_cny": "profit",
            "to_come": "will come",
            "certificate": "certificate",
            "binding": "at its limit",
            "claims": "claims",
            "bad_rows": "bad rows",
            "model": "model",
            "champion": "champion",
            "run": "MLflow run",
            "report": "report",
            "warning": "warning",
        }
    )
    fact_units = MappingProxyType(
        {"new_fans": "{amount}", "new_fan_gmv_cny": "{amount} CNY", "profit_cny": "{amount} CNY"}
    )
    fact_spend = "{spend} of {budget} CNY"
    fact_unknown = "cannot be told from this input"
    fact_interval = "{told}  (80 %: {low} to {high})"
    fact_to_come = "{name} {low} to {high}"
    fact_luck = "{told} (4 campaigns of 5, luck included)"
    fact_no_bound = "{status}; no bound was found within the time limit"
    fact_gap = "{status}; gap to the best possible {gap}, solved in {seconds} s"
    fact_tiny_gap = "below 1e-6"
    fact_error = "error"
    fact_no_binding = "no constraint"
    fact_next_yuan = "the budget (one yuan more: {what} +{price})"
    fact_next_step = "{name} (one step looser: {what} +{price})"
    fact_rejected = "{rows} of {table}"
    fact_see = "{rows}: see {where}"
    fact_claim = "{kind} ({why})"
    fact_more_warnings = "{count} more: --json prints all"
    claim_kinds = MappingProxyType({"causal": "causal", "observational": "observational"})
    plan_written = "The plan is in {where}"
    demo_written = "The simulated jewellery merchant's plan"
    result_keys: Mapping[str, str] = MappingProxyType(
        {
            "out": "directory",
            "run_id": "MLflow run",
            "format": "format",
            "units": "units",
            "planned_cny": "planned, yuan",
            "launched_cny": "to launch, yuan",
            "dropped_cny": "below the platform's minimum, yuan",
            "rounded_cny": "lost to whole yuan",
            "packs": "lists of people",
            "warnings": "warnings",
            "products": "products",
            "value_cny": "worth of this set, yuan",
            "plan_value": "worth of the plan as it is",
            "value_with_set": "worth of the plan for this set",
            "people": "people",
            "chosen": "chosen",
            "status": "status",
            "value": "worth",
            "upper_bound": "upper bound",
            "gap": "gap",
            "budget_cny": "budget, yuan",
            "spend_cny": "spend, yuan",
            "prices": "shadow prices",
            "engine": "engine",
            "users": "users",
            "model_uri": "model",
            "rows": "rows",
            "segments": "segments",
            "placements": "placements",
            "dates": "dates",
            "cost cny": "spend, yuan",
            "randomized rows": "rows set at random",
            "serve": "serve it by",
        }
    )
    plan_again = "Identical to run {run}; written to {where}"


class TerminalZh(Terminal):
    """Chinese facts."""

    facts = MappingProxyType(
        {
            "spend": "花费",
            "new_fans": "涨粉数",
            "new_fan_gmv_cny": "新粉成交额",
            "profit_cny": "利润",
            "to_come": "实际",
            "certificate": "最优性",
            "binding": "已到边界",
            "claims": "结论性质",
            "bad_rows": "异常行",
            "model": "模型",
            "champion": "冠军模型",
            "run": "MLflow 运行",
            "report": "报告",
            "warning": "提醒",
        }
    )
    fact_units = MappingProxyType(
        {"new_fans": "{amount} 个", "new_fan_gmv_cny": "{amount} 元", "profit_cny": "{amount} 元"}
    )
    fact_spend = "{spend} 元，预算 {budget} 元"
    fact_unknown = "从这份输入无法得知"
    fact_interval = "{told}（80%：{low} 至 {high}）"
    fact_to_come = "{name} {low} 至 {high}"
    fact_luck = "{told}（五次投放中有四次，含偶然）"
    fact_no_bound = "{status}；时间上限内未得到上界"
    fact_gap = "{status}；与最优的差距 {gap}，用时 {seconds} 秒"
    fact_tiny_gap = "小于百万分之一"
    fact_error = "错误"
    fact_no_binding = "没有规则"
    fact_next_yuan = "预算（再加 1 元：{what} +{price}）"
    fact_next_step = "{name}（放宽一步：{what} +{price}）"
    fact_rejected = "{table} {rows} 行"
    fact_see = "{rows}：见 {where}"
    fact_claim = "{kind}（{why}）"
    fact_more_warnings = "另有 {count} 条：用 --json 查看全部"
    claim_kinds = MappingProxyType({"causal": "因果", "observational": "观察性"})
    plan_written = "计划在 {where}"
    demo_written = "模拟珠宝商家的计划"
    result_keys: Mapping[str, str] = MappingProxyType(
        {
            "out": "目录",
            "run_id": "MLflow 运行",
            "format": "格式",
            "units": "广告组数",
            "planned_cny": "计划花费（元）",
            "launched_cny": "可投放（元）",
            "dropped_cny": "低于平台下限（元）",
            "rounded_cny": "取整舍去（元）",
            "packs": "人群包数",
            "warnings": "提醒",
            "products": "商品",
            "value_cny": "这组商品的价值（元）",
            "plan_value": "原计划的价值",
            "value_with_set": "按这组商品规划的价值",
            "people": "人数",
            "chosen": "选中",
            "status": "状态",
            "value": "价值",
            "upper_bound": "上界",
            "gap": "差距",
            "budget_cny": "预算（元）",
            "spend_cny": "花费（元）",
            "prices": "影子价格",
            "engine": "引擎",
            "users": "用户数",
            "model_uri": "模型",
            "rows": "行数",
            "segments": "人群数",
            "placements": "投放位置",
            "dates": "日期",
            "cost cny": "花费（元）",
            "randomized rows": "随机行数",
            "serve": "提供服务",
        }
    )
    plan_again = "与运行 {run} 完全一致；写入 {where}"
