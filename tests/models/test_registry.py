"""Registered and loaded again through a real MLflow store: the same numbers, text only."""

import re
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from known_truth import make_logs

from models.audience.model import AudienceModel
from models.errors import DataError

pytestmark = pytest.mark.filterwarnings("default")  # MLflow and SQLAlchemy warn of each other


@cache
def fitted():
    logs = make_logs(users=3000, seed=2, base=0.01)
    model = AudienceModel.fit(
        logs, placements=("video", "live"), as_of=logs.as_of, horizon_days=30, seed=1, threads=1
    )
    return model, logs.users


@pytest.fixture
def store(new_store, tmp_path):
    import mlflow

    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    uri = new_store(tmp_path)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    mlflow.create_experiment("test", artifact_location=(tmp_path / "artifacts").as_uri())
    mlflow.set_experiment("test")
    yield tmp_path
    mlflow.set_tracking_uri(before[0])
    mlflow.set_registry_uri(before[1])


def test_saved_and_loaded_model_scores_the_same(store):
    import mlflow

    from models import registry

    model, users = fitted()
    with mlflow.start_run() as run:
        uri = registry.save(model, extra_files={"segmenter.json": "{}"})
    expected = model.score(users)
    for address in (
        uri,
        "models:/new-fan-gmv@champion",
        "models:/new-fan-gmv",
        f"runs:/{run.info.run_id}/model",
    ):
        bundle = registry.load(address)
        assert bundle.files["segmenter.json"] == "{}"
        assert bundle.model.score(users).equals(expected)
    assert registry.load("models:/new-fan-gmv@champion").uri == uri
    assert not [path for path in store.rglob("*") if path.suffix in {".pkl", ".pickle", ".joblib"}]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        served = mlflow.pyfunc.load_model(uri)
        scored = served.predict(users.drop("snapshot_at", "shop").to_pandas())
    np.testing.assert_allclose(scored["p_follow"], expected["p_follow"], rtol=1e-12)
    np.testing.assert_allclose(scored["gmv_per_fan_cny"], expected["gmv_per_fan_cny"], rtol=1e-12)
    assert served.metadata.signature is not None
    assert served.metadata.saved_input_example_info is not None


@pytest.mark.parametrize("edited", ["MLmodel", "code/models/__init__.py", "pyfunc_code.py", "a file more"])
def test_a_version_is_refused_where_what_serving_runs_was_edited(store, edited):
    from models import registry

    model, _ = fitted()
    uri = registry.save(model)
    [folder] = (path.parent for path in store.rglob("MLmodel"))
    mark = store / "ran"
    hostile = f"import pathlib\npathlib.Path({str(mark)!r}).touch()\n"
    if edited == "MLmodel":
        said = re.sub("loader_module: .*", "loader_module: evil", (folder / edited).read_text())
        assert "evil" in said
        (folder / edited).write_text(said)
    elif edited == "a file more":
        (folder / "code" / "sitecustomize.py").write_text(hostile)
    else:
        (folder / edited).write_text(hostile + (folder / edited).read_text())
    for address in (uri, "models:/new-fan-gmv@champion"):
        with pytest.raises(DataError, match="edited or damaged since it was registered"):
            registry.load(address)
    assert not mark.exists()


def test_nobody_travels_with_a_model(store):
    from mlflow.artifacts import download_artifacts

    from models import registry

    model, users = fitted()
    folder = Path(download_artifacts(registry.save(model)))
    files = [path for path in folder.rglob("*") if path.is_file() and "code" not in path.parts]
    text = {path.name: path.read_text(encoding="utf-8") for path in files}
    people = re.compile("|".join(rf"\b{re.escape(user)}\b" for user in users["user_id"]))
    assert [name for name, held in text.items() if people.search(held)] == []
    assert "example-1" in text["input_example.json"]
    assert text["requirements.txt"].count("--hash=sha256:") > len(registry.REQUIREMENTS)


def test_alias_moves_only_when_asked(store):
    from models import registry

    model, _ = fitted()
    first = registry.save(model)
    registry.save(model, alias=None)
    assert registry.load("models:/new-fan-gmv@champion").uri == first


def test_aliases_are_read_and_moved(store):
    from models import registry

    model, _ = fitted()
    assert registry.version_at("new-fan-gmv", "champion") is None
    first = registry.save(model)
    second = registry.save(model, alias=registry.CHALLENGER)
    assert registry.version_at("new-fan-gmv", "champion") == first
    assert registry.version_at("new-fan-gmv", "challenger") == second
    assert registry.version_at("new-fan-gmv", "nobody") is None
    registry.point("champion", second)
    assert registry.load("models:/new-fan-gmv@champion").uri == second


def test_wrong_addresses_are_told_in_one_line(store, tmp_path):
    from models import registry

    for address in (
        "models:/nothing@champion",
        "models:/nothing/3",
        "runs:/0123/model",
        str(tmp_path / "no"),
    ):
        with pytest.raises(DataError, match=r"model .*: ") as error:
            registry.load(address)
        assert "\n" not in str(error.value)


def test_plain_folder_and_name_clash(store, tmp_path):
    from models import registry

    model, users = fitted()
    folder = tmp_path / "plain"
    folder.mkdir()
    for name, text in model.to_files().items():
        (folder / name).write_text(text, encoding="utf-8")
    assert registry.load(str(folder)).model.score(users).equals(model.score(users))
    with pytest.raises(DataError, match=r"audience\.json"):
        registry.save(model, extra_files={"audience.json": "{}"})


def test_a_request_is_refused_in_words_and_answered_in_valid_json(store):
    import io
    import json

    import mlflow
    from mlflow.exceptions import MlflowException
    from mlflow.pyfunc.scoring_server import predictions_to_json

    from models import registry

    model, users = fitted()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        served = mlflow.pyfunc.load_model(registry.save(model))
        people = users.head(6).to_pandas()
        number = next(
            feature.name for feature in model.features if feature.kind == "number" and feature.low >= 0
        )
        answer = io.StringIO()
        predictions_to_json(served.predict(people), answer)
        rows = json.loads(answer.getvalue(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
        assert len(rows["predictions"]) == 6 * len(model.placements)
        for spoilt, told in (
            (people.assign(user_id=[None, *people.user_id[1:]]), "user_id: expected text, not empty"),
            (people.assign(user_id="a"), "user_id: expected unique"),
            (people.assign(**{number: -5.0}), "cells below 0"),
            (people.assign(**{number: 1e308}), "a thousand times beyond"),
            (people.assign(**{number: "often"}), "not what it was in training"),
            (people.drop(columns=number), number),
        ):
            with pytest.raises(MlflowException, match=told) as error:
                served.predict(spoilt)
            assert error.value.get_http_status_code() == 400
        whole = served.predict(people.assign(**{number: people[number].round().astype("int64")}))
        assert len(whole) == 6 * len(model.placements)
