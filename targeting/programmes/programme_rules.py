"""Programmes as a merchant or the platform writes them: strict models of configs/programmes.yaml.

A programme has dates, conditions on facts about the merchant, and what it gives. Facts are the keys of the
brief's `merchant`, and whatever else its `facts` say (september_gmv_cny, supply_base, awarded_cny ...).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from targeting.campaign.brief import as_date
from targeting.campaign.fields import Money, Number, Placements, Share, Text, Texts

Day = Annotated[date, BeforeValidator(as_date, json_schema_input_type=str)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", populate_by_name=True)


class Condition(_Part):
    """One fact, the first known of several, against exactly one limit (`from` with `to` is one)."""

    fact: Texts
    below: Number | None = None
    at_most: Number | None = None
    above: Number | None = None
    at_least: Number | None = None
    equals: Texts | None = None
    first: Day | None = Field(default=None, alias="from")
    last: Day | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _one_limit(self) -> Condition:
        keys = ("below", "at_most", "above", "at_least", "equals")
        given = [key for key in keys if getattr(self, key) is not None]
        if self.first is not None or self.last is not None:
            given.append("from/to")
        if len(given) != 1:
            raise ValueError(
                f"needs exactly one of {', '.join(keys)}, from/to; has {', '.join(given) or 'none'}"
            )
        return self


class AnyOf(_Part):
    """At least one of these holds."""

    any: Annotated[tuple[When, ...], Field(min_length=1, strict=False)]


class AllOf(_Part):
    """All of these hold."""

    all: Annotated[tuple[When, ...], Field(min_length=1, strict=False)]


When = AnyOf | AllOf | Condition
AnyOf.model_rebuild()
AllOf.model_rebuild()


class FromFact(_Part):
    """An amount that a fact says: what was awarded to this merchant."""

    fact: Text


class Granted(_Part):
    """Impressions for nothing, shared over the people of the selected cells."""

    impressions: Annotated[Money, Field(gt=0)] | FromFact
    placement: Placements | None = None
    segment: Texts | None = None


class Gives(_Part):
    """What a programme gives: any of these."""

    fee_rate: Share | None = None
    cash_cny: Annotated[Money, Field(gt=0)] | FromFact | None = None
    grants: Annotated[tuple[Granted, ...], Field(strict=False)] = ()
    tags: Annotated[tuple[Text, ...], Field(strict=False)] = ()


class Programme(_Part):
    """One programme. Its dates are those a campaign must start within; both count."""

    name: Text
    title: Text
    first: Day | None = Field(default=None, alias="from")
    last: Day | None = Field(default=None, alias="to")
    application: Literal["needed", "none"] = "none"
    when: When
    gives: Gives


class Board(_Part):
    """A list that a merchant is on from a total of a fact on, e.g. a million yuan of GMV a month."""

    name: Text
    title: Text
    fact: Texts
    target: Annotated[Money, Field(gt=0)]


Facts = Mapping[str, object]
