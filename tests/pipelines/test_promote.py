"""The alias `champion`: first come, then only by being better, and always told why."""

import shutil
from datetime import datetime
from pathlib import Path

import mlflow
import polars as pl
import pytest

from models import registry
from models.audience.model_files import OutdatedError
from models.errors import DataError
from models.judging.bootstrap import Interval
from models.judging.comparison import ModelComparison
from pipelines.jobs import promotion
from pipelines.jobs.train import run_train
from pipelines.store import read_dataset, write_table
from pipelines.tracking import job_run

SETTINGS = "min_audience: 100\ndraws: 20\nthreads: 1\nmodel_name: {name}\n"


@pytest.fixture(scope="module")
def two_versions(data_dir, new_store, tmp_path_factory):
    """A first version, the same again, and one from data without the last days: (store, three results)."""
    folder = tmp_path_factory.mktemp("promotion")
    store = new_store(folder)
    settings = folder / "train.yaml"
    settings.write_text(SETTINGS.format(name="fans"))
    dataset = read_dataset(data_dir)
    earlier = folder / "earlier"
    earlier.mkdir()
    cut = dataset.exposures["exposed_at"].quantile(0.9, "nearest")
    tables = {
        "users": dataset.users,
        "exposures": dataset.exposures.filter(pl.col("exposed_at") < cut),
        "orders": dataset.orders.filter(pl.col("ordered_at") < cut),
    }
    for name, table in tables.items():
        write_table(table.drop("row", strict=False), earlier / f"{name}.parquet")
    train = {"config": settings, "tracking_uri": store}
    results = [
        run_train(data=earlier, **train),
        run_train(data=earlier, **train),
        run_train(data=data_dir, **train),
    ]
    return store, results


def test_the_first_version_is_champion_and_its_copy_is_not(two_versions):
    _, (first, again, _) = two_versions
    assert first.promotion["promoted"] is True
    assert first.promotion["why"] == "the first version of its name"
    assert again.model_uri == "models:/fans/2"
    assert again.promotion["promoted"] is False
    assert again.promotion["champion"] == first.model_uri
    assert "same model" in again.promotion["why"]


def test_a_new_version_is_compared_and_the_alias_obeys_the_interval(two_versions):
    store, (first, _, newest) = two_versions
    told = newest.promotion
    assert told["comparison"] is not None, told["why"]
    assert told["promoted"] == (told["comparison"]["outcome"] == "better")
    expected = newest.model_uri if told["promoted"] else first.model_uri
    mlflow.set_tracking_uri(store)
    mlflow.set_registry_uri(store)
    assert registry.version_at("fans", registry.ALIAS) == expected
    assert registry.version_at("fans", registry.CHALLENGER) == newest.model_uri
    logged = mlflow.get_run(newest.run_id)
    assert "promotion.ranking.gain" in logged.data.metrics
    assert logged.data.tags[promotion.TAG].startswith(("promoted", "kept"))
    table = mlflow.load_table("promotion/comparison.json", run_ids=[newest.run_id])
    assert table["question"].to_list() == ["log_likelihood", "ranking"]


def contest(outcome):
    numbers = {"log_likelihood": -0.1, "ranking": 0.2}
    return ModelComparison(
        since=datetime(2020, 10, 20),
        rows=10,
        follows=5,
        randomized=True,
        worth="gmv",
        champion=numbers,
        challenger=numbers,
        likelihood=Interval(0.1, 0.05, 0.2),
        ranking=Interval(0.0, -0.1, 0.1),
        outcome=outcome,
    )


@pytest.mark.parametrize("outcome", ["better", "undecided", "worse"])
def test_only_better_moves_the_alias(two_versions, data_dir, monkeypatch, outcome):
    store, (first, _, newest) = two_versions
    mlflow.set_tracking_uri(store)
    mlflow.set_registry_uri(store)
    registry.point(registry.ALIAS, first.model_uri)
    monkeypatch.setattr(promotion, "_contest", lambda *_, **__: contest(outcome))
    decided = decide(store, newest, data_dir)
    assert decided.promoted == (outcome == "better")
    assert registry.version_at("fans", registry.ALIAS) == (newest if decided.promoted else first).model_uri


