"""What the command line says of a plan, one fact a line."""

from __future__ import annotations

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
            "binding": "binding",
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
    fact_no_binding = "no constraint"
    fact_per_unit = "{name} ({price} per unit)"
    fact_rejected = "{rows} of {table}"
    fact_see = "{rows}: see {where}"
    fact_claim = "{kind} ({why})"
    fact_more_warnings = "{count} more: --json prints all"
    claim_kinds = MappingProxyType({"causal": "causal", "observational": "observational"})
    plan_written = "The plan is in {where}"
    demo_written = "The simulated jewellery merchant's plan"
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
            "binding": "到边界",
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
    fact_no_binding = "没有规则"
    fact_per_unit = "{name}（每单位 {price}）"
    fact_rejected = "{table} {rows} 行"
    fact_see = "{rows}：见 {where}"
    fact_claim = "{kind}（{why}）"
    fact_more_warnings = "另有 {count} 条：用 --json 查看全部"
    claim_kinds = MappingProxyType({"causal": "因果", "observational": "观察性"})
    plan_written = "计划在 {where}"
    demo_written = "模拟珠宝商家的计划"
    plan_again = "与运行 {run} 完全一致；写入 {where}"
