"""What a media-mix library's own optimiser proposes, beside the certified split on the same curves.

    python examples/bring-your-mmm/compare.py out/pymc out/meridian out/robyn

Reads the `curves.csv` and `proposals.json` that the `from_*.py` wrote, runs `targeting plan --curves` for
each budget, and prints one row each. Both splits are worth what the exported curves say, straight lines
between their points; the last three columns are what is really true of the simulated shop.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
import yaml
from bridge import LEVELS, PLACEMENT
from shop import HORIZON_WEEKS, true_sales_cny

import targeting as tg


def value_cny(curves: pl.DataFrame, split_cny: Mapping[str, float]) -> float:
    """Sales of a split on the exported curves: straight lines between points, flat after the last."""
    total = 0.0
    for (channel,), rows in curves.sort("spend_cny").group_by("segment", maintain_order=True):
        total += float(np.interp(split_cny.get(str(channel), 0.0), rows["spend_cny"], rows["value"]))
    return total


def limits(caps_cny: Mapping[str, float]) -> list[dict[str, object]]:
    """Each channel up to its cap, as the library was told."""
    return [
        {"kind": "bounds", "name": f"cap {channel}", "segment": channel, "max_cny": cap}
        for channel, cap in caps_cny.items()
    ]


def true_best_cny(budget_cny: float, caps_cny: Mapping[str, float]) -> float:
    """Sales of the best split of all, had the shop's true curves been known."""
    points = [
        {"segment": name, "placement": PLACEMENT, "spend_cny": x, "value": true_sales_cny({name: x})}
        for name in caps_cny
        for x in np.linspace(0.0, caps_cny[name], LEVELS).tolist()
    ]
    return tg.allocate(pl.DataFrame(points), budget_cny=budget_cny, constraints=limits(caps_cny)).value


def brief(budget_cny: float, caps_cny: Mapping[str, float]) -> dict[str, object]:
    """The quarter's money under the limits that the library was given."""
    return {
        "campaign_id": "quarter-ahead",
        "objective": "new_fan_gmv",
        "days": 7 * HORIZON_WEEKS,
        "budget_cny": budget_cny,
        "placements": [PLACEMENT],
        "constraints": limits(caps_cny),
    }


def planned(folder: Path, budget_cny: float, caps_cny: Mapping[str, float]) -> tuple[dict, dict[str, float]]:
    """plan.json and the split of `targeting plan --curves`."""
    path, out = folder / f"brief-{budget_cny:.0f}.yaml", folder / f"plan-{budget_cny:.0f}"
    path.write_text(yaml.safe_dump(brief(budget_cny, caps_cny)), encoding="utf-8")
    command = ["plan", "--campaign", path, "--curves", folder / "curves.csv", "--out", out]
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", *map(str, command)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    allocation = pl.read_csv(out / "allocation.csv")
    split = dict(allocation.select("segment", "spend_cny").iter_rows())
    return json.loads((out / "plan.json").read_text(encoding="utf-8")), split


def compared(folder: Path) -> list[dict[str, object]]:
    """One row per budget of one library."""
    exported = json.loads((folder / "proposals.json").read_text(encoding="utf-8"))
    curves = pl.read_csv(folder / "curves.csv")
    rows = []
    for proposal in exported["proposals"]:
        theirs, budget, caps = proposal["split_cny"], proposal["budget_cny"], exported["caps_cny"]
        plan, ours = planned(folder, budget, caps)
        value, bound = value_cny(curves, theirs), plan["upper_bound"]
        rows.append({
            "library": exported["library"],
            "budget": round(budget),
            "their value": round(value),
            "their word": proposal["message"],
            "read": (value - proposal["promised_cny"]) / bound,
            "their use": sum(theirs.values()) / budget,
            "our value": round(plan["value"]),
            "our use": plan["spend_cny"] / budget,
            "our bound": round(bound),
            "our gap": plan["gap"],
            "they miss": 1.0 - value / bound,
            "true, theirs": round(true_sales_cny(theirs)),
            "true, ours": round(true_sales_cny(ours)),
            "true, best": round(true_best_cny(budget, caps)),
        })  # fmt: skip
    return rows


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+", help="what a from_*.py wrote with --out")
    parser.add_argument("--table", type=Path, help="also write the table, as CSV")
    arguments = parser.parse_args()
    table = pl.DataFrame([row for folder in arguments.folders for row in compared(folder)])
    if arguments.table is not None:
        table.write_csv(arguments.table)
    with pl.Config(
        tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True, tbl_cols=-1, tbl_rows=-1,
        tbl_width_chars=260, fmt_str_lengths=40,
    ):  # fmt: skip
        print(table)


if __name__ == "__main__":
    main()
