"""The first sentences of a plan: what it leaves, which budget leaves most, how far from the best it is.

Profit comes first wherever the brief says what the merchant keeps of a yuan. `Plan.__str__`, the terminal,
the report and the page say the same.
"""

from __future__ import annotations

from targeting.plan.budgets import Budgets
from targeting.plan.decided import DecidedPlan
from targeting.plan.provenance import NO_DIFFERENCE
from targeting.plan.usual_plans import worth
from targeting.report.saying import funded, kept_share, profit_of, prolonged
from targeting.words import Words

_NO_PERSON, _NO_YUAN = 0.05, 0.5  # what is said with no decimals is nothing
_TURNED_AWAY = 0.05  # of the arrivals: fewer are within any interval
_SAME = 0.005  # of the money at stake: a budget that leaves hardly more is no better


def headline(plan: DecidedPlan, words: Words) -> str:
    """The plan in one sentence: what it leaves, or what it brings where profit cannot be told."""
    spend, profit = words.yuan(plan.spend_cny), plan.expected.get("profit_cny")
    if plan.spend_cny <= 0:
        return words.spends_nothing
    if profit is None:
        return _pays_above(plan, words).format(spend=spend, what=_brings(plan, words))
    said = words.leaves if profit.value >= 0 else words.loses
    span = words.range_of(profit, money=True)
    amount = words.yuan(abs(profit.value))
    return said.format(spend=spend, profit=amount, days=plan.campaign.horizon_days, range=span)


def rest(plan: DecidedPlan, words: Words, budgets: Budgets | None) -> list[str]:
    """The sentences after the headline, most telling first."""
    profit = plan.expected.get("profit_cny")
    said = [] if budgets is None else [*_best_budget(plan, words, budgets), *_last_step(plan, words, budgets)]
    if profit is not None and plan.spend_cny > 0:
        said.insert(0, words.wins.format(what=_brings(plan, words)))
    came = plan.realised.get("profit_cny")
    if came is not None and plan.spend_cny > 0:
        said.insert(1, words.will_come.format(range=words.span(came, money=True)))
    if profit is None:
        unknown = words.no_economics if plan.campaign.economics is None else words.no_gmv
        said.append(words.profit_unknown.format(why=unknown))
    if NO_DIFFERENCE in plan.provenance.warnings:
        alike = words.told(NO_DIFFERENCE)
        said.append(alike[0].upper() + alike[1:] + words.stop)
    return [*said, *_against_last(plan, words), *live_room(plan, words), certificate(plan, words)]


def _pays_above(plan: DecidedPlan, words: Words) -> str:
    """The plan without a margin: what must be left of a yuan of GMV for the plan to leave anything."""
    gmv = plan.expected.get("new_fan_gmv_cny")
    if gmv is None or plan.expected.get("new_fans") is None:  # curves from outside may count anything
        return words.spends
    if gmv.value <= plan.spend_cny:
        return words.never_pays
    return words.pays_above.replace("{share}", words.share(plan.spend_cny / gmv.value))


def _brings(plan: DecidedPlan, words: Words) -> str:
    """`74 new fans (80 % interval ...) and ¥8,415 of new-fan GMV (...)`."""
    fans, gmv = plan.expected.get("new_fans"), plan.expected.get("new_fan_gmv_cny")
    told = []
    if plan.campaign.objective == "live_entries":
        told.append(words.entries.format(amount=words.count(plan.value)))
    if fans is not None:
        span = words.range_of(fans, money=False)
        told.append(
            words.with_range.format(amount=words.fans.format(amount=words.count(fans.value)), range=span)
        )
    if gmv is not None:
        what = words.gmv_of if fans is not None else words.value
        span = words.range_of(gmv, money=True)
        told.append(words.with_range.format(amount=what.format(amount=words.yuan(gmv.value)), range=span))
    return words.and_.join(told) or words.value.format(amount=words.count(plan.value))


def _best_budget(plan: DecidedPlan, words: Words, budgets: Budgets) -> list[str]:
    """Which budget leaves most."""
    best, here = budgets.best, plan.expected.get("profit_cny")
    if best is None or here is None:
        return []
    interval = budgets.best_profit_cny
    about = {
        "budget": words.yuan(best["budget_cny"]),
        "profit": words.yuan(best["profit_cny"]),
        "range": words.no_interval if interval is None else words.range_of(interval, money=True),
        "difference": words.yuan(best["profit_cny"] - here.value),
        "least": words.yuan(float(budgets.points["budget_cny"].min() or 0.0)),  # type: ignore[arg-type]
        "most": words.yuan(float(budgets.points["budget_cny"].max() or 0.0)),  # type: ignore[arg-type]
    }
    if best["profit_cny"] - here.value <= _SAME * max(abs(here.value), plan.spend_cny):
        return [words.best_here.format(**about)]
    if best["profit_cny"] < 0:
        return [words.best_none.format(**about)]
    return [(words.best_more if budgets.more_pays else words.best_other).format(**about)]


