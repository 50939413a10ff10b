"""The campaign brief (DESIGN 3.2): what the planner wants, checked once and frozen.

Exists so that everything behind it can trust what it reads. Strict: a misspelt key, a text where a number
belongs or an impossible value is one CampaignError line that names the key and what was expected. It must not
read files (`last_plan` is a path that the pipelines load) and must not import `targeting.allocation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from models.errors import CampaignError
from targeting.campaign.constraints import (
    KINDS,
    Constraint,
    MinIfUsed,
    Parsed,
    Trial,
    name_by_position,
    refuse_duplicate_names,
)
from targeting.campaign.fields import Money, Number, Placements, Share, Text, Texts, Whole
from targeting.campaign.messages import one_line

SHANGHAI = timezone(timedelta(hours=8))  # no daylight saving since 1991
Objective = Literal["new_fan_gmv", "new_fans", "live_entries", "profit"]


def _as_datetime(value: Any) -> Any:
    """A datetime, date or ISO text; with an offset it is moved to Asia/Shanghai, then made naive."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"expected a date or time like 2020-11-11T00:00:00, got {value!r}") from None
    if isinstance(value, datetime):
        try:
            return value if value.tzinfo is None else value.astimezone(SHANGHAI).replace(tzinfo=None)
        except OverflowError:
            raise ValueError(f"expected a date or time that a calendar has, got {value}") from None
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    return value


def as_date(value: Any) -> Any:
    """A date, of whatever says one; anything else as it is."""
    moment = _as_datetime(value)
    return moment.date() if isinstance(moment, datetime) else moment


def _distinct_placements(placements: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(placements)) < len(placements):
        raise ValueError("a placement is listed twice; list each once")
    if "none" in placements:
        raise ValueError("'none' marks held-out rows in the logs and cannot be bought; take it away")
    return placements


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Merchant(_Part):
    """Who advertises. Only the id is needed; the rest serves the platform's support programmes.

    `facts` has what rules of your own ask for: september_gmv_cny, supply_base, cash_awarded_cny ...
    """

    merchant_id: Text
    category: Text | None = None
    opened_on: Annotated[date, BeforeValidator(as_date, json_schema_input_type=str)] | None = None
    month_gmv_cny: Money | None = None
    fans: Annotated[Whole, Field(ge=0)] | None = None
    stars: Annotated[Number, Field(ge=0, le=5)] | None = None
    violations: Annotated[Whole, Field(ge=0)] | None = None
    facts: dict[str, bool | int | float | str] = Field(default_factory=dict)


class Grant(_Part):
    """Impressions that the platform gives for nothing, shared over the people of the selected cells."""

    impressions: Annotated[Number, Field(gt=0)]
    placement: Placements | None = None
    segment: Texts | None = None


class Economics(_Part):
    """Shares of GMV: what the merchant keeps (margin) and what the platform takes (fee)."""

    gross_margin: Share
    fee_rate: Share = 0.0

    @property
    def kept_share(self) -> float:
        """margin - fee: yuan kept per yuan of GMV."""
        return self.gross_margin - self.fee_rate

    @property
    def break_even_roi(self) -> float:
        """GMV per yuan of spend at which profit is 0: 1 / (margin - fee); inf where nothing is kept.

        >>> round(Economics(gross_margin=0.45, fee_rate=0.05).break_even_roi, 12)
        2.5
        """
        return 1.0 / self.kept_share if self.kept_share > 0 else float("inf")


class SlotPlan(_Part):
    """Hours of a live session or days of a festival that are planned jointly.

    `count` slots, numbered from 0, share the campaign's `days` evenly.
    """

    count: Annotated[Whole, Field(ge=1, le=1000)] = 1


class Campaign(_Part):
    """One campaign brief. Money in yuan, times naive Asia/Shanghai."""

    campaign_id: Text
    merchant: Merchant | None = None
    objective: Objective = "new_fan_gmv"
    horizon_days: Annotated[Whole, Field(ge=1, le=3650)] = 30
    starts_at: Annotated[datetime, BeforeValidator(_as_datetime, json_schema_input_type=str)] | None = None
    days: Annotated[Whole, Field(ge=1, le=3650)] = 1
    budget_cny: Annotated[Number, Field(gt=0)]
    placements: Annotated[Placements, AfterValidator(_distinct_placements)] = ("video", "live")
    economics: Economics | None = None
    constraints: Annotated[
        tuple[Constraint, ...],
        BeforeValidator(name_by_position, json_schema_input_type=tuple[Constraint, ...] | None),
        AfterValidator(refuse_duplicate_names),
    ] = ()
    last_plan: Annotated[str, Field(min_length=1)] | None = None
    slots: SlotPlan = SlotPlan()
    min_ticket_cny: Money = 0.0
    trial_cny: Money = 0.0
    grants: Annotated[tuple[Grant, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _check(self) -> Campaign:
        if self.objective == "profit" and self.economics is None:
            raise ValueError("objective profit needs economics: {gross_margin: ..., fee_rate: ...}")
        if self.last_plan is None and any(c.kind == "change_limit" for c in self.constraints):
            raise ValueError(
                "change_limit compares with last_plan, which is missing; give the path of an allocation"
            )
        return self

    @property
    def limits(self) -> Parsed:
        """Every constraint: those of the list, and what keys of their own ask for."""
        own: list[Constraint] = [Trial(kind="trial", name="trial_cny", max_cny=self.trial_cny)]
        if self.min_ticket_cny > 0:
            own.append(MinIfUsed(kind="min_if_used", name="min_ticket_cny", min_cny=self.min_ticket_cny))
        return Parsed((*self.constraints, *own))

    @property
    def merchant_id(self) -> str:
        """The merchant's id; the campaign's own id where the brief names no merchant."""
        return self.merchant.merchant_id if self.merchant else self.campaign_id


def parse_campaign(mapping: Mapping[str, Any], source: str = "campaign") -> Campaign:
    """The brief as a Campaign.

    Args:
        mapping: what YAML or JSON gave.
        source: file name, first in every message.

    Raises:
        CampaignError: one line: source, key path, what was expected, the nearest key for an unknown one.

    >>> parse_campaign({"campaign_id": "c", "budget_cny": 100}).placements
    ('video', 'live')
    """
    if not isinstance(mapping, Mapping):
        kind = "nothing" if mapping is None else type(mapping).__name__
        raise CampaignError(f"{source}: expected a mapping of keys to values (campaign_id: ...), got {kind}")
    odd = [key for key in mapping if not isinstance(key, str)]
    if odd:
        raise CampaignError(f"{source}: key {odd[0]!r} is not text; put it in quotes or take it away")
    try:
        return Campaign.model_validate(dict(mapping))
    except ValidationError as error:
        raise one_line(error, source=source, models=(Campaign, *KINDS)) from None


# pydantic writes limits behind a BeforeValidator under its own names, which JSON Schema does not know.
_LIMITS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def campaign_schema() -> dict[str, Any]:
    """JSON Schema of the brief, as `targeting schema campaign` prints it: of what may be written, so that
    every brief that `parse_campaign` reads is valid.
    """
    schema: dict[str, Any] = _with_known_limits(Campaign.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _with_known_limits(node: Any) -> Any:
    if isinstance(node, list):
        return [_with_known_limits(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {_LIMITS.get(key, key): _with_known_limits(value) for key, value in node.items()}
