"""A rule of the brief in a merchant's words: what it asks, how the plan stands to it, what it costs.

The numbers are those of `targeting.plan.rules`; nothing is computed but units of display.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from targeting.campaign.fields import Selection
from targeting.plan.decided import DecidedPlan
from targeting.plan.rules import Rule
from targeting.report.saying import MONEY, amount_of
from targeting.words import Words

_PER_ONE = ("roi_floor", "marginal_floor", "frequency_cap")
_SAME = 1e-4  # of the plan's value: what is gained without a rule and is less than this is nothing


def rule_name(words: Words, kind: str, name: str) -> str:
    """The rule's kind in words, and its name in the brief where the planner gave it one."""
    said = words.rule_names.get(kind, name)
    own = name == "total" or name in ("min_ticket_cny", "trial_cny") or name.startswith(f"{kind}-")
    return said if own else f"{said} “{name}”"


def name_of(plan: DecidedPlan, words: Words, name: str) -> str:
    """The rule of that name as the merchant knows it."""
    kinds = {c.name: c.kind for c in plan.campaign.limits}
    return rule_name(words, kinds.get(name, name), name)


def asks(plan: DecidedPlan, words: Words, rule: Rule) -> str:
    """What the rule asks for."""
    c, kind = rule.constraint, rule.kind
    if c is None:
        return words.rule_asks["total"].format(limit=words.yuan(plan.budget_cny))
    limits = _limits(plan, words, c, kind)
    about = {"where": where(words, c, getattr(c, "each", None))}
    if kind == "ratio":
        about |= {side: where(words, getattr(c, side), None) for side in ("of", "to")}
    if kind == "risk":
        about |= {"measure": str(getattr(c, "measure", "")), "level": f"{getattr(c, 'level', 0):g}"}
    said = [words.rule_asks[key].format(**about, limit=limit) for key, limit in limits]
    return words.semicolon.join(said) or rule.name


def _limits(plan: DecidedPlan, words: Words, c: Any, kind: str) -> list[tuple[str, str]]:
    """(key of `rule_asks`, limit as text) of what the constraint gives."""
    objective = plan.campaign.objective
    returned = "¥{:g}" if objective in MONEY else "{:g} " + words.objectives[objective]
    share_of = words.of_last if kind == "change_limit" else words.of_budget

    def shared(value: float) -> str:
        return share_of.format(share=words.share(value))

    told: dict[str, Sequence[tuple[str, str, Any]]] = {
        "bounds": (
            ("bounds_min", "min_cny", words.yuan), ("bounds_min", "min_share", shared),
            ("bounds_max", "max_cny", words.yuan), ("bounds_max", "max_share", shared),
        ),
        "ratio": (("ratio_min", "min", "{:g}".format), ("ratio_max", "max", "{:g}".format)),
        "min_if_used": ((kind, "min_cny", words.yuan),),
        "max_active": ((kind, "n", "{:g}".format),),
        "roi_floor": ((kind, "min", returned.format),),
        "marginal_floor": ((kind, "min", returned.format),),
        "live_capacity": ((kind, "viewers", "{:,.0f}".format),),
        "change_limit": ((kind, "max_cny", words.yuan), (kind, "max_share", shared)),
        "fairness_floor": ((kind, "min_share", words.share),),
        "frequency_cap": ((kind, "impressions", "{:g}".format),),
        "risk": ((kind, "floor", lambda v: amount_of(plan, words, v)),),
        "target": ((kind, "value", lambda v: _target(words, c.metric, v)),),
        "trial": ((kind, "max_cny", words.yuan),),
    }  # fmt: skip
    given = [(key, getattr(c, field), show) for key, field, show in told.get(kind, ())]
    return [(key, show(value)) for key, value, show in given if value is not None]


def _target(words: Words, metric: str, value: float) -> str:
    if metric == "new_fans":
        return words.gain_count.format(amount=words.count(value), what=words.new_fans)
    if metric == "new_fan_gmv":
        return words.gain_of.format(amount=words.yuan(value), what=words.gmv)
    return f"{words.roi} {value:g}"


def where(words: Words, selection: Selection, each: str | None) -> str:
    """The selection: `live room`, `each segment`, `each unit in live room`."""
    given = selection.given()
    parts = []
    for key, values in given.items():
        parts.append(words.or_.join(_selected(words, key, value) for value in values))
    place = words.comma.join(parts)
    apart = words.each_of[each] if each else ""
    if place and apart:
        return words.within_where.format(each=apart, where=place)
    return place or apart or words.whole_plan


def _selected(words: Words, key: str, value: Any) -> str:
    if key == "slot":
        return words.slot.format(number=value)
    if key == "fan_kind":
        return words.kinds.get(value, value)
    show = {"segment": words.segment, "placement": words.placement}
    return show[key](value) if key in show else str(value)


