"""Fitted models as JSON text and back. In: a frozen dataclass of this package. Out: text; the same object.

One mechanism for all of them: pydantic reads the dataclass's own annotations, strictly (a text is no number),
and names the key that is wrong. Numbers keep every digit, infinities and NaN too; arrays and frames are
written as nested lists and as one object a row. It must not import anything of this package but `errors`.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Annotated, Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import PlainSerializer, PlainValidator, TypeAdapter, ValidationError

from models.errors import DataError

T = TypeVar("T")
SavedArray = Annotated[
    NDArray[np.float64],
    PlainValidator(lambda value: np.asarray(value, dtype=np.float64)),
    PlainSerializer(lambda value: value.tolist()),
]
"""An array of numbers of any shape, as nested lists."""
SavedFrame = Annotated[
    pl.DataFrame,
    PlainValidator(lambda rows: pl.DataFrame(rows, infer_schema_length=None)),
    PlainSerializer(lambda frame: frame.to_dicts()),
]
"""A frame of numbers, truth values and text without nulls, as one object a row."""


@cache
def _adapter(kind: type[T]) -> TypeAdapter[T]:
    return TypeAdapter(kind)


def to_plain(value: Any) -> Any:
    """A fitted object as dicts, lists, texts and numbers.

    >>> from models.audience.delay import RefundMaturity
    >>> to_plain(RefundMaturity((7.0,), (0.9,), (1.0,)))
    {'age_days': [7.0], 'kept_amount': [0.9], 'kept_orders': [1.0]}
    """
    return _adapter(type(value)).dump_python(value, mode="json")


def to_json(value: Any) -> str:
    """A fitted object as JSON text."""
    return json.dumps(to_plain(value), ensure_ascii=False)


def from_json(kind: type[T], text: str, *, what: str) -> T:
    """The object that `to_json` wrote.

    Args:
        kind: Its class.
        text: JSON.
        what: What to call it in a message: the file, or the model.

    Raises:
        DataError: The text is not JSON, or a key is missing or of another kind.
    """
    try:
        return _adapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the text"
        raise DataError(f"{what}: {key}: {first['msg']}; train again") from error
