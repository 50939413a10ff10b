"""The one list of hostile names through every output: nothing runs, nothing is fetched, nothing is forged."""

import contextlib
import csv
import io
import json
import re
from html.parser import HTMLParser

import polars as pl
import pytest
from hostile_names import HOSTILE

import targeting as tg
from models.contracts.cells import BLANKS
from models.contracts.words import fold_name
from models.escaping.media import from_cell, is_printable, printable
from pipelines.cli import app
from pipelines.shell import execute
from pipelines.store.plans import read_plan

# One name in every place that holds one: segment, placement, constraint, campaign, merchant.
# Those that the door takes for one name (blanks, quotes, the mark of a cell) stand for each other.
NAMES = list({fold_name(from_cell(printable(name).strip())): name for name in reversed(HOSTILE)}.values())[
    ::-1
]
ELEMENTS = re.compile(
    "html|head|meta|title|style|body|main|header|section|footer|div|p|span|h[1-4]|[uo]l|li|b|i|a|code|br|em"
    "|strong|small|table|thead|tbody|tfoot|tr|t[hd]|figure|figcaption|d[ltd]|details|summary|svg|g|path|text|rect"
    "|line|defs|circle|clippath|lineargradient|stop|tspan"
)


@pytest.fixture(scope="module")
def curves():
    rows = [
        (name, NAMES[(at + shift) % len(NAMES)], 900.0 + at, 300.0, 0.9)
        for at, name in enumerate(NAMES)
        for shift in (0, 7)
    ]
    columns = ["segment", "placement", "top", "half_spend_cny", "slope"]
    return pl.DataFrame(rows, schema=columns, orient="row")


@pytest.fixture(scope="module")
def brief(curves):
    first = [printable(name).strip() for name in NAMES[:12]]
    limits = [
        {"kind": "bounds", "name": name, "segment": seg, "max_share": 0.02}
        for name, seg in zip(NAMES[:12], first, strict=True)
    ]
    return {"campaign_id": NAMES[0], "budget_cny": 5000, "constraints": limits}


@pytest.fixture(scope="module")
def written(curves, brief, tmp_path_factory):
    """A plan by the command line: its directory, exit status, stdout and stderr."""
    folder = tmp_path_factory.mktemp("hostile")
    curves.write_parquet(folder / "curves.parquet")
    (folder / "brief.yaml").write_text(json.dumps({**brief, "campaign_id": printable(NAMES[0])}))
    arguments = ["plan", "--campaign", folder / "brief.yaml", "--curves", folder / "curves.parquet"]
    arguments += ["--out", folder / "plan", "--tracking-uri", f"sqlite:///{folder}/mlflow.db"]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = execute(app, [str(part) for part in arguments])
    assert code == 0, err.getvalue()
    return folder / "plan", out.getvalue(), f"sqlite:///{folder}/mlflow.db"


class _Page(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.attributes, self.words = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.add(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.words.append(data)


def harmless(text):
    page = _Page(text)
    assert not [element for element in page.elements if not ELEMENTS.fullmatch(element)]
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    refer = [value for name, value in page.attributes if name in ("href", "src", "xlink:href", "action")]
    assert not [value for value in refer if not value.startswith("#")]
    return page


def test_the_report_has_no_element_of_a_strangers_making(written):
    page = harmless((written[0] / "report.html").read_text(encoding="utf-8"))
    assert "<img src=x onerror=alert(1)>" in "".join(page.words)  # it is shown, as text


def test_the_notebook_has_none_either(curves, brief):
    plan = tg.allocate(curves, budget_cny=brief["budget_cny"], constraints=brief["constraints"])
    harmless(plan._repr_html_())
    assert is_printable(str(plan).replace("\n", ""))


def test_no_cell_of_a_csv_is_a_formula_and_every_name_comes_back(written, curves):
    folder = written[0]
    for path in folder.rglob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        text = [cell for cell in cells if not re.fullmatch(r"-?[\d.]+(e[-+]?\d+)?", cell)]
        assert not [cell for cell in text if re.match(r"\s*[=+\-@＝＋－＠]", cell)], path
        assert all(map(is_printable, cells))
    plan = read_plan(folder)
    assert set(plan.allocation["segment"]) == {printable(name).strip(BLANKS) for name in NAMES}


def test_the_last_plan_is_found_under_every_name(written, curves, tmp_path):
    limits = [{"kind": "change_limit", "max_share": 0.1}]
    brief = {"campaign_id": "next", "budget_cny": 5000, "last_plan": str(written[0]), "constraints": limits}
    (tmp_path / "brief.yaml").write_text(json.dumps(brief))
    curves.write_parquet(tmp_path / "curves.parquet")
    arguments = ["plan", "--campaign", tmp_path / "brief.yaml", "--curves", tmp_path / "curves.parquet"]
    arguments += ["--out", tmp_path / "plan", "--tracking-uri", written[2]]
    assert execute(app, [str(part) for part in arguments]) == 0
    before, after = (
        p.allocation.sort("segment", "placement") for p in map(read_plan, (written[0], tmp_path / "plan"))
    )
    change = (after["spend_cny"] - before["spend_cny"]).abs()
    assert (change <= 0.1 * before["spend_cny"] + 0.002).all()


def test_a_terminal_is_told_no_line_and_no_code_of_a_strangers_making(written):
    told = written[1]
    assert all(map(is_printable, told.split("\n")))
    assert "\x1b" not in told
    assert "[/live]" in told or "live" not in told
    assert not [line for line in told.split("\n") if line.startswith("targeting:")]


def test_mlflow_kept_the_run_with_every_price(written):
    import mlflow

    client = mlflow.MlflowClient(written[2])
    run, *_ = client.search_runs([client.get_experiment_by_name("targeting").experiment_id])
    assert run.info.status == "FINISHED"
    assert [name for name in run.data.metrics if name.startswith("shadow_price.")]


def test_check_prints_only_what_can_be_read(tmp_path, capsys):
    rows = [("2020-11-01", name, name, "10", "5") for name in NAMES]
    columns = ["date", "segment", "placement", "cost_cny", "new_fans"]
    pl.DataFrame(rows, schema=columns, orient="row").write_csv(tmp_path / "report\x1b[2J\n.csv")
    for flags in ((), ("--json",)):
        execute(app, ["check", str(tmp_path / "report\x1b[2J\n.csv"), *flags])
        told = capsys.readouterr()
        assert all(map(is_printable, (told.out + told.err).split("\n")))
