"""The planner's page: the decision behind it, the page without a browser, and once in a real one."""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zlib
from pathlib import Path

import polars as pl
import pytest

from models.errors import DataError, InfeasibleError, TargetingError
from pipelines.app import links, screen, server
from pipelines.app.choices import Choice
from pipelines.app.opening import opened
from pipelines.app.what_if import what_if
from pipelines.jobs.plan import Source, run_plan
from pipelines.store.plans import read_plan
from targeting.words import refused, words_in

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
    tried = what_if(saved, Choice(saved.budget_cny))
    assert tried.allocation["spend_li"].equals(saved.allocation["spend_li"])


def test_more_money_and_fewer_limits_are_never_worth_less(plan_dir):
    saved = read_plan(plan_dir)
    richer = what_if(saved, Choice(2 * saved.budget_cny))
    freer = what_if(saved, Choice(saved.budget_cny, kept=()))
    tighter = what_if(saved, Choice(saved.budget_cny, most_share=0.5))
    assert richer.value > saved.value
    assert freer.value > saved.value
    assert tighter.value < saved.value
    assert max(tighter.allocation.group_by("segment").agg(pl.sum("spend_cny"))["spend_cny"]) <= 150 + 1e-6


def test_a_contradiction_is_told_by_name(plan_dir):
    saved = read_plan(plan_dir)
    with pytest.raises(InfeasibleError, match="little live"):
        what_if(saved, Choice(300, placements={"live": (0.5, 1.0)}))


def test_a_contradiction_is_told_in_chinese_too(plan_dir):
    w = words_in("zh")
    with pytest.raises(InfeasibleError) as error:
        what_if(read_plan(plan_dir), Choice(300, placements={"live": (0.5, 1.0)}), w)
    told = refused(w, error.value)
    assert told.startswith("没有计划能同时满足“little live”、“直播间 50% 至 100%”；放宽其中一条：")
    assert told.count(" 元") == 2, "each remedy says its unit"


@pytest.mark.parametrize(
    ("chosen", "kind"),
    [
        ({"roi_target": 2.0}, "target"),
        ({"roi_floor": 1.5}, "roi_floor"),
        ({"segments": {"a": (0.2, 0.6)}}, "bounds"),
        ({"min_ticket_cny": 60.0}, "min_if_used"),
        ({"margin": 0.5, "fee": 0.1, "objective": "profit"}, None),
    ],
)
def test_every_control_is_a_rule_that_the_plan_keeps(plan_dir, chosen, kind):
    tried = what_if(read_plan(plan_dir), Choice(300, **chosen))
    assert kind is None or kind in {rule.kind for rule in tried.campaign.limits}
    assert tried.violations() == ()


CELLS = (("宝妈", "短视频", 60, 30, 300), ("宝妈", "直播间", 90, 25, 500), ("=cmd()", "短视频", 40, 25, 90))
REPORT = "日期,人群,投放位置,花费,涨粉数,支付金额\n" + "".join(
    f"2024-05-{day:02d},{who},{where},{cost * (1 + day % 5)},{fans * (1 + day % 5) ** 0.6:.0f},"
    f"{gmv * (1 + day % 4)}\n"
    for day in range(1, 21)
    for who, where, cost, fans, gmv in CELLS
)


def test_a_console_report_is_a_plan_and_can_be_planned_for_other_days():
    found = opened({"报表.csv": REPORT.encode("gb18030")})
    assert set(found.plan.campaign.placements) == {"live", "video"}
    assert found.plan.campaign.objective == "new_fan_gmv"
    three = found.over(3, 1)
    assert three.plan.budget_cny == pytest.approx(3 * found.plan.budget_cny)
    assert found.over(1, 1) is found


def test_a_brief_beside_the_report_is_used_and_curves_are_known_from_their_columns(plan_dir):
    brief = b"campaign_id: mine\nbudget_cny: 777\nplacements: [video, live]\nobjective: new_fans\n"
    assert opened({"r.csv": REPORT.encode(), "b.yaml": brief}).plan.budget_cny == 777
    curves = (plan_dir.parent / "curves.csv").read_bytes()
    assert opened({"curves.csv": curves}).report is None


