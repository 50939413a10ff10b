"""One small plan as people read it, word for word; its file changes on purpose, never to please a test."""

from pathlib import Path

import polars as pl

import targeting as tg

GOLDEN = Path(__file__).parent / "small_plan.txt"
CURVES = pl.DataFrame(
    {
        "segment": ["新手妈妈", "新手妈妈", "students"],
        "placement": ["video", "live", "video"],
        "top": [900.0, 500.0, 700.0],
        "half_spend_cny": [120.0, 60.0, 90.0],
        "slope": [1.0, 1.4, 1.1],
    }
)
LIMIT = {"kind": "bounds", "name": "live at most half", "placement": "live", "max_share": 0.2}


def written():
    plan = tg.allocate(CURVES, budget_cny=300, constraints=[LIMIT])
    cells = [
        f"{row['segment']} / {row['placement']}: {row['spend_cny']:.1f} yuan, {row['reason']}"
        for row in plan.allocation.iter_rows(named=True)
    ]
    questions = [plan.why(row["segment"], row["placement"]) for row in plan.allocation.iter_rows(named=True)]
    prices = [f"{name}: {price:.3f}" for name, price in plan.shadow_prices.items()]
    return "\n".join([str(plan).split("solved")[0], *cells, *questions, *prices]) + "\n"


def test_the_plan_reads_as_it_did():
    assert written() == GOLDEN.read_text(encoding="utf-8")
