"""The units as a sheet, in our own words or in those of a console.

Neither console publishes the columns of its bulk sheet. The words are those of the fields of their marketing
interfaces, as two public client libraries document them: Kuaishou's unit/create (unit_name of 1-100 places,
day_budget in 厘 of at least 100 yuan a unit and 500 a campaign, schedule_time of 24 x 7 digits from Monday
on, cpa_bid in 厘, roi_ratio of at most three decimals, gender, age 18-55, population and exclude_population;
github.com/bububa/kwai-marketing-api) and Ocean Engine's qianchuan/ad/create (budget and cpa_bid in yuan of
two decimals, roi_goal of two decimals, schedule_time of 48 x 7 digits, fixed age bands,
retargeting_tags_include and _exclude; github.com/bububa/oceanengine). A sheet is to be copied from, field by
field.

Bits are written in seven groups with a dash between, which a spreadsheet keeps as text; take the dashes out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from targeting.export.console_terms import ConsoleTerms
from targeting.export.units import Unit

Format = Literal["kuaishou", "oceanengine", "csv", "xlsx"]
_OCEAN_AGES = {(18, 23): "18-23", (24, 30): "24-30", (31, 40): "31-40", (41, 49): "41-49", (50, 100): "50+"}
_GENDER = {"f": "女", "m": "男", "": "不限"}
_PLACES = {"video": "短视频", "live": "直播间"}
_KUAISHOU_YEARS = (18, 55)


@dataclass(frozen=True)
class Row:
    """A unit with what belongs to its row: the ceiling of its campaign, its terms, its packs."""

    unit: Unit
    ceiling_cny: int
    terms: ConsoleTerms
    precision: float | None
    recall: float | None
    include: str
    exclude: str


_Columns = Mapping[str, Callable[[Row], Any]]


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _li(value: float | None) -> int | None:
    return None if value is None else round(1000 * value)


def grouped(bits: str) -> str:
    """Bits in seven groups with a dash between."""
    a_day = len(bits) // 7
    return "-".join(bits[at : at + a_day] for at in range(0, len(bits), a_day))


def _bid(row: Row) -> float | None:
    """The bid for a fan in whole 分, no more than the unit's daily budget, as consoles ask."""
    bid = row.unit.bid.fan_cny
    return None if bid is None else round(min(bid, float(row.unit.daily_cny)), 2)


def _kuaishou_age(row: Row, end: int) -> int | None:
    if row.terms.ages is None:
        return None
    low, high = _KUAISHOU_YEARS
    return min(max(row.terms.ages[end], low), high)


def _ocean_ages(row: Row) -> str:
    spans = row.terms.age_spans
    held = [
        text
        for (low, high), text in _OCEAN_AGES.items()
        if any(first <= high and last >= low for first, last in spans)
    ]
    return "; ".join(held) or "不限"


_OURS: _Columns = {
    "unit": lambda r: r.unit.name,
    "campaign": lambda r: r.unit.campaign,
    "segment": lambda r: r.unit.segment,
    "placement": lambda r: r.unit.placement,
    "slots": lambda r: ", ".join(map(str, r.unit.slots)),
    "starts_on": lambda r: r.unit.schedule.first,
    "ends_on": lambda r: r.unit.schedule.last,
    "dates": lambda r: len(r.unit.schedule.days),
    "runs": lambda r: r.unit.schedule.words(),
    "schedule_24x7": lambda r: grouped(r.unit.schedule.bits()),
    "campaign_daily_cny": lambda r: r.ceiling_cny,
    "daily_cny": lambda r: r.unit.daily_cny,
    "daily_li": lambda r: 1000 * r.unit.daily_cny,
    "planned_spend_cny": lambda r: round(r.unit.spend_cny, 3),
    "planned_new_fans": lambda r: _rounded(r.unit.new_fans, 2),
    "planned_cost_per_fan_cny": lambda r: _rounded(r.unit.bid.cost_per_fan_cny, 2),
    "bid_per_fan_cny": _bid,
    "bid_per_fan_li": lambda r: _li(_bid(r)),
    "bid_roi": lambda r: _rounded(r.unit.bid.roi, 3),
    "break_even_cost_per_fan_cny": lambda r: _rounded(r.unit.bid.break_even_fan_cny, 2),
    "break_even_roi_before_returns": lambda r: _rounded(r.unit.bid.break_even_roi, 3),
    "guarantee": lambda r: "yes" if r.unit.cover.eligible else "no",
    "guarantee_why": lambda r: r.unit.cover.why,
    "guarantee_chance": lambda r: round(r.unit.cover.chance, 4),
    "guarantee_expected_cny": lambda r: round(r.unit.cover.expected_cny, 2),
    "gender": lambda r: r.terms.gender,
    "age_from": lambda r: None if r.terms.ages is None else r.terms.ages[0],
    "age_to": lambda r: None if r.terms.ages is None else r.terms.ages[1],
    "interests": lambda r: "; ".join(r.terms.interests),
    "only_by_list": lambda r: "; ".join(r.terms.lists_only),
    "rule_precision": lambda r: _rounded(r.precision, 3),
    "rule_recall": lambda r: _rounded(r.recall, 3),
    "include_pack": lambda r: r.include,
    "exclude_pack": lambda r: r.exclude,
}


