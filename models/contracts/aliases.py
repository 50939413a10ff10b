"""Names under which consoles and warehouses export the columns of the contract, English and Chinese.

Data only. Units (`_li`, `(厘)`) and folding (case, spaces, full-width brackets) are handled in `headers`.
"""

from __future__ import annotations

from collections.abc import Mapping

_USER = ("uid", "用户ID", "用户编号", "用户标识", "用户")
_CAMPAIGN = ("计划ID", "计划编号", "广告计划ID", "活动ID", "推广计划ID", "campaign")
_PLACEMENT = ("投放位置", "版位", "广告位", "展示位置", "推广位置")
_SEGMENT = ("人群", "人群包", "人群名称", "定向人群", "受众", "audience")
_COST = ("cost", "spend", "spend_cny", "花费", "消耗", "消费", "广告花费", "投放金额")
_IMPRESSIONS = ("曝光数", "曝光次数", "曝光量", "展示数", "展示次数", "展现数", "imps")
_GMV = ("gmv", "支付金额", "成交金额", "订单金额", "支付GMV", "成交额", "销售额")
_RANDOMIZED = ("randomised", "is_randomized", "是否随机", "是否随机投放", "随机投放", "随机")
_MERCHANT = ("商家ID", "店铺ID")
_SLOT = ("时段序号",)

ALIASES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "users": {
        "user_id": _USER,
        "snapshot_at": ("快照时间", "快照日期", "统计时间", "snapshot_time"),
        "is_fan": ("是否粉丝", "是否已关注", "是否为粉丝", "粉丝"),
    },
    "exposures": {
        "exposure_id": ("曝光ID", "曝光编号", "展示ID"),
        "user_id": _USER,
        "campaign_id": _CAMPAIGN,
        "placement": _PLACEMENT,
        "exposed_at": ("曝光时间", "首次曝光时间", "展示时间"),
        "impressions": _IMPRESSIONS,
        "cost_cny": _COST,
        "entered_live": ("是否进入直播间", "是否进直播间", "进入直播间", "是否进房"),
        "followed": ("是否关注", "是否涨粉", "关注"),
        "followed_at": ("关注时间",),
        "randomized": _RANDOMIZED,
        "propensity": ("投放概率", "倾向得分", "曝光概率"),
    },
    "orders": {
        "order_id": ("订单ID", "订单号", "订单编号"),
        "user_id": (*_USER, "买家ID"),
        "ordered_at": ("下单时间", "支付时间", "订单时间", "成交时间", "paid_at"),
        "gmv_cny": _GMV,
        "refund_cny": ("refund", "退款金额", "退款", "退款额"),
        "product_id": ("商品ID", "商品编号", "商品", "sku_id"),
    },
    "delivery": {
        "date": ("日期", "统计日期", "投放日期", "day"),
        "hour": ("时段", "小时", "投放时段"),
        "campaign_id": _CAMPAIGN,
        "segment": _SEGMENT,
        "placement": _PLACEMENT,
        "cost_cny": _COST,
        "impressions": _IMPRESSIONS,
        "live_entries": (
            "直播间进入数",
            "进入直播间数",
            "直播间进入人数",
            "进房数",
            "直播间观看数",
            "entries",
        ),
        "new_fans": ("涨粉数", "新增粉丝数", "新增关注数", "关注数", "涨粉量", "follows"),
        "orders": ("支付订单数", "订单数", "成交订单数", "支付单量"),
        "gmv_cny": _GMV,
        "randomized": _RANDOMIZED,
    },
    "curves": {
        "campaign_id": _CAMPAIGN,
        "merchant_id": _MERCHANT,
        "segment": _SEGMENT,
        "placement": _PLACEMENT,
        "slot": _SLOT,
        "spend_cny": ("cost_cny", "cost", "spend", "花费", "消耗"),
        "value": ("价值", "产出", "效果值"),
        "family": ("曲线类型",),
        "top": ("上限", "最大值"),
        "half_spend_cny": ("half_spend", "半程花费", "半饱和花费"),
        "slope": ("斜率", "形状"),
    },
}

# Features the product's own words (diagnosis, platform rules) refer to; any other user column is a feature
# as well.
FEATURE_ALIASES: Mapping[str, tuple[str, ...]] = {
    "gender": ("性别",),
    "age_band": ("年龄段", "年龄区间"),
    "city_tier": ("城市等级", "城市级别", "城市线级"),
    "device_price_cny": ("设备价格", "手机价格"),
    "watch_min_30d": ("近30天观看时长", "30天观看分钟"),
    "live_min_30d": ("近30天直播观看时长", "30天直播分钟"),
    "orders_90d": ("近90天订单数", "90天订单数"),
    "aov_cny": ("客单价",),
}
