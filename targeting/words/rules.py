"""The rules of a brief (DESIGN 4.3) said to a merchant: what each asks for, and how the plan stands to it."""

from __future__ import annotations

from types import MappingProxyType


class Rules:
    """English rules."""

    rule_names = MappingProxyType(
        {
            "total": "the budget",
            "bounds": "spend limit",
            "ratio": "spend ratio",
            "min_if_used": "minimum ticket",
            "max_active": "limit on active units",
            "roi_floor": "ROI floor",
            "marginal_floor": "floor of the last yuan",
            "live_capacity": "live room's capacity",
            "change_limit": "limit on change",
            "fairness_floor": "fairness floor",
            "frequency_cap": "frequency cap",
            "risk": "risk floor",
            "target": "target",
            "trial": "trial money",
        }
    )
    rule_asks = MappingProxyType(
        {
            "total": "spend at most {limit}",
            "bounds_min": "{where}: at least {limit}",
            "bounds_max": "{where}: at most {limit}",
            "ratio_min": "{of} gets at least {limit} times what {to} gets",
            "ratio_max": "{of} gets at most {limit} times what {to} gets",
            "min_if_used": "{where}: nothing, or at least {limit} a unit",
            "max_active": "{where}: at most {limit} units with money",
            "roi_floor": "{where}: {limit} per yuan or more",
            "marginal_floor": "{where}: the last yuan of a unit returns {limit} or more",
            "live_capacity": "{where}: at most {limit} viewers enter",
            "change_limit": "{where}: at most {limit} away from the last plan",
            "fairness_floor": "each merchant gets {limit} of the whole or more",
            "frequency_cap": "{where}: a person sees it {limit} times or less on average",
            "risk": "in bad cases ({measure} {level}) {limit} or more",
            "target": "reach {limit}",
            "trial": "{where}: at most {limit} where nothing was ever tried",
        }
    )
    whole_plan = "whole plan"
    each_of = MappingProxyType(
        {
            "cell": "each unit",
            "segment": "each segment",
            "placement": "each placement",
            "slot": "each slot",
            "merchant": "each merchant",
            "campaign": "each campaign",
        }
    )
    of_budget = "{share} of the budget"
    of_last = "{share} of it"
    within_where = "{each} in {where}"
    kept_slack = "kept, with room: {actual}"
    kept_limit = "at its limit: {actual}"
    kept_some = "at its limit in {tight} of {places} places"
    kept_unused = "nothing in the plan touches it"
    costs_nothing = "nothing: loosening it changes nothing"
    costs_gain = "without it: {gains}"
    costs_same = "nothing: the plan would be the same without it"
    loosening = "loosening it by {step} would bring {gain}"
    loosening_saves = "loosening it by {step} would save {gain}"
    more_budget = "another {step} of budget would bring {gain}"
    gain_of = "{amount} of {what}"
    gain_count = "{amount} {what}"
    about = "about {gain}"
    steps_of = MappingProxyType(
        {
            "CNY": "{size}", "value": "{size}", "cells": "1 unit", "viewers": "1 viewer", "fans": "1 fan",
            "share": "1 percentage point", "return": "{size} of the return", "ratio": "{size} of the ratio",
            "impressions": "{size} impressions a person",
        }
    )  # fmt: skip
    actual_yuan = "{actual} of {limit}"


class RulesZh(Rules):
    """Chinese rules."""

    rule_names = MappingProxyType(
        {
            "total": "预算",
            "bounds": "花费限制",
            "ratio": "花费比例",
            "min_if_used": "最低投放金额",
            "max_active": "投放单元数上限",
            "roi_floor": "ROI 下限",
            "marginal_floor": "最后一元的回报下限",
            "live_capacity": "直播间承载上限",
            "change_limit": "调整幅度上限",
            "fairness_floor": "公平下限",
            "frequency_cap": "频次上限",
            "risk": "风险下限",
            "target": "目标",
            "trial": "试投金额",
        }
    )
    rule_asks = MappingProxyType(
        {
            "total": "花费不超过 {limit}",
            "bounds_min": "{where}：不少于 {limit}",
            "bounds_max": "{where}：不超过 {limit}",
            "ratio_min": "{of}不少于{to}的 {limit}倍",
            "ratio_max": "{of}不超过{to}的 {limit}倍",
            "min_if_used": "{where}：要么不投，要么每个单元不少于 {limit}",
            "max_active": "{where}：最多 {limit}个单元有花费",
            "roi_floor": "{where}：每元不少于 {limit}",
            "marginal_floor": "{where}：单元的最后一元不少于 {limit}",
            "live_capacity": "{where}：最多 {limit}人进入",
            "change_limit": "{where}：与上次相差不超过 {limit}",
            "fairness_floor": "每个商家不少于总量的 {limit}",
            "frequency_cap": "{where}：人均看到不超过 {limit}次",
            "risk": "差的情形下（{measure} {level}）不少于 {limit}",
            "target": "达到 {limit}",
            "trial": "{where}：从未投过的单元合计不超过 {limit}",
        }
    )
    whole_plan = "整个计划"
    each_of = MappingProxyType(
        {
            "cell": "每个单元",
            "segment": "每个人群",
            "placement": "每个投放位置",
            "slot": "每个时段",
            "merchant": "每个商家",
            "campaign": "每个计划",
        }
    )
    of_budget = "预算的 {share}"
    of_last = "其 {share}"
    within_where = "{where}内{each}"
    kept_slack = "遵守，有余地：{actual}"
    kept_limit = "已到边界：{actual}"
    kept_some = "{places} 处中有 {tight} 处到边界"
    kept_unused = "计划未触及"
    costs_nothing = "没有代价：放宽不会改变计划"
    costs_gain = "去掉它：{gains}"
    costs_same = "没有代价：去掉它计划也一样"
    loosening = "放宽 {step}可多带来 {gain}"
    loosening_saves = "放宽 {step}可节省 {gain}"
    more_budget = "预算再加 {step}可多带来 {gain}"
    gain_of = "{amount} {what}"
    gain_count = "{amount} {what}"
    about = "约 {gain}"
    steps_of = MappingProxyType(
        {
            "CNY": "{size}", "value": "{size}", "cells": "1 个单元", "viewers": "1 名观众", "fans": "1 个粉丝",
            "share": "1 个百分点", "return": "回报的 {size}", "ratio": "比例的 {size}", "impressions": "人均 {size} 次曝光",
        }
    )  # fmt: skip
    actual_yuan = "{actual}，限 {limit}"
