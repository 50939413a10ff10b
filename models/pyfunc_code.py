"""The script that MLflow runs to serve a registered audience model (models-from-code): text files in, scores
out.

It lies inside the artefact beside a copy of the `models` package; it must not import targeting or pipelines.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

# Imported for the type hint of `predict`, which MLflow evaluates: without a hint that it knows it warns of
# every class. A data frame's columns are in the signature, which the registry gives.
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class AudienceScores(PythonModel):
    """Scores of a users frame; one row per user and placement."""

    def load_context(self, context: Any) -> None:
        """Read the text files once."""
        from models.audience.model import AudienceModel

        folder = Path(context.artifacts["files"])
        files = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.iterdir())}
        self.model = AudienceModel.from_files(files)

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Score a pandas frame of users (user_id, is_fan, features)."""
        import polars as pl

        return self.model.score(pl.from_pandas(model_input)).to_pandas()


set_model(AudienceScores())
