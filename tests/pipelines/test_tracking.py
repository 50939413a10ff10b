import mlflow
import pytest

from models.errors import DataError
from pipelines import tracking
from pipelines.tracking_store import EXPERIMENT, connect, reaching

INPUTS = {"settings": {"seed": 7, "train": {"threads": 2}}, "campaign": {"campaign_id": "c"}}


def log_one(uri, folder):
    plan = folder / "plan-files"
    plan.mkdir()
    (plan / "allocation.csv").write_text("segment,spend_li\na,5\n")
    with tracking.job_run("plan", tracking_uri=uri, inputs=INPUTS, fingerprints={"data": "abc"}) as run:
        run.metrics({"gap": 1e-7, "not finite": float("nan"), "share (%)": 3})
        run.tag(tracking.MODEL_TAG, "models:/m/1")
        run.file(plan, "plan")
    return run.run_id


def check_recorded(uri, run_id, folder):
    record, plan = tracking.recorded(run_id, tracking_uri=uri, folder=folder)
    assert record.job == "plan"
    assert record.inputs == INPUTS
    assert record.fingerprints == {"data": "abc"}
    assert plan is not None
    assert (plan / "allocation.csv").read_text().endswith("a,5\n")
    logged = mlflow.get_run(run_id)
    assert logged.info.status == "FINISHED"
    assert logged.data.params == {"seed": "7", "train.threads": "2"}
    assert logged.data.metrics == {"gap": 1e-7, "share ___": 3.0}
    assert logged.data.tags[tracking.MODEL_TAG] == "models:/m/1"
    assert logged.data.tags["targeting.fingerprint.data"] == "abc"


def test_a_run_is_recorded_in_a_new_sqlite_store_and_read_back(own_folder):
    new = f"sqlite:///{own_folder / 'mlflow.db'}"
    run_id = log_one(new, own_folder)
    check_recorded(new, run_id, own_folder / "back")
    assert (own_folder / "mlartifacts").is_dir(), "artifacts lie beside the sqlite file"


def test_the_environment_names_the_store_when_no_flag_does(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    assert connect(None) == store


def test_the_default_store_is_in_the_working_directory(store, tmp_path):
    assert connect(None) == f"sqlite:///{tmp_path / 'mlflow.db'}"


def test_a_job_that_fails_leaves_a_failed_run(store):
    def fail():
        with tracking.job_run("train", tracking_uri=store, inputs={}, fingerprints={}):
            raise DataError("orders.csv: empty")

    with pytest.raises(DataError):
        fail()
    runs = mlflow.search_runs(experiment_names=[EXPERIMENT], output_format="list")
    assert [run.info.status for run in runs] == ["FAILED"]


def test_an_unknown_run_says_what_to_give(store, tmp_path):
    with pytest.raises(DataError, match="run_id printed by"):
        tracking.recorded("0" * 32, tracking_uri=store, folder=tmp_path)


@pytest.mark.parametrize("uri", ["sqlite:///{folder}/a-file/mlflow.db", "http://127.0.0.1:9"])
def test_a_store_that_cannot_be_reached_is_one_line(store, tmp_path, uri):
    (tmp_path / "a-file").touch()
    with pytest.raises(DataError, match="check --tracking-uri") as caught:
        connect(uri.format(folder=tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_run_is_recorded_on_a_real_server(server, own_folder, tmp_path):
    run_id = log_one(server, tmp_path)
    check_recorded(server, run_id, tmp_path / "back")


def test_a_store_that_fails_midway_takes_its_record_and_not_the_work(store, tmp_path, monkeypatch):
    from mlflow.exceptions import MlflowException

    calls = []

    def gone(*given):
        calls.append(given)
        raise MlflowException("API request failed: connection refused")

    monkeypatch.setattr(mlflow, "log_metrics", gone)

    def work():
        with tracking.job_run("plan", tracking_uri=store, inputs=INPUTS, fingerprints={}) as run:
            run.metrics({"gap": 1.0})
            run.metrics({"gap": 2.0})
            (tmp_path / "plan.json").write_text("{}")

    with pytest.raises(
        DataError, match=r"tracking store .*connection refused.*what the job has written is kept"
    ):
        work()
    assert (tmp_path / "plan.json").exists()
    assert len(calls) == 1


def test_a_store_without_its_driver_is_a_word(store):
    with pytest.raises(
        DataError, match=r"tracking store postgresql://.*No module named .*install its driver"
    ):
        connect("postgresql://u:p@127.0.0.1:1/x")


def test_the_database_is_heard_before_the_advice_of_its_library():
    advice = "(raised as a result of Query-invoked autoflush; consider using a session.no_autoflush block)"
    told = "(sqlite3.OperationalError) attempt to write a readonly database"
    with pytest.raises(DataError, match="readonly database"), reaching("sqlite:///x.db"):
        raise mlflow.MlflowException(f"{advice}\n{told}")
