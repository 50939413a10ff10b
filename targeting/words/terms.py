"""One word for each thing: what the brief counts, where people are shown, who they are, what columns hold."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

Table = Mapping[str, str]


def _table(**words: str) -> Table:
    return MappingProxyType(words)


class Terms:
    """English terms."""

    placements = _table(video="video", live="live room")
    objectives = _table(
        new_fan_gmv="new-fan GMV", new_fans="new fans", live_entries="live entries", profit="profit"
    )
    columns = _table(
        segment="Segment",
        placement="Placement",
        slot="Slot",
        spend_cny="Spend, yuan",
        spend_li="Spend, li (1/1000 yuan)",
        impressions="Impressions",
        new_fans="New fans",
        new_fan_gmv_cny="New-fan GMV, yuan",
        profit_cny="Profit, yuan",
        impressions_low="Impressions, low",
        impressions_high="Impressions, high",
        new_fans_low="New fans, low",
        new_fans_high="New fans, high",
        new_fan_gmv_cny_low="New-fan GMV, low",
        new_fan_gmv_cny_high="New-fan GMV, high",
        marginal_gmv_per_cny="GMV of the last yuan",
        reason="Why",
        campaign_id="Campaign",
        merchant_id="Merchant",
    )
    kinds = _table(precise="precise", content="content", mixed="all kinds", everyone="everyone")
    steps = MappingProxyType(
        {
            word: word
            for word in (
                "top", "very likely", "likely", "fairly likely", "possible", "unlikely", "rare",
                "keen", "warm", "curious", "casual", "passing", "cool", "cheap reach",
                "high", "upper", "middle", "lower", "low", "reach",
            )
        }
    )  # fmt: skip
    genders = _table(m="male", f="female")
    features = _table(
        gender="gender",
        age_band="age",
        age="age",
        city_tier="city tier",
        city="city",
        province="province",
        device_price_cny="phone price",
        watch_min_30d="minutes of video in 30 days",
        live_min_30d="minutes in live rooms in 30 days",
        orders_90d="orders in 90 days",
        aov_cny="yuan per order",
    )
    interests = _table(
        jewellery="jewellery",
        fashion="fashion",
        comedy="comedy",
        games="games",
        beauty="beauty",
        food="food",
        sports="sports",
        home="home",
        baby="mother and baby",
        travel="travel",
        digital="electronics",
    )
    rivals = MappingProxyType(
        {
            "last plan": "Last plan's split",
            "equal split": "Equal split",
            "ROAS-proportional split": "Split by past ROI",
        }
    )
    statuses = _table(
        optimal="solved to the end",
        within_gap="solved, with the gap that is stated",
        time_limit="stopped at the time limit, with the gap that is stated",
    )
    units = MappingProxyType(
        {
            "cells": "{count} units", "viewers": "{count} viewers", "fans": "{count} fans",
            "impressions": "{count} impressions",
        }
    )  # fmt: skip
    in_placement = "{segment}, {placement}"
    slot = "slot {number}"
    interest = "interest {what}"
    interest_weak = "little interest in {what}"
    at_least = "{what} {least} or more"
    below = "{what} below {most}"
    ages = "{first}–{last}"
    age_from = "{first} and older"
    tiers = "city tier {levels}"
    equals = "{what} {level}"
    other = "all other ({count})"
    unknown_level = "unknown"
    or_ = " or "
    comma = ", "
    semicolon = "; "
    colon = ": "
    stop = "."
    all_people = "everyone"

    def segment(self, name: str) -> str:
        """A segment's name: fan kind and step in this language, any other name as it is.

        >>> Terms().segment("precise · likely 2"), Terms().segment("新妈妈")
        ('precise · likely 2', '新妈妈')
        """
        kind, dot, step = name.partition(" · ")
        word, _, number = step.rpartition(" ") if step[-1:].isdigit() else (step, "", "")
        if not dot:
            return self.kinds["everyone"] if name == "everyone" else name
        if kind not in self.kinds or word not in self.steps:
            return name
        return f"{self.kinds[kind]} · {self.steps[word]}{' ' if number else ''}{number}"

    def placement(self, name: str) -> str:
        """A placement as a merchant knows it."""
        return self.placements.get(name, name)


class TermsZh(Terms):
    """Chinese terms."""

    placements = _table(video="短视频", live="直播间")
    objectives = _table(
        new_fan_gmv="新增粉丝成交额", new_fans="涨粉数", live_entries="直播间进入数", profit="利润"
    )
    columns = _table(
        segment="人群",
        placement="投放位置",
        slot="时段",
        spend_cny="花费(元)",
        spend_li="花费(厘)",
        impressions="曝光数",
        new_fans="涨粉数",
        new_fan_gmv_cny="新增粉丝成交额(元)",
        profit_cny="利润(元)",
        impressions_low="曝光数下限",
        impressions_high="曝光数上限",
        new_fans_low="涨粉数下限",
        new_fans_high="涨粉数上限",
        new_fan_gmv_cny_low="新增粉丝成交额下限",
        new_fan_gmv_cny_high="新增粉丝成交额上限",
        marginal_gmv_per_cny="最后一元带来的成交额",
        reason="原因",
        campaign_id="计划ID",
        merchant_id="商家ID",
    )
    kinds = _table(precise="精准粉", content="内容粉", mixed="全部类型", everyone="全部人群")
    steps = MappingProxyType(
        {
            "top": "最高", "very likely": "很高", "likely": "高", "fairly likely": "较高", "possible": "中等",
            "unlikely": "较低", "rare": "低",
            "keen": "最感兴趣", "warm": "感兴趣", "curious": "好奇", "casual": "随意", "passing": "路过",
            "cool": "冷淡", "cheap reach": "低价触达",
            "high": "偏高", "upper": "中上", "middle": "中", "lower": "中下", "low": "偏低", "reach": "触达",
        }
    )  # fmt: skip
    genders = _table(m="男", f="女")
    features = _table(
        gender="性别",
        age_band="年龄",
        age="年龄",
        city_tier="城市线级",
        city="城市",
        province="省份",
        device_price_cny="手机价格",
        watch_min_30d="近30天短视频观看分钟",
        live_min_30d="近30天直播观看分钟",
        orders_90d="近90天订单数",
        aov_cny="客单价(元)",
    )
    interests = _table(
        jewellery="珠宝",
        fashion="服饰",
        comedy="搞笑",
        games="游戏",
        beauty="美妆",
        food="美食",
        sports="运动",
        home="家居",
        baby="母婴",
        travel="旅行",
        digital="数码",
    )
    rivals = MappingProxyType(
        {
            "last plan": "沿用上次的分配",
            "equal split": "平均分配",
            "ROAS-proportional split": "按历史 ROI 分配",
        }
    )
    statuses = _table(
        optimal="已求到最优",
        within_gap="已求解，差距如所述",
        time_limit="到达时间上限时停止，差距如所述",
    )
    units = MappingProxyType(
        {
            "cells": "{count} 个投放单元", "viewers": "{count} 名观众", "fans": "{count} 个粉丝",
            "impressions": "{count} 次曝光",
        }
    )  # fmt: skip
    in_placement = "{segment}，{placement}"
    slot = "时段 {number}"
    interest = "{what}兴趣"
    interest_weak = "对{what}兴趣低"
    at_least = "{what} {least}及以上"
    below = "{what}低于 {most}"
    ages = "{first}–{last} 岁"
    age_from = "{first} 岁及以上"
    tiers = "{levels} 线城市"
    equals = "{what}：{level}"
    other = "其余（{count}）"
    unknown_level = "未知"
    or_ = "或"
    comma = "、"
    semicolon = "；"
    colon = "："
    stop = "。"
    all_people = "全部人群"
