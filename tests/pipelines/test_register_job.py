"""A plan's planner behind `mlflow models serve`, asked over HTTP."""

import contextlib
import io
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import jewellery_shop
import pytest

import targeting as tg
from models.errors import DataError
from pipelines.jobs.register import run_register
from pipelines.store.plans import write_files
from targeting.decision.again import answer, plan_of, texts_of


@pytest.fixture(scope="module")
def plan():
    return jewellery_shop.plan(audience=jewellery_shop.audience())


def test_a_plan_travels_without_people(plan):
    texts = texts_of(plan)
    people = plan.audience.segments["user_id"].to_list()
    assert not [name for name, text in texts.items() if any(f'"{user}"' in text for user in people)]
    back = plan_of(texts)
    assert back.audience is None
    assert back.value == plan.value
    assert back.allocation["spend_li"].equals(plan.allocation["spend_li"])
    with pytest.raises(DataError, match="market"):
        plan_of({name: text for name, text in texts.items() if name != "market.json"})


def test_the_answer_is_the_plan_of_the_changed_brief(plan):
    said = answer(plan, {"budget_cny": 8000.0, "constraints": []})
    assert said["budget_cny"] == 8000.0
    assert sum(unit["spend_li"] for unit in said["allocation"]) == round(1000 * said["spend_cny"])
    assert said["upper_bound"] >= said["value"] > 0
    json.dumps(said, allow_nan=False)
    with pytest.raises(tg.CampaignError, match="budget_cny"):
        answer(plan, {"budget_cny": -1})


@pytest.fixture(scope="module")
def asked(plan, new_store, free_port, tmp_path_factory):
    """Asks the served planner: (status, answer)."""
    folder = tmp_path_factory.mktemp("planner")
    (folder / "plan").mkdir()
    write_files(plan.files(html=False), folder / "plan")
    store, port = new_store(folder), free_port()
    with contextlib.redirect_stderr(io.StringIO()) as said:
        uri = run_register(plan=folder / "plan", tracking_uri=store).model_uri
    assert said.getvalue() == "", "MLflow was heard"
    asked = next(folder.rglob("requirements.txt")).read_text().splitlines()
    assert all("--hash=sha256:" in line for line in asked)
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", uri, "--env-manager", "local"]
    # MLflow looks for its server on the path, and the model must need no checkout of ours.
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": store,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": "",
    }
    log = (folder / "server.log").open("w")
    process = subprocess.Popen(
        [*command, "--port", str(port)], cwd=folder, stdout=log, stderr=log, env=environment
    )

    def ask(rows):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations",
            data=json.dumps({"dataframe_records": rows}).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as found:
                return found.status, json.load(found)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    try:
        for _ in range(480):
            assert process.poll() is None, (folder / "server.log").read_text()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=2):
                    break
            except (urllib.error.URLError, OSError):
                time.sleep(0.25)
        yield ask
    finally:
        process.terminate()
        process.wait(60)
        log.close()


@pytest.mark.slow
def test_a_brief_and_a_budget_in_allocation_and_certificate_out(plan, asked):
    free = json.dumps({"constraints": []})
    status, said = asked([{"budget_cny": 8000.0}, {"budget_cny": 8000.0, "brief": free}])
    assert status == 200
    ruled, unruled = said["predictions"]
    expected = answer(plan, {"budget_cny": 8000.0})
    assert ruled["value"] == pytest.approx(expected["value"], rel=1e-9)
    assert ruled["allocation"] == expected["allocation"]
    assert unruled["value"] >= ruled["value"]
    assert all(one["gap"] <= 1e-6 for one in (ruled, unruled))
    for wrong, told in (
        ({"budget_cny": -5.0}, "budget_cny"),
        ({"brief": "[1]"}, "JSON object"),
        (
            {"brief": json.dumps({"constraints": [{"kind": "bounds", "name": "dream", "min_cny": 1e6}]})},
            "dream",
        ),
    ):
        status, said = asked([wrong])
        assert status == 400
        assert told in said