def _in_its_words(name: str) -> str:
    """A name with the console's word for its placement; a report that says so is read like one of ours."""
    return "|".join(_PLACES.get(part, part) for part in name.split("|"))


_TERMS: _Columns = {
    "性别": lambda r: _GENDER[r.terms.gender],
    "兴趣": lambda r: "; ".join(r.terms.interests),
    "仅能用人群包": lambda r: "; ".join(r.terms.lists_only),
    "人群包定向": lambda r: r.include,
    "人群包排除": lambda r: r.exclude,
    "成本保障": lambda r: "可享" if r.unit.cover.eligible else "不可享",
    "预计赔付(元)": lambda r: round(r.unit.cover.expected_cny, 2),
    "保本涨粉成本(元)": lambda r: _rounded(r.unit.bid.break_even_fan_cny, 2),
    "保本ROI(退款前)": lambda r: _rounded(r.unit.bid.break_even_roi, 2),
}
_WHEN: _Columns = {
    "投放开始时间": lambda r: r.unit.schedule.first,
    "投放结束时间": lambda r: r.unit.schedule.last,
}
_KUAISHOU: _Columns = {
    "广告计划名称": lambda r: _in_its_words(r.unit.campaign),
    "计划单日预算(元)": lambda r: r.ceiling_cny,
    "广告组名称": lambda r: _in_its_words(r.unit.name),
    "投放位置": lambda r: _PLACES.get(r.unit.placement, r.unit.placement),
    "单日预算(元)": lambda r: r.unit.daily_cny,
    "单日预算(厘)": lambda r: 1000 * r.unit.daily_cny,
    **_WHEN,
    "投放时间段": lambda r: grouped(r.unit.schedule.bits(24)),
    "优化目标": lambda r: "涨粉",
    "出价(元)": _bid,
    "出价(厘)": lambda r: _li(_bid(r)),
    "ROI系数": lambda r: _rounded(r.unit.bid.roi, 3),
    "年龄下限": lambda r: _kuaishou_age(r, 0),
    "年龄上限": lambda r: _kuaishou_age(r, 1),
    **_TERMS,
}
_OCEAN: _Columns = {
    "广告组名称": lambda r: _in_its_words(r.unit.campaign),
    "计划名称": lambda r: _in_its_words(r.unit.name),
    "营销场景": lambda r: _PLACES.get(r.unit.placement, r.unit.placement),
    "预算(元)": lambda r: r.unit.daily_cny,
    **_WHEN,
    "投放时段": lambda r: grouped(r.unit.schedule.bits(48)),
    "转化目标": lambda r: "粉丝提升",
    "转化出价(元)": _bid,
    "支付ROI目标": lambda r: _rounded(r.unit.bid.roi, 2),
    "年龄": _ocean_ages,
    **_TERMS,
}
_SHEETS: Mapping[str, _Columns] = {"kuaishou": _KUAISHOU, "oceanengine": _OCEAN, "csv": _OURS, "xlsx": _OURS}


def sheet_of(rows: list[Row], form: Format) -> pl.DataFrame:
    """A row per unit in the columns of a format."""
    columns = _SHEETS[form]
    if not rows:
        return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    told = [{name: tell(row) for name, tell in columns.items()} for row in rows]
    return pl.DataFrame(told, infer_schema_length=None)
