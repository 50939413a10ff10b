"""The examples on real data; skipped, saying so, where the data are absent."""

import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(example, data, out):
    command = [sys.executable, str(EXAMPLES / example / "run.py"), str(data), "--out", str(out)]
    done = subprocess.run(command, cwd=out.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_kag_moves_money_to_the_cheapest_conversions(shared_data, tmp_path):
    source = shared_data / "kag" / "KAG_conversion_data.csv"
    run("kag", source, tmp_path / "kag")
    before = pl.read_csv(tmp_path / "kag" / "delivery.csv").group_by("segment").agg(pl.sum("cost_cny"))
    after = pl.read_csv(tmp_path / "kag" / "plan" / "allocation.csv")
    share_before = dict(before.with_columns(pl.col("cost_cny") / pl.sum("cost_cny")).iter_rows())
    share_after = dict(after.select("segment", pl.col("spend_cny") / pl.sum("spend_cny")).iter_rows())
    assert share_after["30-34 M"] > 1.5 * share_before["30-34 M"]
    assert share_after["30-34 M"] < 0.9, "diminishing returns keep it from taking everything"
    assert share_after["45-49 F"] < share_before["45-49 F"]


@pytest.mark.slow
def test_hillstrom_is_planned_and_judged_on_the_held_out_half(shared_data, tmp_path):
    printed = run("hillstrom", shared_data / "hillstrom" / "hillstrom.csv", tmp_path / "hillstrom")
    rows = {line[:30].strip(): [float(x) for x in line[30:].split()] for line in printed.splitlines()[-4:]}
    assert set(rows) == {"the plan", "all mens_email", "all womens_email", "all none"}
    customers = pl.read_csv(shared_data / "hillstrom" / "hillstrom.csv", infer_schema_length=None)[1::2]
    none = customers.filter(pl.col("segment") == "No E-Mail")
    assert rows["all none"][0] == pytest.approx(none["visit"].mean(), rel=0.05)
    visits, net, error, _, _ = rows["the plan"]
    assert visits > rows["all none"][0]
    assert net > rows["all none"][1] - 2 * error
    assert (tmp_path / "hillstrom" / "plan" / "report.html").exists()


def test_ipinyou_budgets_are_split_as_the_exact_optimum_would(shared_data, tmp_path):
    source = shared_data / "ipinyou"
    if not source.is_dir():
        pytest.skip("needs iPinYou's price histograms in ../shared/data/ipinyou, which are absent")
    out = tmp_path / "ipinyou.csv"
    run("ipinyou", source, out)
    table = pl.read_csv(out)
    assert len(table) == 5
    assert table["loss"].abs().max() <= 1e-4, "within 1e-4 of buying the cheapest impressions first"
    assert table["certified_gap"].max() <= 1e-6
    assert (table["loss"] <= table["certified_gap"] + 1e-9).all(), "the certificate covers the true loss"
    assert table["equal_split_loss"].min() > 0.02


def test_the_account_of_a_day_says_what_its_page_says():
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "account" / "run.py")],
        cwd=EXAMPLES.parent,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    page = (EXAMPLES / "account" / "README.md").read_text("utf-8")
    for figure in re.findall(r"\d[\d,]*\.?\d*%?", done.stdout.split("gap")[0]):
        assert figure.rstrip(",.") in page, figure
