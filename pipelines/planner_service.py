"""Registers a plan's planner with MLflow, to be served by `mlflow models serve` with no checkout of ours.

What is registered is text, as with the audience model (`models.registry`): the plan's figures, brief and
market, with digests, and copies of the two packages that decide. It must not import a job.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import tempfile
import warnings
from pathlib import Path

import models
import targeting
from models.sealed_files import with_seal
from targeting.decision.again import texts_of
from targeting.decision.verbs import Plan

NAME = "campaign-planner"
ALIAS = "champion"
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
            code_paths=[str(_copy(package, Path(temporary))) for package in (models, targeting)],
            signature=ModelSignature(inputs=inputs),
            pip_requirements=[f"{one}=={importlib.metadata.version(one)}" for one in REQUIREMENTS],
            registered_model_name=name,
        )
    version = str(info.registered_model_version)
    MlflowClient().set_registered_model_alias(name, ALIAS, version)
    return f"models:/{name}/{version}"


def _copy(package: object, folder: Path) -> Path:
    """A clean copy of a package (no byte code), as MLflow copies folders whole."""
    source = Path(str(package.__file__)).parent  # type: ignore[attr-defined]
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    return Path(shutil.copytree(source, folder / source.name, ignore=ignored))
