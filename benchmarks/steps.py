"""Share of each command's time before each of its steps, on a demo: the numbers of `progress.USUAL`.

    targeting demo --out demo && python -m benchmarks.steps demo

Needs the demo's directory, and the MLflow store it was logged to.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

from benchmarks.page_moves import report


def commands(demo: Path, out: Path) -> dict[str, list[str]]:
    """What is run: each command on the demo's own files."""
    data, plan, brief = demo / "data", demo / "plan", out / "brief.yaml"
    written = (data / "campaign.yaml").read_text(encoding="utf-8")
    brief.write_text(re.sub("2020-11-11", "2020-11-09", written), encoding="utf-8")  # a day that was logged
    told = json.loads((plan / "plan.json").read_text(encoding="utf-8"))
    products = out / "products.csv"
    rows = "".join(f"p{i},{10 + i},{0.01 + i / 5000},{100 + i}\n" for i in range(200))
    products.write_text(f"product_id,price_cny,conversion,stock\n{rows}", encoding="utf-8")
    low = out / "low.yaml"
    low.write_text(
        "minimums: {unit_day_cny: 1, campaign_day_cny: 1}\npacks: {code: plain}\n", encoding="utf-8"
    )
    delivery = out / "report.csv"
    delivery.write_text(report(8), encoding="utf-8")
    used = ["--data", str(data)]
    return {
        "train": ["train", *used],
        "score": ["score", *used, "--model", told["model_uri"], "--out", str(out / "scores")],
        "plan": ["plan", *used, "--scores", str(out / "scores"), "--campaign", str(brief)],
        "assign": ["assign", "--scores", str(out / "scores"), "--campaign", str(brief), "--plan", str(plan)],
        "evaluate": ["evaluate", *used, "--plan", str(out / "plan"), "--trained-on", str(data)],
        "export": ["export", "--plan", str(plan), "--format", "kuaishou", "--config", str(low)],
        "products": ["products", "--plan", str(plan), "--products", str(products)],
        "backtest": ["backtest", *used, "--campaign", str(brief)],
        "plan of a report": ["plan", "--delivery", str(delivery), "--campaign", str(brief)],
        "run": ["run", *used, "--campaign", str(brief), "--json"],
        "replay": ["replay", "{run_id}"],
    }


def shares(command: list[str], out: Path) -> tuple[dict[str, float], str]:
    """Step -> share of the time before it, from the lines of JSON that the command says of itself; stdout."""
    bare = (
        command
        if "--out" in command or command[0] in ("train", "backtest")
        else [*command, "--out", str(out)]
    )
    env = {**os.environ, "TARGETING_LOG": "json"}
    done = subprocess.run([sys.executable, "-m", "pipelines", *bare], env=env, capture_output=True, text=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    if done.returncode:
        return {lines[-1].get("message", "?"): float("nan")}, ""
    at = [datetime.fromisoformat(line["at"]) for line in lines]
    whole = (at[-1] - at[0]).total_seconds()
    before = {
        line["step"]: (moment - at[0]).total_seconds() / whole
        for line, moment in zip(lines, at, strict=True)
        if line["event"] == "step"
    }
    return {"seconds": whole, **before}, done.stdout


def main() -> None:
    """Print a line for each command."""
    demo = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        out, run_id = Path(name), ""
        for command, asked in commands(demo, out).items():
            told, said = shares([part.format(run_id=run_id) for part in asked], out / command)
            run_id = json.loads(said)["run_id"] if command == "run" else run_id
            sys.stdout.write(
                f"{command}: {', '.join(f'{step} {share:.3g}' for step, share in told.items())}\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
