"""The script that MLflow runs to serve a plan's planner (models-from-code): a brief in, a certified plan out.

It lies inside the artefact beside copies of the `models` and `targeting` packages and imports only these.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel

from models.errors import TargetingError
from models.sealed_files import read_sealed
from targeting.decision.again import answer, plan_of

SECONDS = 20.0
"""For one answer; what gap is left then is told."""


class CampaignPlanner(PythonModel):
    """Allocation and certificate of each row's brief, on the market of the plan that was registered."""

    def load_context(self, context: Any) -> None:
        """Read the plan's texts once, if they are those that were saved."""
        folder = Path(context.artifacts["files"])
        self.plan = plan_of(read_sealed(folder, source=str(folder)))

    def predict(
        self, context: object, model_input: pd.DataFrame, params: dict[str, object] | None = None
    ) -> list[dict[str, Any]]:
        """An answer per row: `budget_cny` and `brief` (JSON, keys of the brief that differ), either of them.

        A brief that is wrong, or that no plan can keep, is an answer of status 400 that says why.
        """
        try:
            return [
                answer(self.plan, _changes(row), time_limit_s=SECONDS)
                for row in model_input.to_dict("records")
            ]
        except (TargetingError, ValueError) as error:
            raise MlflowException(str(error), error_code=INVALID_PARAMETER_VALUE) from None


def _changes(row: dict[Any, Any]) -> dict[str, Any]:
    """What a row changes in the brief.

    Raises:
        ValueError: its `brief` is no JSON object.
    """
    given = {key: value for key, value in row.items() if isinstance(value, str) or value == value}
    changes = json.loads(given.get("brief") or "{}")
    if not isinstance(changes, dict):
        raise ValueError("brief: expected a JSON object with the keys of the brief that differ")
    return changes | ({"budget_cny": given["budget_cny"]} if given.get("budget_cny") is not None else {})


set_model(CampaignPlanner())
