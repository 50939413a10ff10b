"""Registers a plan's planner with MLflow, to be served by `mlflow models serve` with no checkout of ours.

What is registered is text, as with the audience model (`models.registry`): the plan's figures, brief and
market, with digests, and copies of the two packages that decide. It must not import a job.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import models
import targeting
from models.registry import ALIAS, package_copy, pinned
from models.sealed_files import with_seal
from targeting.decision.again import texts_of
from targeting.decision.verbs import Plan

NAME = "campaign-planner"
PACKAGES = tuple(Path(str(one.__file__)).parent for one in (models, targeting))
LOCK = "planner.lock"
"""What a served planner needs besides what a served audience model does."""
REQUIREMENTS = (
    "mlflow",
    "numpy",
    "pandas",
    "polars",
    "dataframely",
    "pyarrow",
    "markupsafe",
    "pydantic",
    "scipy",
    "cvxpy",
    "highspy",
)  # fmt: skip


def save(plan: Plan, *, name: str = NAME) -> str:
    """Log the planner in the open MLflow run and register it; the alias `champion` points to it.

    Returns:
        `models:/name/version`.
    """
    import mlflow
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    columns = (("budget_cny", DataType.double), ("brief", DataType.string))
    inputs = Schema([ColSpec(kind, column, required=False) for column, kind in columns])
    with tempfile.TemporaryDirectory() as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow advises type hints for signatures; the signature is explicit
        folder = Path(temporary) / "files"
        folder.mkdir()
        for file, text in with_seal(texts_of(plan)).items():
            (folder / file).write_bytes(text.encode())
        info = mlflow.pyfunc.log_model(
            name="planner",
            python_model=str(Path(__file__).with_name("planner_pyfunc.py")),
            artifacts={"files": str(folder)},
            code_paths=[str(package_copy(package, Path(temporary))) for package in PACKAGES],
            signature=ModelSignature(inputs=inputs),
            pip_requirements=pinned(REQUIREMENTS, beside=Path(__file__).with_name(LOCK).read_text("utf-8")),
            registered_model_name=name,
        )
    version = str(info.registered_model_version)
    MlflowClient().set_registered_model_alias(name, ALIAS, version)
    return f"models:/{name}/{version}"
