"""Limits as a planner writes them, as rows of the program.

The kinds of the brief (DESIGN 4.3) that are sums over people, with the same keys and messages: `bounds` and
`ratio` of spend, `live_capacity` on the column `live_entries`, `roi_floor` on worth (or `gmv_cny` where the
table has it), `frequency_cap` on `impressions` a person reached, `fairness_floor` on worth by `merchant_id`.
`amount` limits any other column. A selection or an `each` may use any of its keys that the table has as a
column. Kinds that are not sums over people (risk, on/off, change) belong to the plan and are refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    FairnessFloor,
    FrequencyCap,
    LiveCapacity,
    Ratio,
    RoiFloor,
    name_by_position,
    refuse_duplicate_names,
)
from targeting.campaign.fields import Money, Selection
from targeting.campaign.messages import one_line

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


Limit = Bounds | LiveCapacity | Ratio | RoiFloor | FrequencyCap | FairnessFloor | Amount
KINDS = (Bounds, LiveCapacity, Ratio, RoiFloor, FrequencyCap, FairnessFloor, Amount)
_LIST: TypeAdapter[tuple[Limit, ...]] = TypeAdapter(
    tuple[Annotated[Limit, Field(discriminator="kind")], ...], config=ConfigDict(strict=True)
)
_Chosen = Mapping[str, tuple[object, ...]]


def parse_limits(entries: Sequence[object]) -> tuple[Limit, ...]:
    """Limits from mappings (or models), each with a name.

    Raises:
        CampaignError: one line naming the entry, the key, what was expected and the nearest known key.
    """
    try:
        found = _LIST.validate_python(name_by_position(entries))
        return refuse_duplicate_names(found)  # type: ignore[arg-type]
    except ValidationError as error:
        raise one_line(error, source="assign", models=(Selection, *KINDS), under="limits") from None
    except ValueError as error:
        raise CampaignError(f"assign: limits: {error}") from None


def columns_of(limits: Sequence[Limit]) -> tuple[str, ...]:
    """Columns by whose values limits tell offers apart: parts of a table must agree on these."""
    keys = {key for limit in limits for key in limit.given()}
    keys |= {key for limit in limits for key in (_EACH[limit.each] if limit.each else ())}
    keys |= {
        key for limit in limits if isinstance(limit, Ratio) for key in (*limit.of.given(), *limit.to.given())
    }
    keys |= {"merchant_id" for limit in limits if isinstance(limit, FairnessFloor)}
    return tuple(sorted(keys))


def rows_of(offers: Offers, *, budget_cny: float, limits: Sequence[Limit]) -> tuple[Row, ...]:
    """The budget, named `total`, and a row for every limit and every value of its `each`.

    Raises:
        CampaignError: a limit selects by a column, or a value of it, that the table does not have.
        DataError: a counted column is missing or holds something that is no number >= 0.
    """
    rows = [Row("total", tuple(offers.amounts("cost_cny")), upper=budget_cny)]
    for limit in limits:
        for one in _sums(limit, offers, budget_cny):
            for where, selection in _apart(offers, limit, one.terms[0].column):
                use = _added(offers, one.terms, selection, name=limit.name)
                place = ", ".join(filter(None, (where, one.side)))
                signed = len(one.terms) > 1
                rows.append(Row(limit.name, use, one.lower, one.upper, one.unit, place, signed))
    return tuple(rows)


@dataclass(frozen=True)
class _Term:
    """`factor` times the sum of a column over the offers that are selected."""

    factor: float
    column: str
    selection: _Chosen = field(default_factory=dict)


@dataclass(frozen=True)
class _Sum:
    """lower <= sum of the terms <= upper; `side` tells two of one limit apart."""

    terms: tuple[_Term, ...]
    lower: float = -np.inf
    upper: float = np.inf
    unit: str = "CNY"
    side: str = ""


_REACHED = "reached"  # 1 for an offer that shows anything
_ALL_WORTH = "worth of all"  # worth, whatever is selected


def _sums(limit: Limit, offers: Offers, budget_cny: float) -> list[_Sum]:
    """What a limit sums, and its ends. Ratios, means and shares are differences that are >= 0 or <= 0."""
    match limit:
        case Bounds():
            shares = [None if s is None else s * budget_cny for s in (limit.min_share, limit.max_share)]
            low = [x for x in (limit.min_cny, shares[0]) if x]
            high = [x for x in (limit.max_cny, shares[1]) if x is not None]
            ends = max(low, default=-np.inf), min(high, default=np.inf)
            return [_Sum((_Term(1.0, "cost_cny"),), *ends)]
        case LiveCapacity():
            return [_Sum((_Term(1.0, "live_entries"),), -np.inf, limit.viewers, "live entries")]
        case Amount():
            ends = limit.min or -np.inf, np.inf if limit.max is None else limit.max
            return [_Sum((_Term(1.0, limit.column),), *ends, limit.column)]
        case Ratio():
            of, to = limit.of.given(), limit.to.given()
            sides = (("least", limit.min, 0.0, np.inf), ("most", limit.max, -np.inf, 0.0))
            return [
                _Sum((_Term(1.0, "cost_cny", of), _Term(-value, "cost_cny", to)), low, high_, side=side)
                for side, value, low, high_ in sides
                if value is not None
            ]
        case RoiFloor():
            worth = "gmv_cny" if "gmv_cny" in offers.columns else "worth"
            return [_Sum((_Term(1.0, worth), _Term(-limit.min, "cost_cny")), lower=0.0, unit="worth")]
        case FrequencyCap():
            shown = _Term(1.0, "impressions"), _Term(-limit.impressions, _REACHED)
            return [_Sum(shown, upper=0.0, unit="impressions")]
        case FairnessFloor():
            if limit.of == "grants":
                raise CampaignError(
                    f"assign: limit '{limit.name}' shares grants, which are not given to people one by one; "
                    "leave it to the plan"
                )
            return [_Sum((_Term(1.0, "worth"), _Term(-limit.min_share, _ALL_WORTH)), lower=0.0, unit="worth")]


def _apart(offers: Offers, limit: Limit, column: str) -> list[tuple[str, _Chosen]]:
    """(where, selection) of each row: one, or one for every value of `each` within the selection."""
    given = limit.given()
    found: list[tuple[str, _Chosen]] = [("", given)]
    keys = _EACH[limit.each] if limit.each else ()
    for key in ("merchant_id",) if isinstance(limit, FairnessFloor) and not keys else keys:
        _refuse_column(offers, key, limit.name)
        every = offers.places(column) if key == "placement" else offers.values(key)
        values = [v for v in every if key not in given or v in map(str, given[key])]
        found = [
            (f"{where}, {value}" if where else value, {**selection, key: (value,)})
            for where, selection in found
            for value in values
        ]
    return found


def _added(
    offers: Offers, terms: Sequence[_Term], selection: _Chosen, *, name: str
) -> tuple[FloatArray | None, ...]:
    """Per placement what an offer counts, all terms together, or None where it counts nothing."""
    total: list[FloatArray | None] = [None] * len(offers.placements)
    for term in terms:
        everywhere = term.column == _ALL_WORTH
        column = "worth" if everywhere else term.column
        chosen = {} if everywhere else {**selection, **term.selection}
        for j, use in enumerate(_selected(offers, column, chosen, name=name)):
            if use is not None:
                scaled, before = use if term.factor == 1.0 else use * term.factor, total[j]
                total[j] = scaled if before is None else before + scaled
    return tuple(total)


def _selected(offers: Offers, column: str, selection: _Chosen, *, name: str) -> tuple[FloatArray | None, ...]:
    """Amounts of the selected offers; None for a placement that is left out as a whole.

    An offer in several placements may say how much of it is where, in columns such as cost_cny_live.
    """
    places = tuple(map(str, selection.get("placement", ())))
    split = [f"{column}_{place}" for place in places]
    use: list[FloatArray | None]
    if places and all(one in offers.columns for one in split):
        parts = [offers.amounts(one) for one in split]
        use = [sum(some[1:], start=some[0]) for some in zip(*parts, strict=True)]
    else:
        unknown = [place for place in places if place not in offers.placements]
        if unknown:
            raise CampaignError(
                f"assign: limit '{name}': placement {unknown[0]!r} is not in the table; it has "
                f"{', '.join(offers.placements)}"
            )
        amounts = offers.reached if column == _REACHED else offers.amounts(column)
        kept = places or offers.placements
        use = [a if p in kept else None for p, a in zip(offers.placements, amounts, strict=True)]
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
