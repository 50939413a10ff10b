"""Whether a merchant is in a programme, with the reason in words: yes, no, or what must be known to tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from models.errors import CampaignError
from targeting.campaign import Campaign
from targeting.campaign.brief import as_date
from targeting.programmes.programme_rules import AnyOf, Condition, Facts, FromFact, Programme, When
from targeting.words import Words, words_in

EN = words_in("en")
Outcome = Literal["granted", "refused", "unknown", "not running"]
_LIMITS = {"below": "<", "at_most": "<=", "above": ">", "at_least": ">="}


@dataclass(frozen=True)
class Reason:
    """Why, to be said in any language: a message of `targeting.words.programmes` and what it names.

    Attributes:
        message: name of the message.
        facts: keys of the brief that it speaks of.
        about: its other parts.
    """

    message: str
    facts: tuple[str, ...]
    about: Mapping[str, object] = field(default_factory=dict)

    def said(self, w: Words) -> str:
        """In words."""
        names = w.or_.join(map(w.fact, self.facts))
        told: str = getattr(w, self.message)
        return told.format(fact=names, facts=names, **self.about)


@dataclass(frozen=True)
class Verdict:
    """What became of one programme.

    Attributes:
        name, title: of the programme.
        outcome: `granted`, `refused`, `unknown` (a fact is missing) or `not running` (dates).
        reasons: one for each condition that was looked at.
        programme, known: what it is about, for its words.
        worth_cny: profit with it less profit without it; None where nobody asked or it cannot be known.
    """

    name: str
    title: str
    outcome: Outcome
    reasons: tuple[Reason, ...]
    programme: Programme
    known: Facts
    worth_cny: float | None = None

    @property
    def gives(self) -> str:
        """What it gives, in English."""
        return in_words(self.programme, self.known, EN)

    def said(self, w: Words) -> str:
        """One line."""
        gives = in_words(self.programme, self.known, w) if self.outcome == "granted" else ""
        return w.verdict_line.format(
            title=self.title,
            outcome=w.outcomes[self.outcome],
            gives=w.verdict_gives.format(gives=gives) if gives else "",
            reasons=w.verdict_and.join(reason.said(w) for reason in self.reasons),
            worth="" if self.worth_cny is None else w.verdict_worth.format(worth=self.worth_cny),
        )

    def __str__(self) -> str:
        """One line in English."""
        return self.said(EN)


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
    told = _not_running(programme, starts)
    outcome: Outcome = "not running"
    if not told:
        holds, told = _holds(programme.when, facts)
        more = _not_awarded(programme, facts) if holds else []
        outcome = "unknown" if holds is None or more else "granted" if holds else "refused"
        told = [*told, *more]
    return Verdict(programme.name, programme.title, outcome, tuple(told), programme, facts)


def _not_running(programme: Programme, starts: date | None) -> list[Reason]:
    if starts is None or (programme.first or starts) <= starts <= (programme.last or starts):
        return []
    return [Reason("not_running", (), {"starts": starts, **_period(programme)})]


def _period(dated: Programme | Condition) -> dict[str, object]:
    return {"first": dated.first or "...", "last": dated.last or "..."}


def _holds(when: When, facts: Facts) -> tuple[bool | None, list[Reason]]:
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


def _compared(condition: Condition, facts: Facts) -> tuple[bool | None, list[Reason]]:
    name = next((name for name in condition.fact if name in facts), None)
    if name is None:
        return None, [Reason("support_fact_unknown", tuple(condition.fact))]
    value = facts[name]
    if condition.equals is not None:
        holds = str(value) in condition.equals
        known = ", ".join(condition.equals)
        return holds, [
            Reason("is_one_of" if holds else "is_none_of", (name,), {"value": value, "known": known})
        ]
    if condition.first is not None or condition.last is not None:
        day = _day(name, value)
        holds = (condition.first or day) <= day <= (condition.last or day)
        about = {"day": day, **_period(condition)}
        return holds, [Reason("is_within" if holds else "is_not_within", (name,), about)]
    number = _number(name, value)
    key, sign = next((k, s) for k, s in _LIMITS.items() if getattr(condition, k) is not None)
    limit = float(getattr(condition, key))
    holds = {"<": number < limit, "<=": number <= limit, ">": number > limit, ">=": number >= limit}[sign]
    about = {"number": number, "sign": sign, "limit": limit}
    return holds, [Reason("number_holds" if holds else "number_fails", (name,), about)]


def _not_awarded(programme: Programme, facts: Facts) -> list[Reason]:
    """Amounts that a fact must say and does not."""
    amounts = [programme.gives.cash_cny, *(grant.impressions for grant in programme.gives.grants)]
    missing = [one.fact for one in amounts if isinstance(one, FromFact) and one.fact not in facts]
    return [Reason("support_award_unknown", (name,)) for name in missing]


def in_words(programme: Programme, facts: Facts, w: Words) -> str:
    """What a programme gives, in words."""
    gives, said = programme.gives, []
    if gives.fee_rate is not None:
        said.append(w.gives_fee.format(fee=gives.fee_rate))
    if gives.cash_cny is not None:
        said.append(w.gives_cash.format(cash=amount(gives.cash_cny, facts)))
    for grant in gives.grants:
        places = grant.placement or ()
        if w.language != "en":
            places = tuple(map(w.placement, places))
        where = w.comma.join((*map(w.segment, grant.segment or ()), *places)) or w.gives_everywhere
        impressions = amount(grant.impressions, facts)
        said.append(w.gives_impressions.format(impressions=impressions, where=where))
    return w.gives_comma.join((*said, *gives.tags))


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
