"""What a plan promises, in words: the expectation and what will really come, told apart. Text only."""

from __future__ import annotations

from targeting.plan.decided import DecidedPlan
from targeting.plan.promise import Interval
from targeting.plan.realised import Range
from targeting.report.sentences import count, yuan

_MARKET = "Neither covers a change of the market between the logs and the campaign."


def promise_sentences(plan: DecidedPlan) -> list[str]:
    """Two sentences, or why there is only one or none."""
    name, what = _told(plan)
    expected, came = plan.expected.get(name), plan.realised.get(name)
    if expected is None or expected.low is None or expected.high is None:
        return [
            "The curves came without uncertainty: how far the promise may be off, and how far luck moves what"
            " really comes, is not known here."
        ]
    return [_on_average(expected, what), _this_time(plan, came, what), _MARKET]


def _told(plan: DecidedPlan) -> tuple[str, str]:
    """The figure that is spoken of: GMV where it is known, else fans."""
    known = plan.expected.get("new_fan_gmv_cny") is not None
    return ("new_fan_gmv_cny", "new-fan GMV") if known else ("new_fans", "new fans")


def _on_average(expected: Interval, what: str) -> str:
    return (
        f"Expected 期望: if this campaign could be run many times, its average {what} would lie between"
        f" {_ends(expected, what)}, with a chance of 80 %. This is what is not known of prices, follow rates"
        " and the value of a fan; more data make it narrower."
    )


def _this_time(plan: DecidedPlan, came: Range | None, what: str) -> str:
    if came is not None:
        return (
            "Realised 实际: it is run once, and who happens to follow and buy, and for how much, is luck as"
            f" well: in four of five such campaigns between {_ends(came, what)} will really come."
        )
    if plan.realised:
        return (
            "Realised 实际: what really comes is luck as well, but nothing here tells how much single buyers"
            " differ, so no range is given for it."
        )
    return "Realised 实际: this plan is of a version that gave no range of what really comes."


def _ends(ends: Interval | Range, what: str) -> str:
    show = yuan if what == "new-fan GMV" else count
    return f"{show(ends.low)} and {show(ends.high)}"
