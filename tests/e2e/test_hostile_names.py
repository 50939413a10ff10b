"""The one list of hostile names through every output: nothing runs, nothing is fetched, nothing is forged."""

import contextlib
import csv
import io
import json
import re
import shutil
import subprocess
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

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
from pipelines.store.tables import read_table

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
OFFICE = shutil.which("soffice")
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


def commanded(*arguments):
    """The command line in this process: what it printed; exit 0 is demanded."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = execute(app, [str(part) for part in arguments])
    assert code == 0, err.getvalue()
    assert all(map(is_printable, out.getvalue().split("\n")))
    assert not err.getvalue()
    return out.getvalue()


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
    told = commanded(*arguments, "--out", folder / "plan", "--tracking-uri", f"sqlite:///{folder}/mlflow.db")
    return folder / "plan", told, f"sqlite:///{folder}/mlflow.db"


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


def refuse_formulas(cells):
    text = [cell for cell in cells if cell and not re.fullmatch(r"-?[\d.]+(e[-+]?\d+)?", cell)]
    assert not [cell for cell in text if re.match(r"\ufeff?\s*[=+\-@＝＋－＠]", cell)]
    assert all(is_printable(cell.removeprefix("\ufeff")) for cell in text)


@pytest.fixture(scope="module")
def launched(written, tmp_path_factory):
    """What is uploaded to a console for the hostile plan, with every minimum taken away."""
    folder = tmp_path_factory.mktemp("launch")
    low = "minimums: {campaign_day_cny: 0.01, unit_day_cny: 0.01}\n"
    (folder / "export.yaml").write_text(low)
    common = ("--plan", written[0], "--config", folder / "export.yaml", "--tracking-uri", written[2])
    for form in ("kuaishou", "xlsx"):
        commanded("export", *common, "--format", form, "--out", folder / form)
    return folder


def test_a_launch_sheet_is_text_in_every_cell(launched, written):
    funded = read_plan(written[0]).allocation.filter(pl.col("spend_cny") > 0)
    for path in sorted(launched.rglob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            refuse_formulas([cell for row in csv.reader(file) for cell in row])
    books = sorted(launched.rglob("*.xlsx"))
    assert len(books) == 2
    for path in books:
        with zipfile.ZipFile(path) as book:
            assert {*book.namelist()} == {
                "[Content_Types].xml",
                "_rels/.rels",
                "xl/_rels/workbook.xml.rels",
                "xl/workbook.xml",
                "xl/worksheets/sheet1.xml",
            }
            sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
        kinds = {element.tag.partition("}")[2] for element in sheet.iter()}
        looks = {"sheetViews", "sheetView", "pane", "cols", "col"}
        assert kinds == {"worksheet", "sheetData", "row", "c", "v", "is", "t"} | looks  # no f, no hyperlink
        cells = [cell.text or "" for cell in sheet.iter() if cell.tag.endswith("}t")]
        refuse_formulas(cells)
        found = read_table(path)
        assert found.height == funded.height
    said = json.loads((launched / "kuaishou/export.json").read_text(encoding="utf-8"))
    assert {unit["segment"] for unit in said["units"]} == set(funded["segment"])


def cells_of(path):
    """The one sheet of a workbook as it is written: rows of texts and numbers, None for an empty cell."""
    with zipfile.ZipFile(path) as book:
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    space = "{" + sheet.tag[1:].partition("}")[0] + "}"
    for row in sheet.iter(f"{space}row"):
        cells = [(cell.find(f"{space}v"), cell.findtext(f".//{space}t")) for cell in row]
        yield [text or "" if number is None else float(number.text) for number, text in cells]


@pytest.mark.slow
def test_an_office_program_shows_what_was_written(launched, tmp_path):
    """LibreOffice reads each sheet and writes it out again as it understood it."""
    if OFFICE is None:
        pytest.skip("needs LibreOffice (libreoffice-calc-nogui)")
    as_shown = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false"  # UTF-8, texts quoted
    for folder in ("kuaishou", "xlsx"):
        book = launched / folder / "units.xlsx"
        command = [OFFICE, f"-env:UserInstallation={(tmp_path / 'home').as_uri()}", "--headless"]
        command += ["--convert-to", as_shown, "--outdir", tmp_path / folder, book]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        with (tmp_path / folder / "units.csv").open(encoding="utf-8-sig", newline="") as file:
            shown = list(csv.reader(file))
        written = list(cells_of(book))
        assert len(shown) == len(written) > 1
        for seen, meant in zip(shown, written, strict=True):
            assert [
                float(s) if isinstance(m, float) else s for s, m in zip(seen, meant, strict=True)
            ] == meant


def test_an_evaluation_is_as_harmless_as_the_plan(written, launched, tmp_path):
    (tmp_path / "data").mkdir()
    rows = read_plan(written[0]).allocation.filter(pl.col("spend_cny") > 0)
    report = rows.select(
        pl.lit("2020-11-11").alias("date"), "segment", "placement", "spend_cny", pl.lit(3).alias("new_fans"),
        pl.lit(90.0).alias("gmv_cny"),
    )  # fmt: skip
    report.rename({"spend_cny": "cost_cny"}).write_parquet(tmp_path / "data/delivery.parquet")
    common = ("--plan", written[0], "--data", tmp_path / "data", "--tracking-uri", written[2])
    commanded("evaluate", *common, "--out", tmp_path / "judged")
    harmless((tmp_path / "judged/evaluation.html").read_text(encoding="utf-8"))
    tables = sorted((tmp_path / "judged").glob("*.csv"))
    assert tables
    for path in tables:
        with path.open(encoding="utf-8", newline="") as file:
            refuse_formulas([cell for row in csv.reader(file) for cell in row])


def test_people_are_assigned_under_every_name(written, tmp_path):
    (tmp_path / "people").mkdir()
    offers = pl.DataFrame(
        [(f"u{at}-{turn}", name, 2.0 + turn, 1.0) for at, name in enumerate(NAMES) for turn in (0, 1)],
        schema=["user_id", "placement", "worth", "cost_cny"],
        orient="row",
    )
    offers.write_parquet(tmp_path / "people/offers.parquet")
    (tmp_path / "brief.yaml").write_text(json.dumps({"campaign_id": "c", "budget_cny": len(NAMES)}))
    common = ("--campaign", tmp_path / "brief.yaml", "--tracking-uri", written[2])
    told = commanded("assign", "--scores", tmp_path / "people", *common, "--out", tmp_path / "lists")
    assert "\x1b" not in told
    chosen = pl.read_parquet(tmp_path / "lists/assignment/*.parquet")
    assert chosen.height == len(NAMES)
    assert all(map(is_printable, chosen["placement"]))


@pytest.fixture
def browser():
    """A real browser; `ran` is what a page made it do beside showing text."""
    if not Path(CHROMIUM).exists():
        pytest.skip("needs chromium")
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


def watched_tab(browser, ran, *, home):
    """A tab; dialogs and whatever is asked of anybody but `home` are noted in `ran`."""
    tab = browser.new_page()
    tab.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))
    tab.on("request", lambda asked: ran.append(asked.url) if not asked.url.startswith(home) else None)
    return tab


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_real_browser_runs_and_fetches_nothing_of_a_report(written, browser):
    ran, page = [], (written[0] / "report.html").as_uri()
    tab = watched_tab(browser, ran, home=page)
    tab.goto(page)
    for drawer in tab.locator("summary").all():
        drawer.click()
    tab.wait_for_timeout(500)
    assert "<img src=x onerror=alert(1)>" in tab.inner_text("body")
    assert ran == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_page_shows_names_as_text(written, browser, page_of):
    ran = []
    with page_of(written[0]) as home:
        tab = watched_tab(browser, ran, home=(home, home.replace("http", "ws"), "data:", "blob:"))
        tab.goto(home)
        tab.get_by_text("Take it with you").wait_for(timeout=90_000)  # the last of it
        tab.get_by_text("<img src=x onerror=alert(1)>").first.wait_for(state="attached", timeout=90_000)
        tab.wait_for_timeout(1500)
        assert tab.locator("img[src=x], img[src*=fetch], a[href*=fetch], [onerror], [onload]").count() == 0
        assert tab.get_by_test_id("stException").count() == 0
    assert ran == []
