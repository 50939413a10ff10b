"""examples/bring-your-mmm: curves of media-mix libraries through `targeting plan --curves`.

The library's own part runs where it is importable, or in the interpreter that an environment variable names;
the rest is tested always.
"""

import importlib
import os
import subprocess
import sys
from importlib.util import find_spec
from math import sqrt
from pathlib import Path

import numpy as np
import polars as pl
import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "bring-your-mmm"
PEERS = {
    "from_pymc_marketing": ("pymc-marketing", "pymc_marketing", "PYMC_MARKETING_PYTHON"),
    "from_meridian": ("google-meridian", "meridian", "MERIDIAN_PYTHON"),
    "from_robyn": ("robynpy", "robyn", "ROBYN_PYTHON"),
}


@pytest.fixture
def example(monkeypatch):
    """Imports modules of the example, which leave with the test: their names are everyday words."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    before = set(sys.modules)
    yield importlib.import_module
    for name in {"shop", "bridge", "compare"} & (set(sys.modules) - before):
        del sys.modules[name]


def compared(folder):
    out = folder.parent / f"{folder.name}.csv"
    command = [sys.executable, str(EXAMPLE / "compare.py"), str(folder), "--table", str(out)]
    done = subprocess.run(command, cwd=folder.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return pl.read_csv(out)


def best_of_two(budget, shapes):
    """Spends at which top half / (half + spend)^2 is the same for all: half + spend ~ sqrt(top half)."""
    weight = {c: sqrt(top * half) for c, (top, half) in shapes.items()}
    level = (budget + sum(half for _, half in shapes.values())) / sum(weight.values())
    return {c: weight[c] * level - half for c, (_, half) in shapes.items()}


def test_exported_curves_are_planned_to_the_closed_form_optimum(example, tmp_path):
    bridge, shop = example("bridge"), example("shop")
    shapes = {"video": (900.0, 400.0), "live": (400.0, 100.0)}

    def sales(channel, spend):
        top, half = shapes[channel]
        return top * spend / (spend + half)

    budget, cap = 700.0, 1000.0
    spend = np.linspace(0.0, cap, bridge.LEVELS)
    best = best_of_two(budget, shapes)
    assert best == pytest.approx({"video": 500.0, "live": 200.0}), "1.5 x 600 - 400 and 1.5 x 200 - 100"
    equal = dict.fromkeys(shapes, budget / 2)
    worth = {name: sum(sales(c, x) for c, x in split.items()) for name, split in (("b", best), ("e", equal))}
    weekly = shop.Weekly(
        weeks=[shop.FIRST_WEEK],
        spend_cny=dict.fromkeys(shapes, np.full(1, cap / 2 / shop.HORIZON_WEEKS)),
        sales_cny=np.zeros(1),
    )
    assert weekly.caps_cny() == pytest.approx(dict.fromkeys(shapes, cap))
    folder = tmp_path / "exported"
    folder.mkdir()
    bridge.write_curves(folder / "curves.csv", {c: (spend, sales(c, spend)) for c in shapes})
    proposals = [bridge.Proposal(budget, equal, worth["e"], "an equal split")]
    bridge.write_proposals(folder / "proposals.json", library="none", weekly=weekly, proposals=proposals)
    (row,) = compared(folder).iter_rows(named=True)
    assert row["our value"] == pytest.approx(worth["b"], abs=0.5)
    assert row["our gap"] <= 1e-6
    assert row["our use"] == pytest.approx(1.0, abs=1e-6)
    assert row["they miss"] == pytest.approx(1.0 - worth["e"] / worth["b"], abs=1e-3)
    assert row["they miss"] > 0.01, "an equal split is told from the best one"
    assert abs(row["read"]) <= 1e-3


def test_the_shop_sells_what_its_formula_says(example):
    shop = example("shop")
    search = shop.CHANNELS["search"]
    assert search.carry == 0
    week = 9_000.0
    by_hand = shop.HORIZON_WEEKS * search.top_cny * week / (week + search.half_cny)
    assert shop.true_sales_cny({"search": shop.HORIZON_WEEKS * week}) == pytest.approx(by_hand)
    almost_linear = shop.Channel(week_cny=1.0, top_cny=3e9, half_cny=1e9, slope=1.0, carry=0.5)
    spend = np.concatenate([[8.0, 0.0, 2.0], np.zeros(60)])
    assert almost_linear.sales(spend).sum() == pytest.approx(30.0), "what carries over is nothing more"
    assert almost_linear.sales(spend)[:2] == pytest.approx([12.0, 6.0])


def interpreter(peer):
    """Where the library can be imported; skips, saying so, where that is nowhere."""
    package, module, variable = PEERS[peer]
    if variable in os.environ:
        return os.environ[variable]
    if find_spec(module) is None:
        pytest.skip(f"{package} is not installed here, and {variable} names no interpreter that has it")
    return sys.executable


@pytest.mark.slow
@pytest.mark.parametrize("peer", PEERS)
def test_curves_of_a_fitted_library_are_planned_with_a_certificate(peer, tmp_path):
    python, folder = interpreter(peer), tmp_path / peer
    command = [python, str(EXAMPLE / f"{peer}.py"), "--out", str(folder)]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    table = compared(folder)
    assert len(table) == 3
    assert table["read"].abs().max() <= 1e-3, "the curves say what the library says"
    assert table["our gap"].max() <= 1e-6
    assert (table["their use"] <= 1 + 1e-3).all()
    assert (table["their value"] <= table["our bound"] * (1 + 1e-3)).all(), "nobody beats the bound"
