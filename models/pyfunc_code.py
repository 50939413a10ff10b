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
from mlflow.pyfunc.model import PythonModel


class AudienceScores(PythonModel):
    """Scores of a users frame; one row per user and placement."""

    def load_context(self, context: Any) -> None:
        """Read the text files once, if they are those that were saved."""
        from models.audience.model import AudienceModel
        from models.sealed_files import read_sealed

        folder = Path(context.artifacts["files"])
        self.model = AudienceModel.from_files(read_sealed(folder, source=str(folder)))

    def predict(
        self, context: object, model_input: pd.DataFrame, params: dict[str, object] | None = None
    ) -> pd.DataFrame:
        """Score a pandas frame of users (user_id, is_fan, features), read as the jobs read a table.

        A request has no quarantine: anything wrong in it is an answer of status 400 that says what.
        """
        from mlflow.exceptions import MlflowException
        from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

        from models.audience.request import score_request
        from models.errors import DataError

        try:
            scores = score_request(self.model, model_input).to_pandas()
        except DataError as error:
            raise MlflowException(str(error), error_code=INVALID_PARAMETER_VALUE) from None
        # A pandas null is NaN, for which JSON has no word; None becomes null.
        for name in scores.columns[scores.isna().any()]:
            scores[name] = scores[name].astype(object).where(scores[name].notna(), None)
        return scores


set_model(AudienceScores())