def test_what_cannot_be_compared_stays_challenger(two_versions, data_dir, monkeypatch):
    store, (first, _, newest) = two_versions

    def refuse(*_, **__):
        raise DataError("too few follows")

    monkeypatch.setattr(promotion, "_contest", refuse)
    mlflow.set_tracking_uri(store)
    mlflow.set_registry_uri(store)
    registry.point(registry.ALIAS, first.model_uri)
    decided = decide(store, newest, data_dir)
    assert (decided.promoted, decided.champion) == (False, first.model_uri)
    assert "cannot be compared (too few follows)" in decided.why


def unreadable(monkeypatch, uri, error):
    load = registry.load

    def gone(asked):
        if asked == uri:
            raise error
        return load(asked)

    monkeypatch.setattr(registry, "load", gone)


def test_a_champion_of_an_older_format_is_replaced(two_versions, data_dir, monkeypatch):
    store, (first, _, newest) = two_versions
    mlflow.set_tracking_uri(store)
    mlflow.set_registry_uri(store)
    registry.point(registry.ALIAS, first.model_uri)
    unreadable(monkeypatch, first.model_uri, OutdatedError("audience.json has format 0"))
    decided = decide(store, newest, data_dir)
    assert decided.promoted
    assert "nothing can use any more" in decided.why


def test_a_champion_that_cannot_be_read_for_a_moment_stays(two_versions, data_dir, monkeypatch):
    store, (first, _, newest) = two_versions
    mlflow.set_tracking_uri(store)
    mlflow.set_registry_uri(store)
    registry.point(registry.ALIAS, first.model_uri)
    unreadable(
        monkeypatch, first.model_uri, DataError("model models:/fans/1: cannot be loaded (No space left)")
    )
    with pytest.raises(
        DataError, match=r"champion models:/fans/1 cannot be read.*No space left.*nothing was reg"
    ):
        decide(store, newest, data_dir)
    monkeypatch.undo()
    assert registry.version_at("fans", registry.ALIAS) == first.model_uri


def test_a_job_that_cannot_read_the_champion_registers_nothing(two_versions, data_dir, cli, tmp_path):
    store, (first, _, _) = two_versions
    mlflow.set_tracking_uri(store)
    mlflow.set_registry_uri(store)
    registry.point(registry.ALIAS, first.model_uri)
    before = versions("fans")
    artifacts = Path(store.removeprefix("sqlite:///")).parent / "mlartifacts"
    artifacts.rename(artifacts.with_name("away"))
    try:
        settings = tmp_path / "train.yaml"
        settings.write_text(SETTINGS.format(name="fans"))
        code, _, err = cli("train", "--data", data_dir, "--config", settings, "--tracking-uri", store)
    finally:
        shutil.rmtree(artifacts, ignore_errors=True)
        artifacts.with_name("away").rename(artifacts)
    assert code == 1
    assert "champion models:/fans/1 cannot be read" in err
    assert len(err.splitlines()) == 1
    assert versions("fans") == before
    assert registry.version_at("fans", registry.ALIAS) == first.model_uri


def versions(name):
    return sorted(
        int(found.version) for found in mlflow.MlflowClient().search_model_versions(f"name='{name}'")
    )


def test_a_champion_that_changed_in_the_meantime_stays(two_versions):
    store, (first, again, newest) = two_versions
    mlflow.set_tracking_uri(store)
    mlflow.set_registry_uri(store)
    registry.point(registry.ALIAS, again.model_uri)
    verdict = promotion.Verdict(first.model_uri, True, "the challenger is better")
    with job_run("train", tracking_uri=store, inputs={}, fingerprints={}) as run:
        decided = promotion.promote(verdict, uri=newest.model_uri, run=run)
    assert not decided.promoted
    assert "another job made models:/fans/2 champion" in decided.why
    assert registry.version_at("fans", registry.ALIAS) == again.model_uri


def decide(store, result, data_dir):
    with job_run("train", tracking_uri=store, inputs={}, fingerprints={}) as run:
        verdict = promotion.judge(
            registry.load(result.model_uri).model,
            name="fans",
            dataset=read_dataset(data_dir),
            seed=0,
            run=run,
        )
        return promotion.promote(verdict, uri=result.model_uri, run=run)
