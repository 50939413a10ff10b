"""What a planner may write where a number, a text or a choice of cells is asked for.

It must not know the kinds of constraints.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from models.contracts.numbers import read_number
from models.contracts.values import placement_name
from models.escaping.media import printable

_WRITTEN = r"^\s*[-+]?[¥￥]?\s*[\d.][^:]*$"


def _as_number(value: Any) -> Any:
    """A number as a table may write it: 0.5万, 25%, 1,000; 1_000 as Python does."""
    if not isinstance(value, str):
        return value
    number = read_number(re.sub(r"(?<=\d)_(?=\d)", "", value))
    return value if number is None else number


def _as_whole(value: Any) -> Any:
    number = _as_number(value)
    return int(number) if isinstance(value, str) and number != value and number == int(number) else value


def as_text(value: Any) -> Any:
    """Ids are text, printable as those of tables; YAML reads `campaign_id: 1111` as a number."""
    if isinstance(value, str):
        return printable(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_tuple(value: Any) -> Any:
    if isinstance(value, (list, set, frozenset)):
        return tuple(value)
    return value if isinstance(value, tuple) or value is None else (value,)


def _as_the_tables_say(placements: tuple[str, ...]) -> tuple[str, ...]:
    """Placements under the names that tables have after reading: a planner may write 短视频 for video."""
    return tuple(map(placement_name, placements))


# `json_schema_input_type` is what may be written, for `targeting schema campaign`; the model holds less.
_T = TypeVar("_T")
_Some = Annotated[tuple[_T, ...], Field(min_length=1)]
_Digits = Annotated[str, Field(pattern=_WRITTEN)]
Number = Annotated[
    float,
    BeforeValidator(_as_number, json_schema_input_type=float | _Digits),
    Field(allow_inf_nan=False),
]
Whole = Annotated[int, BeforeValidator(_as_whole, json_schema_input_type=int | _Digits)]
Money = Annotated[Number, Field(ge=0)]
Share = Annotated[Number, Field(ge=0, le=1)]
# Names stand on axes and in keys of records; nobody reads a longer one.
NAME_LENGTH = 500
Text = Annotated[
    str,
    BeforeValidator(as_text, json_schema_input_type=str | int),
    Field(min_length=1, max_length=NAME_LENGTH),
]
Texts = Annotated[
    tuple[Text, ...],
    BeforeValidator(_as_tuple, json_schema_input_type=_Some[str | int] | str | int),
    Field(min_length=1),
]
Placements = Annotated[Texts, AfterValidator(_as_the_tables_say)]
Slots = Annotated[
    tuple[Annotated[Whole, Field(ge=0)], ...],
    BeforeValidator(_as_tuple, json_schema_input_type=_Some[int] | int),
    Field(min_length=1),
]


class Selection(BaseModel):
    """Which cells: every key given must match (a value or a list of values); nothing given = everything."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    segment: Texts | None = None
    placement: Placements | None = None
    slot: Slots | None = None
    fan_kind: Texts | None = None
    campaign_id: Texts | None = None
    merchant_id: Texts | None = None

    def given(self) -> dict[str, tuple[Any, ...]]:
        """The keys that were given, with their values."""
        keys = {key: getattr(self, key) for key in Selection.model_fields}
        return {key: values for key, values in keys.items() if values is not None}