def test_the_files_of_a_plan_are_the_plan(plan_dir):
    files = {path.name: path.read_bytes() for path in plan_dir.iterdir() if path.is_file()}
    assert opened(files).plan.value == read_plan(plan_dir).value


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "got nothing"),
        ({"a.csv": b"x,y\n1,2\n"}, "a.csv"),
        ({"a.csv": b"", "b.csv": b""}, "one table"),
        ({"..": b""}, "rename it"),
        ({"plan.json": b"{}"}, "give all files of the plan's directory together"),
    ],
)
def test_what_cannot_be_used_is_said_by_its_own_name(files, said):
    with pytest.raises(TargetingError) as error:
        opened(files)
    assert said in str(error.value)
    assert "/tmp" not in str(error.value)


def test_what_was_noticed_names_the_uploaded_file():
    noticed = opened({"r.csv": REPORT.replace("日期", "备注,日期", 1).replace("\n2", "\n,2").encode()})
    assert [line for line in noticed.plan.provenance.warnings if line.startswith("r.csv: ignored")]
    assert not any("/tmp" in line for line in noticed.plan.provenance.warnings)


@pytest.fixture
def page(plan_dir, monkeypatch):
    from streamlit.testing.v1 import AppTest

    monkeypatch.setenv(server.PLAN_VARIABLE, str(plan_dir))
    return AppTest.from_file(screen.__file__, default_timeout=120)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_page_answers_to_its_controls(page):
    page.run()
    assert not page.exception
    before = page.metric[0].value
    page.sidebar.slider[0].set_value(page.sidebar.slider[0].max).run()
    assert not page.exception
    assert page.metric[0].value != before
    page.sidebar.slider(key="place-live").set_value((25, 100)).run()
    assert any("little live" in error.value for error in page.error), "25 % live contradicts the brief's 20 %"
    assert page.metric, "the last plan that could be is still there"
    page.sidebar.multiselect(key="kept en").set_value([]).run()
    assert not page.error
    assert not page.exception


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_another_plan_begins_at_its_own_brief(page, plan_dir, tmp_path, monkeypatch):
    page.run()
    budget = page.sidebar.slider(key="budget").value
    page.sidebar.slider(key="budget").set_value(2 * budget).run()
    page.sidebar.multiselect(key="kept en").set_value([]).run()
    monkeypatch.setenv(server.PLAN_VARIABLE, str(shutil.copytree(plan_dir, tmp_path / "another")))
    page.run()
    assert not page.exception
    assert page.sidebar.slider(key="budget").value == budget
    assert page.sidebar.multiselect(key="kept en").value


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_page_speaks_chinese_and_keeps_scenarios(page):
    page.run()
    page.sidebar.button_group(key="language").set_value("zh").run()
    assert not page.exception
    assert page.title[0].value == "投放规划台"
    page.sidebar.slider[0].set_value(page.sidebar.slider[0].max).run()
    page.button[0].click().run()
    assert not page.exception
    assert "新增粉丝成交额" in page.table[0].value.to_string()
    assert "\\" not in str(page.multiselect[-1].value), "names are no Markdown there"
    kept = len(page.table[0].value)
    page.button[0].click().run()
    assert len(page.table[0].value) == kept, "the same plan is kept once"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_page_says_what_it_needs(page, monkeypatch, tmp_path):
    monkeypatch.setenv(server.PLAN_VARIABLE, "")
    page.run()
    assert page.info
    assert not page.sidebar.text_input, "no path is typed by hand"
    monkeypatch.setenv(server.PLAN_VARIABLE, str(tmp_path))
    page.run()
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
def test_the_page_ends_with_its_command_and_answers_this_machine_only(served):
    with urllib.request.urlopen(f"{served}/_stcore/health", timeout=5) as answer:
        assert answer.status == 200
    with pytest.raises(urllib.error.URLError):  # loopback too, and heard where all addresses are
        urllib.request.urlopen(f"{served.replace('127.0.0.1', '127.0.0.2')}/_stcore/health", timeout=5)


