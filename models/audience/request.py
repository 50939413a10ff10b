"""One request to a served model: people in, scores out, anything wrong refused in words.

Read by the same door as a table (`models.contracts`) with the kinds of the model's features. Must not import
mlflow, targeting or pipelines.
"""

from __future__ import annotations

import logging

import polars as pl

from models.audience.model import AudienceModel
from models.contracts import as_frame, conform
from models.contracts.headers import means
from models.contracts.quarantine import worst_in_words
from models.errors import DataError

log = logging.getLogger(__name__)


def score_request(model: AudienceModel, people: object) -> pl.DataFrame:
    """Scores of some people.

    Args:
        model: what is served.
        people: user_id and the model's features; is_fan (absent: nobody is) and snapshot_at (absent: the day
            the model was trained; only features that are dates need it).

    Raises:
        DataError: an id is empty or stands twice, a feature is missing, or a cell is not what it was in
            training. Levels that training never saw are allowed and logged.
    """
    frame = as_frame(people, source="request")
    for name, value in (("is_fan", False), ("snapshot_at", model.as_of)):
        if not any(means(column, "users", name) for column in frame.columns):
            frame = frame.with_columns(pl.lit(value).alias(name))
    read = conform(frame, "users", source="request", features=model.features)
    if not read.rejected.is_empty():
        raise DataError(f"request: {read.rejected.height} people refused; {worst_in_words(read.rejected)}")
    learned = {feature.name for feature in model.features}
    for odd in read.odd:
        if odd.feature in learned and odd.what not in ("unseen", "times"):
            raise DataError(f"request: {odd.line()}")
        log.warning("request: %s", odd.line())
    return model.score(read.good)