def _last_step(plan: DecidedPlan, words: Words, budgets: Budgets) -> list[str]:
    """What the last so many yuan of the budget bring."""
    step = budgets.step
    if step is None:
        return []
    fans, gmv, profit = (step[name] for name in ("new_fans", "new_fan_gmv_cny", "profit_cny"))
    gains = []
    if "new_fans" not in plan.provenance.unknown and fans is not None:
        gains.append(words.fans.format(amount=words.count(fans)))
    if "new_fan_gmv_cny" not in plan.provenance.unknown:
        gains.append(words.gmv_of.format(amount=words.yuan(gmv)))
    if not gains:
        return []
    said = words.last_brings if profit is None else words.last_pays if profit >= 0 else words.last_costs
    amount = "" if profit is None else words.yuan(abs(profit))
    return [said.format(step=words.yuan(budgets.step_cny), gains=words.and_.join(gains), profit=amount)]


def _against_last(plan: DecidedPlan, words: Words) -> list[str]:
    """Profit, fans and GMV against what the merchant did last, with the same money."""
    last = next((row for row in plan.baselines.to_dicts() if row["label"] == "last plan"), None)
    fans, gmv = plan.expected.get("new_fans"), plan.expected.get("new_fan_gmv_cny")
    if last is None or fans is None or gmv is None or last["new_fans"] is None:
        return []
    more, richer = fans.value - last["new_fans"], gmv.value - (last["new_fan_gmv_cny"] or 0.0)
    if abs(more) < _NO_PERSON and abs(richer) < _NO_YUAN:  # it is that plan
        return []
    here, there = plan.expected.get("profit_cny"), profit_of(last, kept_share(plan))
    told = []
    if here is not None and there is not None:
        better = here.value - there
        said = words.more_profit if better >= 0 else words.less_profit
        told.append(said.format(amount=words.yuan(abs(better))))
    said = words.more_fans if more >= 0 else words.fewer_fans
    told.append(said.format(count=words.count(abs(more))))
    said = words.more_gmv if richer >= 0 else words.less_gmv
    told.append(said.format(amount=words.yuan(abs(richer))))
    listed = words.comma.join(told[:-1]) + words.and_ + told[-1]
    return [words.against_last.format(what=listed)]


def live_room(plan: DecidedPlan, words: Words) -> list[str]:
    """How full the plan makes the live room, where that is known or in doubt."""
    room = plan.live_room
    if room is None:
        return []
    share = f"{100 * room.let_in:.0f}"
    if room.places is None or room.filled is None:
        doubtful = room.let_in < 1 - _TURNED_AWAY
        return [words.room_unknown.format(share=share)] if doubtful else []
    holds = words.count(room.places)
    return [words.room_fills.format(places=holds, filled=f"{100 * room.filled:.0f}", share=share)]


def certificate(plan: DecidedPlan, words: Words) -> str:
    """How far from the best the plan can be, within which rules, and on how much experience that rests."""
    what = words.objectives[plan.campaign.objective]
    cheapest = set(plan.problem.objective) == {"spend"}
    if plan.gap <= 1e-6:
        said = words.no_cheaper if cheapest else words.no_better.format(what=what)
    elif plan.gap == float("inf"):
        said = words.no_bound
    else:
        near = words.near_cheapest if cheapest else words.near_best
        said = near.format(gap=f"{100 * plan.gap:.2g}", what=what)
    beyond, count = len(prolonged(plan)), funded(plan).height
    if beyond:
        told = words.prolonged_all if beyond == count else words.prolonged
        said = told.format(what=said, count=beyond, all=count)
    ruled = any(name != "total" for name in plan.binding)
    sentence = (words.within_rules if ruled else words.without_rules).format(what=said)
    return sentence[:1].upper() + sentence[1:]


def plan_worth(plan: DecidedPlan) -> float:
    """The plan in the units of the baselines: the brief's objective (a `target` plan maximises minus
    spend).
    """
    return worth(plan.problem, plan.campaign, plan.solution.spend_cny)
