"""The what-if page: the decision behind it, the page without a browser, and once in a real one."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import polars as pl
import pytest

from models.errors import DataError, InfeasibleError
from pipelines.app import screen, server
from pipelines.app.what_if import what_if
from pipelines.jobs.plan import Source, run_plan
from pipelines.store.plans import read_plan

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"


@pytest.fixture(scope="module")
def plan_dir(new_store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plan")
    rows = ["segment,placement,top,half_spend_cny,slope"]
    rows += [f"{s},{p},{top},{k},1" for s, p, top, k in (("a", "video", 900, 120), ("a", "live", 500, 60))]
    rows += ["b,video,700,90,1", "b,live,300,200,1"]
    (folder / "curves.csv").write_text("\n".join(rows))
    (folder / "brief.yaml").write_text(
        "campaign_id: c\nbudget_cny: 300\nplacements: [video, live]\n"
        "constraints: [{kind: bounds, name: little live, placement: live, max_share: 0.2}]\n"
    )
    run_plan(
        campaign=folder / "brief.yaml",
        source=Source(curves=folder / "curves.csv"),
        out=folder / "plan",
        tracking_uri=new_store(folder),
    )
    return folder / "plan"


def test_nothing_changed_is_the_saved_plan(plan_dir):
    saved = read_plan(plan_dir)
    tried = what_if(saved, budget_cny=saved.budget_cny, least_share={})
    assert tried.allocation["spend_li"].equals(saved.allocation["spend_li"])


def test_more_money_and_fewer_limits_are_never_worth_less(plan_dir):
    saved = read_plan(plan_dir)
    richer = what_if(saved, budget_cny=2 * saved.budget_cny, least_share={})
    freer = what_if(saved, budget_cny=saved.budget_cny, least_share={}, kept=[])
    tighter = what_if(saved, budget_cny=saved.budget_cny, least_share={}, most_share=0.5)
    assert richer.value > saved.value
    assert freer.value > saved.value
    assert tighter.value < saved.value
    assert max(tighter.allocation.group_by("segment").agg(pl.sum("spend_cny"))["spend_cny"]) <= 150 + 1e-6


def test_a_contradiction_is_told_by_name(plan_dir):
    saved = read_plan(plan_dir)
    with pytest.raises(InfeasibleError, match="little live"):
        what_if(saved, budget_cny=300, least_share={"live": 0.5})


@pytest.fixture
def page(plan_dir, monkeypatch):
    from streamlit.testing.v1 import AppTest

    monkeypatch.setenv(server.PLAN_VARIABLE, str(plan_dir))
    return AppTest.from_file(screen.__file__, default_timeout=60)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_page_answers_to_its_controls(page):
    page.run()
    assert not page.exception
    before = page.metric[0].value
    page.sidebar.slider[0].set_value(page.sidebar.slider[0].max).run()
    assert not page.exception
    assert page.metric[0].value != before
    page.sidebar.toggle(key="limit-live").set_value(True).run()
    assert any("little live" in error.value for error in page.error), "25 % live contradicts the brief's 20 %"
    page.sidebar.multiselect[0].set_value([]).run()
    assert not page.error
    assert not page.exception


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_page_says_what_it_needs(page, monkeypatch, tmp_path):
    monkeypatch.setenv(server.PLAN_VARIABLE, "")
    page.run()
    assert page.info
    page.sidebar.text_input[0].set_value(str(tmp_path)).run()
    assert page.error
    assert not page.exception


def test_serving_nothing_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such directory"):
        server.serve(plan=tmp_path / "nowhere", port=8501, browser=False, starting=lambda: None)


def test_without_streamlit_the_remedy_is_told(monkeypatch):
    monkeypatch.setattr(server, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"fan-targeting\[app\]"):
        server.serve(plan=None, port=8501, browser=False, starting=lambda: None)


def test_a_port_that_is_taken_is_refused(plan_dir):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(DataError, match=f"--port {port}: cannot be used .Address already in use"):
            server.serve(plan=plan_dir, port=port, browser=False, starting=lambda: None)


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM])
def served(plan_dir, request):
    """`targeting app` as its own process: the URL of the page, stopped by either signal."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ("--plan", str(plan_dir), "--port", str(port), "--no-browser")
    command = [sys.executable, "-m", "pipelines", "app", *options]
    process = subprocess.Popen(
        command, env=dict(os.environ), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            assert process.poll() is None
            try:
                with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2):
                    break
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        yield url
    finally:
        process.send_signal(request.param)
        assert process.wait(30) == 0, "the page ends cleanly"
        assert process.stderr.read() == ""
        process.stderr.close()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{url}/_stcore/health", timeout=2)


@pytest.mark.slow
def test_the_page_ends_with_its_command(served):
    with urllib.request.urlopen(f"{served}/_stcore/health", timeout=5) as answer:
        assert answer.status == 200


@pytest.mark.slow
@pytest.mark.parametrize("served", [signal.SIGINT], indirect=True)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_page_in_a_real_browser(served):
    if not Path(CHROMIUM).exists():
        pytest.skip("needs chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        tab = browser.new_page()
        tab.goto(served)
        tab.get_by_text("Where the money goes").wait_for(timeout=60_000)
        before = tab.get_by_test_id("stMetricValue").first.inner_text()
        tab.get_by_test_id("stSlider").first.get_by_role("slider").focus()
        for _ in range(20):
            tab.keyboard.press("ArrowRight")
        tab.wait_for_function(
            "before => document.querySelector('[data-testid=stMetricValue]').innerText !== before", arg=before
        )
        assert tab.get_by_test_id("stException").count() == 0
        browser.close()
