"""Values as JSON text, and back: what a registered model and a plan's directory remember.

A file's content is declared once, as a pydantic type; `written` and `read` are all that goes in and out.
Arrays and frames are declared as `Array` and `Annotated[pl.DataFrame, Rows(schema)]`. Floats are written
exactly (Python's shortest round trip), infinity as the text "inf". No disk.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    PlainSerializer,
    PlainValidator,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import core_schema

from models.errors import DataError

T = TypeVar("T")
MOST_NUMBERS = 50_000_000
"""An array may hold so many (0.4 GB): 200 draws of 80,000 cells need a third of it."""
WRONG_SHAPE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
    pl.exceptions.PolarsError,
)
"""What code trips over where a file is well formed and says something that cannot be."""


class File(BaseModel):
    """Base of a file's content: exact types, no unknown key; `model_validate` takes what it describes."""

    model_config = ConfigDict(strict=True, extra="forbid", from_attributes=True)


def plain(adapter: TypeAdapter[T], value: T) -> Any:
    """The value as dicts, lists, texts and numbers; keys in the order of the fields."""
    return adapter.dump_python(value, mode="json", by_alias=True)


def written(adapter: TypeAdapter[T], value: T) -> str:
    """The value as JSON text."""
    return json.dumps(plain(adapter, value), ensure_ascii=False)


def read(adapter: TypeAdapter[T], text: str, *, source: str, what: str) -> T:
    """The value that `written` wrote: strict types, no unknown key.

    Args:
        adapter: of the type.
        text: JSON.
        source: the file, for the message.
        what: what it holds, e.g. `saved market`.

    Raises:
        DataError: it is not such a text; names the file and the key.
    """
    parsed(text, source=source, what=what)
    try:
        return adapter.validate_json(text, strict=True, extra="forbid")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        said = (f"{key}: " if key else "") + first["msg"].removeprefix("Value error, ")
        raise _is_not(what, source, said) from error
    except (DataError, *WRONG_SHAPE) as error:
        raise _is_not(what, source, str(error) or type(error).__name__) from error


def parsed(text: str, *, source: str, what: str) -> Any:
    """JSON text as dicts, lists, texts and numbers that are finite, each key once.

    Raises:
        DataError: it is not; names the file.
    """
    try:
        return json.loads(text, object_pairs_hook=_once_each, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise _is_not(what, source, f"Invalid JSON: {error}") from error


def _is_not(what: str, source: str, said: str) -> DataError:
    return DataError(f"{source}: is not a {what} ({said}); expected a file that `targeting` wrote")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"a key stands twice among {', '.join(sorted(found))[:80]}")
    return found


def _array(raw: Any) -> NDArray[np.float64]:
    try:
        if isinstance(raw, dict):
            row, times = _array(raw["row"]), int(raw["times"])
            if not 0 < times * max(row.size, 1) <= MOST_NUMBERS:
                raise ValueError(
                    f"{times} times {row.size} numbers, expected at most {MOST_NUMBERS:,} in all"
                )
            return np.tile(row, (times, 1))
        return np.asarray(raw, dtype=np.float64)
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"expected numbers ({error!r})") from error


def _numbers(array: NDArray[np.float64]) -> Any:
    """Nested lists; draws that never vary are written once, which keeps a market of many cells small."""
    if array.ndim == 2 and len(array) > 1 and np.all(array == array[0]):
        return {"times": len(array), "row": _numbers(array[0])}
    if np.isfinite(array).all():
        return array.tolist()
    words = np.where(np.isnan(array), "nan", np.where(array > 0, "inf", "-inf"))
    return np.where(np.isfinite(array), array.astype(object), words.astype(object)).tolist()


Array = Annotated[NDArray[np.float64], PlainValidator(_array), PlainSerializer(_numbers)]
"""Floats of any shape."""


def _number(raw: Any) -> float:
    return float(_array(raw))


Limit = Annotated[float, PlainValidator(_number), PlainSerializer(lambda limit: _numbers(np.asarray(limit)))]
"""One float that may be infinite, which is written as a word, as in an array."""


@dataclass(frozen=True)
class Rows:
    """Annotation of a frame: its schema, and whether it is written as records (default) or by column."""

    schema: Mapping[str, Any]
    by_column: bool = False

    def __get_pydantic_core_schema__(
        self, _: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """How pydantic reads and writes it."""
        return core_schema.no_info_plain_validator_function(
            self._frame, serialization=core_schema.plain_serializer_function_ser_schema(self._plain)
        )

    def _frame(self, raw: Any) -> pl.DataFrame:
        if isinstance(raw, pl.DataFrame):
            return raw
        try:
            return pl.DataFrame(raw, schema=dict(self.schema))
        except (pl.exceptions.PolarsError, TypeError) as error:
            said = str(error).split(";")[0].splitlines()[0]
            raise ValueError(f"expected rows of {', '.join(self.schema)}: {said}") from error

    def _plain(self, frame: pl.DataFrame) -> Any:
        return frame.to_dict(as_series=False) if self.by_column else frame.to_dicts()
