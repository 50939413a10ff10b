"""Limits as a planner writes them, as rows of the program.

Two kinds are those of the brief (DESIGN 4.3), with the same keys and messages: `bounds` on spend and
`live_capacity` on the column `live_entries`. `amount` limits any other column of the table. A selection or an
`each` may use any of its keys that the table has as a column. Kinds of the brief that are not linear in the
choice of people (frequency, risk, on/off) belong to the plan and are refused here by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from models.errors import CampaignError
from models.supply.curves import FloatArray
from targeting.allocation.formulation.selection import EACH_KEYS
from targeting.assignment.crowd import Row
from targeting.assignment.offers import Offers
from targeting.campaign.constraints import (
    Bounds,
    Each,
    LiveCapacity,
    name_by_position,
    refuse_duplicate_names,
)
from targeting.campaign.fields import Money, Selection
from targeting.campaign.messages import one_line

ENTRIES = "live_entries"
_EACH = {"cell": ("segment", "placement")} | {each: (key,) for each, key in EACH_KEYS.items()}


class Amount(Selection):
    """Total of a column of the table over the offers made, within [min, max]; in that column's own unit."""

    kind: Literal["amount"]
    column: Annotated[str, Field(min_length=1)]
    min: Money | None = None
    max: Money | None = None
    name: str = ""
    each: Each | None = None

    @model_validator(mode="after")
    def _check(self) -> Amount:
        if self.min is None and self.max is None:
            raise ValueError("needs at least one of min, max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is greater than max {self.max:g}; swap or change them")
        return self


Limit = Bounds | LiveCapacity | Amount
_KINDS = (Bounds, LiveCapacity, Amount)
_LIST: TypeAdapter[tuple[Limit, ...]] = TypeAdapter(
    tuple[Annotated[Limit, Field(discriminator="kind")], ...], config=ConfigDict(strict=True)
)


def parse_limits(entries: Sequence[object]) -> tuple[Limit, ...]:
    """Limits from mappings (or models), each with a name.

    Raises:
        CampaignError: one line naming the entry, the key, what was expected and the nearest known key.
    """
    try:
        found = _LIST.validate_python(name_by_position(entries))
        return refuse_duplicate_names(found)  # type: ignore[arg-type]
    except ValidationError as error:
        raise one_line(error, source="assign", models=(Selection, *_KINDS), under="limits") from None
    except ValueError as error:
        raise CampaignError(f"assign: limits: {error}") from None


def rows_of(offers: Offers, *, budget_cny: float, limits: Sequence[Limit]) -> tuple[Row, ...]:
    """The budget, named `total`, and a row for every limit and every value of its `each`.

    Raises:
        CampaignError: a limit selects by a column, or a value of it, that the table does not have.
        DataError: a counted column is missing or holds something that is no number >= 0.
    """
    cost = offers.amounts("cost_cny")
    rows = [Row("total", tuple(cost), upper=budget_cny)]
    for limit in limits:
        column, unit, lower, upper = _what(limit, budget_cny)
        amounts = cost if column == "cost_cny" else offers.amounts(column)
        for where, selection in _apart(offers, limit):
            use = _selected(offers, amounts, selection, name=limit.name)
            rows.append(Row(limit.name, use, lower, upper, unit, where))
    return tuple(rows)


def _what(limit: Limit, budget_cny: float) -> tuple[str, str, float, float]:
    """Column, unit, lower and upper of a limit."""
    if isinstance(limit, Bounds):
        shares = [None if s is None else s * budget_cny for s in (limit.min_share, limit.max_share)]
        low = [x for x in (limit.min_cny, shares[0]) if x]
        high = [x for x in (limit.max_cny, shares[1]) if x is not None]
        return "cost_cny", "CNY", max(low, default=-np.inf), min(high, default=np.inf)
    if isinstance(limit, LiveCapacity):
        return ENTRIES, "live entries", -np.inf, limit.viewers
    low_end = limit.min if limit.min else -np.inf
    return limit.column, limit.column, low_end, np.inf if limit.max is None else limit.max


def _apart(offers: Offers, limit: Limit) -> list[tuple[str, dict[str, tuple[object, ...]]]]:
    """(where, selection) of each row: one, or one for every value of `each` within the selection."""
    given = limit.given()
    found: list[tuple[str, dict[str, tuple[object, ...]]]] = [("", given)]
    for key in _EACH[limit.each] if limit.each else ():
        _refuse_column(offers, key, limit.name)
        values = [v for v in offers.values(key) if key not in given or v in map(str, given[key])]
        found = [
            (f"{where}, {value}" if where else value, {**selection, key: (value,)})
            for where, selection in found
            for value in values
        ]
    return found


def _selected(
    offers: Offers, amounts: tuple[FloatArray, ...], selection: dict[str, tuple[object, ...]], *, name: str
) -> tuple[FloatArray | None, ...]:
    """Amounts of the selected offers; None for a placement that is left out as a whole."""
    places = selection.get("placement", offers.placements)
    unknown = [p for p in places if p not in offers.placements]
    if unknown:
        raise CampaignError(
            f"assign: limit '{name}': placement {unknown[0]!r} is not in the table; it has "
            f"{', '.join(offers.placements)}"
        )
    use: list[FloatArray | None] = [
        amount if placement in places else None
        for placement, amount in zip(offers.placements, amounts, strict=True)
    ]
    for key, values in selection.items():
        if key == "placement":
            continue
        _refuse_column(offers, key, name)
        missing = sorted({str(v) for v in values} - set(offers.values(key)))
        if missing:
            raise CampaignError(f"assign: limit '{name}': {key} {missing[0]!r} is not in the table")
        inside = offers.where(key, values)
        use = [None if u is None else u * here for u, here in zip(use, inside, strict=True)]
    return tuple(use)


def _refuse_column(offers: Offers, key: str, name: str) -> None:
    if key not in offers.columns:
        raise CampaignError(
            f"assign: limit '{name}' selects by {key}, and the table has no column {key}; add it to the table"
        )
