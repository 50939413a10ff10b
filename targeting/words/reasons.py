"""Why a unit got its money or nothing: the codes of `targeting.allocation.explain.words`, for merchants."""

from __future__ import annotations

from types import MappingProxyType


class Reasons:
    """English reasons."""

    reasons = MappingProxyType(
        {
            "margin": "funded until the next yuan returns no more than elsewhere",
            "cap": "at its cap",
            "floor": "only as much as its floor demands",
            "minimum": "at the least spend allowed",
            "marginal_floor": "stopped where the next yuan returns too little",
            "held_back": "would deserve more but a rule holds it back",
            "held_up": "gets more than it earns because a rule asks for it",
            "saturated": "more money brings nothing here",
            "no_value": "brings no value at any spend",
            "closed": "closed by a limit of 0",
            "trial": "trial money: never tried here, its curve is a guess from the other units",
            "untried": "never tried, and the brief gives no money for trials",
            "too_weak": "its first yuan returns less than elsewhere",
            "slow_start": "needs too much money before it works",
            "below_minimum": "worth a little, but not the least spend allowed",
            "held_out": "would deserve money but a rule holds it back",
            "near_tie": "as good as what got the money; the difference is within the certificate",
        }
    )
    named_reason = "{reason} (rule {names})"


class ReasonsZh(Reasons):
    """Chinese reasons."""

    reasons = MappingProxyType(
        {
            "margin": "加到下一元的回报不高于别处为止",
            "cap": "已到上限",
            "floor": "只给到下限要求的金额",
            "minimum": "只给到允许的最低花费",
            "marginal_floor": "在下一元回报过低处停止",
            "held_back": "值得更多，但受规则限制",
            "held_up": "因规则要求，所得多于其回报",
            "saturated": "再加钱不会带来更多",
            "no_value": "花多少都没有价值",
            "closed": "上限为 0，已关闭",
            "trial": "试投金额：这里从未投过，曲线由其他单元推测",
            "untried": "从未投过，且投放需求没有给试投金额",
            "too_weak": "第一元的回报低于别处",
            "slow_start": "要花很多钱才开始见效",
            "below_minimum": "略有价值，但不到允许的最低花费",
            "held_out": "值得投入，但受规则限制",
            "near_tie": "与得到预算的单元一样好，差别在证明的误差以内",
        }
    )
    named_reason = "{reason}（规则{names}）"
