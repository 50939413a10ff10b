"""Saves an audience model with MLflow and finds it again: the only module below `pipelines` that imports
mlflow.

What is registered is text: LightGBM's own format and JSON, plus whatever text the planner wants to travel
with it. Nothing is pickled. The pyfunc wrapper is models-from-code with a copy of the `models` package, so
`mlflow models serve` needs no checkout of ours; we ourselves read the text files and never run code from an
artefact. Requirements are named here, because MLflow's own inference starts a subprocess and may ask a
package index. It must not import targeting or pipelines.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.audience.model import AudienceModel
from models.audience.model_files import MODEL_FILE, OutdatedError
from models.audience.proof import made_up_people
from models.audience.score_table import SCORE_COLUMNS
from models.errors import DataError
from models.sealed_files import SEAL, digest_of, digest_of_folder, read_sealed, with_seal

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

# MLflow reports its use to its makers unless this is set before it is imported; so much as a name of a model
# is nobody's business. Whoever wants it sets the variable to "false".
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

NAME = "new-fan-gmv"
ALIAS = "champion"
CHALLENGER = "challenger"
ARTIFACT = "files"
"""Key and folder of the text files inside the MLflow model."""
SEAL_TAG = "targeting.seal"
"""Tag of a version: digest of its `digests.json`, which whoever can change the files could change too."""
WHOLE_TAG = "targeting.digest"
"""Tag of a version: digest of all that MLflow keeps of it, the code that serving would run among it."""
LOCK = "serving.lock"
"""Every version that serving may install, with the hashes of its files; `make lock` writes it."""
REQUIREMENTS = (
    "mlflow",
    "numpy",
    "pandas",
    "polars",
    "dataframely",
    "pyarrow",
    "lightgbm",
    "markupsafe",
    "pydantic",
    "scikit-learn",
    "scipy",
)


@dataclass(frozen=True)
class Bundle:
    """A registered model as it was saved.

    Attributes:
        uri: The version it was read from; an alias is resolved, so the same URI gives the same model for
            ever.
        files: Every text file by name, the model's and the planner's.
        model: The audience model.
    """

    uri: str
    files: Mapping[str, str]
    model: AudienceModel


def save(
    model: AudienceModel,
    *,
    extra_files: Mapping[str, str] | None = None,
    name: str = NAME,
    alias: str | None = ALIAS,
) -> str:
    """Log a model in the active MLflow run (a new one if none is active), register it, point the alias at it.

    Args:
        model: What to save.
        extra_files: More text files by name (segmenter, response curves); opaque here.
        name: Registered model.
        alias: Alias to move to the new version, or None to leave it where it is.

    Returns:
        `models:/name/version`.

    Raises:
        DataError: An extra file has the name of one of the model's.
    """
    import mlflow
    from mlflow import MlflowClient

    files = with_seal(_all_files(model, extra_files or {}))
    with tempfile.TemporaryDirectory() as temporary, warnings.catch_warnings():
        # MLflow advises type hints for signatures and warns of them at once; the signature is explicit
        warnings.simplefilter("ignore")
        folder = Path(temporary) / ARTIFACT
        folder.mkdir()
        for file_name, text in files.items():
            (folder / file_name).write_bytes(text.encode())
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).with_name("pyfunc_code.py")),
            artifacts={ARTIFACT: str(folder)},
            code_paths=[str(package_copy(Path(__file__).parent, Path(temporary)))],
            signature=signature(model),
            input_example=made_up_people(model.features).head(2).to_pandas(),
            pip_requirements=pinned(REQUIREMENTS),
            registered_model_name=name,
        )
    version = info.registered_model_version
    with tempfile.TemporaryDirectory() as temporary:
        whole = digest_of_folder(_fetched(f"models:/{name}/{version}", temporary))
    for tag, digest in ((SEAL_TAG, digest_of(files[SEAL])), (WHOLE_TAG, whole)):
        MlflowClient().set_model_version_tag(name, str(version), tag, digest)
    if alias is not None:
        MlflowClient().set_registered_model_alias(name, alias, str(version))
    return f"models:/{name}/{version}"


def pinned(names: Sequence[str], *, beside: str = "") -> list[str]:
    """What serving needs, as lines of pip: the lock with its hashes, where that is what is installed here.

    Args:
        names: Of distributions.
        beside: A lock of what is needed besides `LOCK`.
    """
    installed = {name: importlib.metadata.version(name) for name in names}
    text = resources.files("models").joinpath(LOCK).read_text("utf-8") + beside
    locked = text.replace(" \\\n   ", "").splitlines()
    pins = dict(line.split(" ")[0].split("==") for line in locked)
    if all(pins[name] == version for name, version in installed.items()):
        return locked
    return [f"{name}=={version}" for name, version in installed.items()]


def _all_files(model: AudienceModel, extra: Mapping[str, str]) -> dict[str, str]:
    own = model.to_files()
    clash = sorted(set(own) & set(extra))
    if clash:
        raise DataError(f"model: extra file {clash[0]} has the name of a model file; rename it")
    return own | dict(extra)


def load(uri: str) -> Bundle:
    """Read a model back.

    Args:
        uri: `models:/name@alias`, `models:/name/3`, `models:/name` (its `champion`), `runs:/<id>/model`, or a
            local folder.

    Raises:
        DataError: There is no such model, or it was not saved by this product.
    """
    from mlflow.exceptions import MlflowException

    try:
        exact = _exact(uri)
        with tempfile.TemporaryDirectory() as temporary:
            if ":/" not in uri:
                files = _read_folder(Path(uri), uri)
            elif exact.startswith(("models:/", "runs:/")):
                seal, whole = _seals_of(exact)
                local = _fetched(exact, temporary)
                if whole is not None and digest_of_folder(local) != whole:
                    raise DataError(
                        f"model {uri}: edited or damaged since it was registered; restore its files, or "
                        "train again"
                    )
                files = read_sealed(local / "artifacts" / ARTIFACT, source=uri, seal=seal)
            else:
                files = _read_folder(_fetched(exact, temporary), uri)
    except (MlflowException, OSError) as error:
        reason = str(error).splitlines()[0][:200]
        raise DataError(
            f"model {uri}: cannot be loaded ({reason}); train first, or check the name and the tracking store"
        ) from error
    return Bundle(exact, files, AudienceModel.from_files(files))


def version_at(name: str, alias: str) -> str | None:
    """`models:/name/version` that an alias points to, or None where there is no such model or alias."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        version = MlflowClient().get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise
    return f"models:/{name}/{version.version}"


