"""Whether a merchant is in a programme, with the reason in words: yes, no, or what must be known to tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from models.errors import CampaignError
from targeting.campaign import Campaign
from targeting.campaign.brief import as_date
from targeting.programmes.programme_rules import AnyOf, Condition, Facts, FromFact, Programme, When

Outcome = Literal["granted", "refused", "unknown", "not running"]
_LIMITS = {"below": "<", "at_most": "<=", "above": ">", "at_least": ">="}


@dataclass(frozen=True)
class Verdict:
    """What became of one programme.

    Attributes:
        name, title: of the programme.
        outcome: `granted`, `refused`, `unknown` (a fact is missing) or `not running` (dates).
        reasons: one sentence per condition that was looked at.
        gives: what it gives, in words.
        worth_cny: profit with it less profit without it; None where nobody asked or it cannot be known.
    """

    name: str
    title: str
    outcome: Outcome
    reasons: tuple[str, ...]
    gives: str
    worth_cny: float | None = None

    def __str__(self) -> str:
        """One line."""
        worth = "" if self.worth_cny is None else f"; worth {self.worth_cny:,.2f} yuan of profit here"
        gives = f" ({self.gives})" if self.outcome == "granted" and self.gives else ""
        return f"{self.title}: {self.outcome}{gives}: {'; '.join(self.reasons)}{worth}"


def facts_of(campaign: Campaign) -> Facts:
    """Facts about the merchant: the brief's keys and its own."""
    merchant = campaign.merchant
    if merchant is None:
        return {}
    known = {name: getattr(merchant, name) for name in type(merchant).model_fields if name != "facts"}
    return {name: value for name, value in {**known, **merchant.facts}.items() if value is not None}


def judged(programmes: Sequence[Programme], campaign: Campaign) -> tuple[Verdict, ...]:
    """A verdict on every programme, for a campaign that starts when the brief says.

    Raises:
        CampaignError: a fact is of another kind than its condition, e.g. a text for an amount.
    """
    facts, starts = facts_of(campaign), campaign.starts_at and campaign.starts_at.date()
    return tuple(_judge(programme, facts, starts) for programme in programmes)


def _judge(programme: Programme, facts: Facts, starts: date | None) -> Verdict:
    running, when = _running(programme, starts)
    told = [when] if when else []
    outcome: Outcome = "not running"
    if running:
        holds, reasons = _holds(programme.when, facts)
        amount, more = _awarded(programme, facts) if holds else (True, [])
        outcome = "unknown" if holds is None or not amount else "granted" if holds else "refused"
        told += [*reasons, *more]
    return Verdict(programme.name, programme.title, outcome, tuple(told), in_words(programme, facts))


def _running(programme: Programme, starts: date | None) -> tuple[bool, str]:
    if starts is None or (programme.first is None and programme.last is None):
        return True, ""
    inside = (programme.first or starts) <= starts <= (programme.last or starts)
    period = f"{programme.first or '...'} to {programme.last or '...'}"
    return inside, "" if inside else f"the campaign starts {starts}, it runs {period}"


def _holds(when: When, facts: Facts) -> tuple[bool | None, list[str]]:
    """Whether it holds (None: cannot be told), and why. Of alternatives the first that holds is enough."""
    if isinstance(when, Condition):
        return _compared(when, facts)
    inner = [_holds(one, facts) for one in (when.any if isinstance(when, AnyOf) else when.all)]
    decisive = isinstance(when, AnyOf)
    for holds, reasons in inner:
        if holds is decisive:
            return decisive, reasons
    all_reasons = [reason for _, reasons in inner for reason in reasons]
    if any(holds is None for holds, _ in inner):
        return None, [reason for holds, reasons in inner if holds is None for reason in reasons]
    return not decisive, all_reasons


def _compared(condition: Condition, facts: Facts) -> tuple[bool | None, list[str]]:
    name = next((name for name in condition.fact if name in facts), None)
    if name is None:
        return None, [f"{' or '.join(condition.fact)} is not known: say it under merchant"]
    value = facts[name]
    if condition.equals is not None:
        holds = str(value) in condition.equals
        return holds, [f"{name} is {value}, {'one' if holds else 'none'} of {', '.join(condition.equals)}"]
    if condition.first is not None or condition.last is not None:
        day = _day(name, value)
        holds = (condition.first or day) <= day <= (condition.last or day)
        period = f"{condition.first or '...'} to {condition.last or '...'}"
        return holds, [f"{name} {day} is {'' if holds else 'not '}within {period}"]
    number = _number(name, value)
    key, sign = next((k, s) for k, s in _LIMITS.items() if getattr(condition, k) is not None)
    limit = float(getattr(condition, key))
    holds = {"<": number < limit, "<=": number <= limit, ">": number > limit, ">=": number >= limit}[sign]
    return holds, [f"{name} {number:,.10g} is {'' if holds else 'not '}{sign} {limit:,.10g}"]


def _awarded(programme: Programme, facts: Facts) -> tuple[bool, list[str]]:
    """Whether every amount that a fact must say is there."""
    amounts = [programme.gives.cash_cny, *(grant.impressions for grant in programme.gives.grants)]
    missing = [one.fact for one in amounts if isinstance(one, FromFact) and one.fact not in facts]
    return not missing, [f"{name} is not known: say what was awarded" for name in missing]


def in_words(programme: Programme, facts: Facts) -> str:
    """What a programme gives, in words."""
    gives, said = programme.gives, []
    if gives.fee_rate is not None:
        said.append(f"fee {gives.fee_rate:.2%}")
    if gives.cash_cny is not None:
        said.append(f"{amount(gives.cash_cny, facts):,.2f} yuan to the budget")
    for grant in gives.grants:
        where = ", ".join((*(grant.segment or ()), *(grant.placement or ()))) or "all cells"
        said.append(f"{amount(grant.impressions, facts):,.0f} impressions in {where}")
    return ", ".join((*said, *gives.tags))


def amount(given: float | FromFact, facts: Facts) -> float:
    """An amount of a programme; 0 where its fact is not known."""
    if isinstance(given, FromFact):
        return _number(given.fact, facts.get(given.fact, 0.0))
    return given


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CampaignError(f"merchant.{name}: is {value!r}; expected a number for the programmes' rules")
    return float(value)


def _day(name: str, value: object) -> date:
    try:
        day = as_date(value)
    except ValueError as error:
        raise CampaignError(f"merchant.{name}: {error}") from None
    if not isinstance(day, date):
        raise CampaignError(f"merchant.{name}: is {value!r}; expected a date like 2020-10-01")
    return day