@pytest.mark.slow
@pytest.mark.parametrize("served", [signal.SIGINT], indirect=True)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_page_and_report_in_a_real_browser(served, plan_dir):
    if not Path(CHROMIUM).exists():
        pytest.skip("needs chromium")
    from playwright.sync_api import sync_playwright

    errors = []

    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        tab = browser.new_page()
        tab.on("console", lambda told: errors.append(told.text) if told.type == "error" else None)
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.goto(served)
        tab.get_by_text("Where the money goes").wait_for(timeout=90_000)
        assert tab.get_by_text("Deploy").count() == 0
        report = {"name": "report.csv", "mimeType": "text/csv", "buffer": REPORT.encode()}
        tab.locator("input[type=file]").set_input_files([report])
        tab.get_by_text("宝妈").first.wait_for(timeout=90_000)
        before = tab.get_by_test_id("stMetricValue").first.inner_text()
        tab.get_by_test_id("stSlider").first.get_by_role("slider").focus()
        for _ in range(20):
            tab.keyboard.press("ArrowRight")
        changed = "before => document.querySelector('[data-testid=stMetricValue]').innerText !== before"
        tab.wait_for_function(changed, arg=before, timeout=90_000)
        assert tab.get_by_test_id("stException").count() == 0
        tab.get_by_text("Take it with you").wait_for(timeout=90_000)
        tab.locator("[data-test-script-state=notRunning]").wait_for(timeout=90_000)  # what is stale is pale
        assert barriers(tab) == []
        tab.get_by_text("中文").click()
        tab.get_by_text("带走").wait_for(timeout=90_000)
        assert tab.get_by_label("目标", exact=True).input_value() == "新增粉丝成交额"
        tab.locator("[data-test-script-state=notRunning]").wait_for(timeout=90_000)  # what is stale is pale
        assert barriers(tab) == []
        for language in ("en", "zh"):
            for width in (1200, 390):
                report = browser.new_page(viewport={"width": width, "height": 900})
                report.on("console", lambda told: errors.append(told.text))
                report.set_content(read_plan(plan_dir).to_html(language))
                assert barriers(report) == []
                assert report.evaluate("document.documentElement.scrollWidth") <= width
        browser.close()
    assert errors == []


def barriers(tab):
    """What axe finds that keeps somebody out: labels, contrast, order of headings ..."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(tab).response["violations"]
    streamlits_own = {"presentation-role-conflict"}  # its upload box is a <section role="presentation">
    return [
        (rule["id"], [node["html"][:200] for node in rule["nodes"]])
        for rule in found
        if rule["id"] not in streamlits_own
    ]


def test_a_link_puts_every_control_back(plan_dir):
    saved = read_plan(plan_dir)
    stand = {"goal": "new_fan_gmv", "budget": 450.0, "target-on": True, "target": 2.0, "place-live": (10, 60)}
    text = links.written(saved, {**stand, "opened": object(), "files": None, "segment-b": (0, 40)})
    assert links.read(text, saved) == {**stand, "segment-b": (0, 40)}
    assert links.read(text, what_if(saved, Choice(200))) is None, "of another plan"


@pytest.mark.parametrize(
    ("said", "held"),
    [
        ({"budget": 1e9}, {"budget": 900.0}),
        ({"budget": "1e9", "place-live": [90, 10], "spread": 0.5}, {"place-live": (10, 90), "spread": 1}),
        (
            {"kept": ["little live", "<b>"], "files": 1, "goal": "ruin", "risk-on": 1},
            {"kept": ["little live"]},
        ),
    ],
)
def test_a_link_is_read_like_anything_from_outside(plan_dir, said, held):
    saved = read_plan(plan_dir)
    packed = zlib.compress(json.dumps({"plan": links.mark_of(saved), **said}).encode())
    assert links.read(base64.urlsafe_b64encode(packed).decode(), saved) == held


@pytest.mark.parametrize(
    "text", ["", "é", "AAAA", base64.urlsafe_b64encode(zlib.compress(b"[" * 99)).decode()]
)
def test_what_is_no_link_is_refused(plan_dir, text):
    assert links.read(text, read_plan(plan_dir)) is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_page_opens_where_a_link_says(page, plan_dir):
    saved = read_plan(plan_dir)
    page.query_params["scenario"] = links.written(saved, {"budget": 600.0, "ticket": 5.0, "kept": []})
    page.run()
    assert not page.exception
    assert page.sidebar.slider[0].value == 600.0
    assert [number.value for number in page.sidebar.number_input if number.key == "ticket"] == [5.0]
    assert page.metric[-1].value == "¥600"
