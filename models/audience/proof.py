"""A model that was read from files is tried before it is trusted: it scores people whom nobody is.

Every level of every feature, values at and beyond what training saw, and nothing at all. Sizes that do not
fit each other, or numbers that end in nothing finite, are found here, and not in the night's scores. It must
not import the model, which imports it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from models.contracts.features import Feature
from models.errors import DataError

_MOST_PEOPLE = 64


def prove(score: Callable[[pl.DataFrame], pl.DataFrame], features: Sequence[Feature]) -> None:
    """Score made-up people.

    Args:
        score: Users to scores, as `AudienceModel.score`.
        features: What the model reads.

    Raises:
        DataError: It cannot, or the scores are no finite numbers.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            score(made_up_people(features))
    except Exception as error:  # LightGBM has a class of its own: whatever it is, the file is wrong
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"model: cannot score made-up people ({reason}); restore its files, or train again"
        ) from error


def made_up_people(features: Sequence[Feature]) -> pl.DataFrame:
    """People whom nobody is: between them every value worth trying, the first two plain."""
    columns = {feature.name: _values(feature) for feature in features}
    people = min(max((len(values) for values in columns.values()), default=2), _MOST_PEOPLE)
    filled = {name: [values[row % len(values)] for row in range(people)] for name, values in columns.items()}
    ids = [f"example-{row}" for row in range(1, people + 1)]
    return pl.DataFrame({"user_id": ids, "is_fan": [False] * people, **filled}, strict=False)


def _values(feature: Feature) -> list[bool | None] | list[float | None] | list[str | None]:
    if feature.kind == "bool":
        return [False, True, None]
    if feature.kind == "number":
        return [0.0, 1.0, feature.low, feature.high, None]
    return [*feature.levels[:1], None, *feature.levels[1:], "nobody has it"]