def state(plan: DecidedPlan, words: Words, rule: Rule) -> str:
    """How the plan stands to the rule: with room, at its limit, untouched."""
    found = rule.tightest
    if found is None:
        return words.kept_limit.format(actual="") if rule.at_limit else words.kept_unused
    if rule.places > 1 and rule.tight_places:
        return words.kept_some.format(tight=rule.tight_places, places=rule.places)
    actual, limit = _measured(plan, words, rule)
    told = words.actual_yuan.format(actual=actual, limit=limit)
    return (words.kept_limit if rule.at_limit else words.kept_slack).format(actual=told)


def _measured(plan: DecidedPlan, words: Words, rule: Rule) -> tuple[str, str]:
    """(what is, what is allowed) at the tightest place, in the rule's own unit."""
    found = rule.tightest
    assert found is not None
    if rule.kind in _PER_ONE or (rule.kind == "target" and found.unit == "value"):
        # Compared as sums, e.g. GMV against least x spend; told per yuan or person, as the brief says it.
        per = 1.0 if rule.kind == "marginal_floor" else found.limit / _least(rule)
        return f"{found.actual / per if per else 0.0:.2f}", f"{_least(rule):g}"
    if found.unit.startswith("CNY"):
        return words.yuan(found.actual), words.yuan(found.limit)
    if found.unit == "value":
        return amount_of(plan, words, found.actual), amount_of(plan, words, found.limit)
    limit = words.units.get(found.unit, "{count}").format(count=words.count(found.limit))
    return words.count(found.actual), limit


def _least(rule: Rule) -> float:
    """The number in the brief that a rule about a ratio compares with."""
    for key in ("min", "value", "impressions"):
        held = getattr(rule.constraint, key, None)
        if held:
            return float(held)
    return 1.0


def cost(plan: DecidedPlan, words: Words, rule: Rule) -> str:
    """What the rule costs: what the plan without it has more, and what loosening it a little would bring."""
    said = []
    if rule.gain is not None:
        said.append(_without(plan, words, rule))
    if rule.step is not None:
        said.append(loosened(plan, words, rule.step))
    return words.semicolon.join(said) or words.costs_nothing


def _without(plan: DecidedPlan, words: Words, rule: Rule) -> str:
    gain, unknown = rule.gain or {}, plan.provenance.unknown
    if gain["value"] <= _SAME * max(abs(plan.value), 1e-9):
        return words.costs_same
    told = []
    if "new_fan_gmv_cny" not in unknown:
        told.append(f"{words.difference(gain['new_fan_gmv_cny'], money=True)} {words.gmv}")
    if "new_fans" not in unknown:
        told.append(f"{words.difference(gain['new_fans'], money=False)} {words.new_fans}")
    economics = plan.campaign.economics
    if economics is not None and "new_fan_gmv_cny" not in unknown:
        profit = economics.kept_share * gain["new_fan_gmv_cny"] - gain["spend_cny"]
        told.append(f"{words.difference(profit, money=True)} {words.profit}")
    if not told:
        told = [words.gain_of.format(amount=amount_of(plan, words, gain["value"]), what=_what(plan, words))]
    return words.costs_gain.format(gains=words.comma.join(told))


def _what(plan: DecidedPlan, words: Words) -> str:
    return words.objectives[plan.campaign.objective]


def loosened(plan: DecidedPlan, words: Words, step: Mapping[str, Any]) -> str:
    """What one round step of a limit brings: solved again, or about, where it is a slope."""
    unit = step["unit"]
    by = words.steps_of.get(unit, "{size}").format(
        size=amount_of(plan, words, step["step"]) if unit == "value" else
        words.yuan(step["step"]) if unit == "CNY" else f"{step['step']:g}"
    )  # fmt: skip
    exact = step["status"] == "optimal"
    # A gain below what both plans leave open may come out with the other sign: then the slope is told.
    known = step["gain"] is not None and step["gain"] * step["price"] > 0
    amount = abs(step["gain"] if known else step["price"])
    if set(plan.problem.objective) == {"spend"}:
        gain = words.yuan(amount)
    else:
        told = words.gain_of if plan.campaign.objective in MONEY else words.gain_count
        gain = told.format(amount=amount_of(plan, words, amount), what=_what(plan, words))
    gain = gain if exact else words.about.format(gain=gain)
    if step["constraint"] == "total":
        return words.more_budget.format(step=by, gain=gain)
    saves = set(plan.problem.objective) == {"spend"}
    return (words.loosening_saves if saves else words.loosening).format(step=by, gain=gain)