def point(alias: str, uri: str) -> None:
    """Make an alias of `models:/name/version` point to that version."""
    from mlflow import MlflowClient

    name, version = uri.removeprefix("models:/").split("/")
    MlflowClient().set_registered_model_alias(name, alias, version)


def withdraw(run_id: str) -> bool:
    """Delete the versions that a run registered and no alias points to; whether one is left.

    An alias is set in the last step of a job: the versions of a run without one are nobody's yet.
    """
    from mlflow import MlflowClient

    client, left = MlflowClient(), False
    for found in client.search_model_versions(f"run_id='{run_id}'"):
        if client.get_model_version(found.name, found.version).aliases:
            left = True
        else:
            client.delete_model_version(found.name, found.version)
    return left


def signature(model: AudienceModel) -> ModelSignature:
    """Input and output columns of scoring as an MLflow signature."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import AnyType

    # Any type: our own reader knows whole numbers, words and truth values in all their types, and says what
    # is wrong; MLflow would refuse the very table that the model was trained on.
    anything: Any = AnyType  # untyped in MLflow
    inputs: list[Any] = [
        ColSpec(anything(), "user_id"),
        *(ColSpec(anything(), name, required=False) for name in ("is_fan", "snapshot_at")),
        *(ColSpec(anything(), feature.name) for feature in model.features),
    ]
    text = {"user_id": DataType.string, "placement": DataType.string, "eligible": DataType.boolean}
    outputs: list[Any] = [
        ColSpec(text.get(name, DataType.double), name, required=name != "p_enter") for name in SCORE_COLUMNS
    ]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))


def package_copy(package: Path, folder: Path) -> Path:
    """A clean copy of a package's folder (no byte code) in another, as MLflow copies folders whole."""
    copy = folder / package.name
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    return copy


def _exact(uri: str) -> str:
    """The URI with its alias (or the missing version) resolved to a version number."""
    from mlflow import MlflowClient

    if not uri.startswith("models:/"):
        return uri
    path = uri.removeprefix("models:/").strip("/")
    name, _, alias = path.partition("@")
    if not alias and "/" in name:
        return uri
    if not alias and name.startswith("m-"):  # a logged model's id, already exact
        return uri
    version = MlflowClient().get_model_version_by_alias(name, alias or ALIAS)
    return f"models:/{name}/{version.version}"


def _fetched(uri: str, folder: str) -> Path:
    """A copy of what MLflow keeps under a URI."""
    from mlflow.artifacts import download_artifacts

    return Path(download_artifacts(artifact_uri=uri, dst_path=folder))


def _seals_of(exact: str) -> tuple[str | None, str | None]:
    """What the registry knows of a version's seal and of all its files; None of a model that it has not.

    Raises:
        OutdatedError: It was registered before versions were sealed.
    """
    from mlflow import MlflowClient

    name, _, version = exact.removeprefix("models:/").partition("/")
    if not exact.startswith("models:/") or not version.isdigit():
        return None, None
    tags = MlflowClient().get_model_version(name, version).tags
    if SEAL_TAG not in tags:
        raise OutdatedError(f"model {exact}: was registered by a version that kept no digests; train again")
    return str(tags[SEAL_TAG]), tags.get(WHOLE_TAG)


def _read_folder(folder: Path, uri: str) -> dict[str, str]:
    """Text files of a local MLflow model, or of a plain folder with the files in it."""
    for candidate in (folder / "artifacts" / ARTIFACT, folder / ARTIFACT, folder):
        if (candidate / MODEL_FILE).is_file():
            return read_sealed(candidate, source=uri, may_lack_seal=candidate == folder)
    raise DataError(f"model {uri}: holds no {MODEL_FILE}, it was not saved by targeting train; train again")
