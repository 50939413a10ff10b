"""Turns pydantic's findings about a brief into the one line a planner can act on.

Exists because a planner reads YAML, not Python: the line names the file, the key path, what was expected and
the nearest known key. It must not import the brief's models (they import it); it only reads the error and the
type.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from models.errors import CampaignError

_EXPECTED = {
    "float_type": "a number",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "string_type": "text",
    "finite_number": "a finite number",
    "list_type": "a list",
    "tuple_type": "a list",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "dict_type": "a mapping of keys to values",
}


def nearest(word: str, known: Iterable[str]) -> str:
    """`'; did you mean "x"?'` for the nearest known word, or the empty string.

    >>> nearest("budget", ["budget_cny", "days"])
    '; did you mean "budget_cny"?'
    """
    known = list(known)
    found = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if not found:
        found = [k for k in known if word and (k.startswith(word) or word.startswith(k))][:1]
    return f'; did you mean "{found[0]}"?' if found else ""


def listed(values: Sequence[object], *, most: int = 12) -> str:
    """Values for a message: `'a', 'b', ... (40 in all)`."""
    shown = ", ".join(repr(value) for value in values[:most])
    return shown if len(values) <= most else f"{shown}, ... ({len(values)} in all)"


def one_line(
    error: ValidationError, *, source: str, models: Sequence[type[BaseModel]], under: str = ""
) -> CampaignError:
    """The first finding as a CampaignError: `source: key.path: expected ..., got ...`.

    Args:
        error: what pydantic found.
        source: file or name of the brief, first in the message.
        models: every model of the brief; an unknown key is compared with the keys of the model that refused
        it.
        under: key that everything in the error is below of.
    """
    details = error.errors(include_url=False)
    # A misspelt key is both unknown and missing: the unknown key is the one the planner can see.
    first = next((d for d in details if d["type"] == "extra_forbidden"), details[0])
    more = f" ({len(details) - 1} more problems)" if len(details) > 1 else ""
    path = key_path((under, *first["loc"]) if under else first["loc"], models)
    return CampaignError(f"{source}: {path}: {_sentence(first, models)}{more}")


def key_path(loc: Sequence[int | str], models: Sequence[type[BaseModel]]) -> str:
    """`constraints[2].max_cny` for pydantic's location, without the tags of discriminated unions."""
    path = ""
    for i, part in enumerate(loc):
        if isinstance(part, int):
            path += f"[{part}]"
        elif i > 0 and isinstance(loc[i - 1], int) and _model_of_tag(part, models) is not None:
            continue
        else:
            path += f".{part}" if path else part
    return path or "the brief"


def _sentence(detail: ErrorDetails, models: Sequence[type[BaseModel]]) -> str:
    """What was expected and what was found, for one finding."""
    kind, got, context = detail["type"], _short(detail["input"]), detail.get("ctx", {})
    if kind == "extra_forbidden":
        allowed = _allowed_keys(detail["loc"], models)
        return (
            f"unknown key{nearest(str(detail['loc'][-1]), allowed) or ';'} allowed keys: {', '.join(allowed)}"
        )
    if kind == "missing":
        return "required key is missing"
    if kind in ("literal_error", "enum"):
        return f"expected one of {context['expected']}, got {got}{_near_literal(detail)}"
    if kind == "union_tag_not_found":
        return f"every constraint needs the key kind, one of {_tags(context, models)}"
    if kind == "union_tag_invalid":
        near = nearest(str(context["tag"]), _tag_list(models))
        return f"unknown kind '{context['tag']}'{near or ';'} expected one of {context['expected_tags']}"
    if kind == "value_error":
        return str(context["error"])
    bounds = {"greater_than": ">", "greater_than_equal": ">=", "less_than": "<", "less_than_equal": "<="}
    if kind in bounds:
        limit = next(iter(context.values()))
        return f"expected a number {bounds[kind]} {limit:g}, got {got}"
    if kind in ("too_short", "string_too_short"):
        return "expected at least one value, got none"
    if kind in ("too_long", "string_too_long"):
        return f"expected at most {context['max_length']} characters, got {len(detail['input'])}; shorten it"
    return f"expected {_EXPECTED.get(kind, detail['msg'])}, got {got}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _near_literal(detail: ErrorDetails) -> str:
    words = detail.get("ctx", {}).get("expected", "").replace(" or ", ", ").split(", ")
    return nearest(str(detail["input"]), [w.strip("'") for w in words])


def _tag_list(models: Sequence[type[BaseModel]]) -> list[str]:
    annotations: list[object] = [
        m.model_fields["kind"].annotation for m in models if "kind" in m.model_fields
    ]
    return [str(get_args(annotation)[0]) for annotation in annotations]


def _tags(context: dict[str, object], models: Sequence[type[BaseModel]]) -> str:
    return str(context.get("expected_tags") or ", ".join(_tag_list(models)))


def _model_of_tag(tag: int | str, models: Sequence[type[BaseModel]]) -> type[BaseModel] | None:
    for model, name in zip([m for m in models if "kind" in m.model_fields], _tag_list(models), strict=True):
        if name == tag:
            return model
    return None


def _allowed_keys(loc: Sequence[int | str], models: Sequence[type[BaseModel]]) -> list[str]:
    """Keys of the model that holds the unknown key at `loc`, found by walking from the first model down."""
    model: type[BaseModel] = models[0]
    for part in loc[:-1]:
        tagged = _model_of_tag(part, models)
        if tagged is not None:
            model = tagged
        elif isinstance(part, str) and part in model.model_fields:
            model = _nested(model.model_fields[part].annotation) or model
    return list(model.model_fields)


def _nested(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_nested(a) for a in getattr(annotation, "__args__", ()))
    return next((m for m in found if m is not None), None)
