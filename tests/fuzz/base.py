"""What is damaged: a small shop's tables, brief, curves, report, plan, model and settings, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import yaml

from models.audience.model import AudienceModel
from pipelines.cli import app
from pipelines.shell import execute

BRIEF = {
    "campaign_id": "c-1",
    "objective": "new_fan_gmv",
    "starts_at": "2020-11-11T00:00:00",
    "days": 2,
    "horizon_days": 30,
    "budget_cny": 2000,
    "placements": ["video", "live"],
    "merchant": {
        "merchant_id": "m1",
        "category": "jewellery",
        "opened_on": "2018-03-01",
        "fans": 1000,
        "stars": 4.7,
    },
    "economics": {"gross_margin": 0.45, "fee_rate": 0.05},
    "constraints": [
        {"kind": "bounds", "name": "live share", "placement": "live", "min_share": 0.2},
        {"kind": "bounds", "segment": ["A", "B"], "max_cny": 1500},
        {"kind": "max_active", "n": 5},
        {"kind": "ratio", "of": {"segment": "A"}, "to": {"segment": "B"}, "max": 3.0},
        {"kind": "roi_floor", "min": 0.1},
    ],
    "min_ticket_cny": 10,
    "slots": {"count": 1},
}
SETTINGS = {"gap_tol": 1e-4, "time_limit_s": 0.5, "draws": 20, "seed": 7, "max_rejected_share": 0.05}
PEOPLE = 400


def make(folder: Path) -> Path:
    """Everything below `folder`, unless it is there: CSV and Parquet tables, a plan and a model."""
    if (folder / "done").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    store = ["--tracking-uri", f"sqlite:///{folder}/mlflow.db"]
    _run("simulate", "--out", folder / "world", "--users", PEOPLE, "--seed", 5)
    (folder / "tables").mkdir()
    for name in ("users", "exposures", "orders"):
        pl.read_parquet(folder / "world" / f"{name}.parquet").write_csv(folder / "tables" / f"{name}.csv")
    cells = [(s, p) for s in ("A", "B", "C") for p in ("video", "live")]
    curves = [(s, p, 900.0 + 100 * i, 300.0 + 50 * i, 0.9) for i, (s, p) in enumerate(cells)]
    names = ["segment", "placement", "top", "half_spend_cny", "slope"]
    pl.DataFrame(curves, schema=names, orient="row").write_csv(folder / "curves.csv")
    _report(range(1, 9), cells).write_csv(folder / "delivery.csv")
    (folder / "after").mkdir()
    _report(range(11, 13), cells).write_csv(folder / "after" / "delivery.csv")
    (folder / "brief.yaml").write_text(yaml.safe_dump(BRIEF, allow_unicode=True), encoding="utf-8")
    (folder / "plan.yaml").write_text(yaml.safe_dump(SETTINGS), encoding="utf-8")
    brief = ["--campaign", folder / "brief.yaml", "--config", folder / "plan.yaml", *store]
    _run("plan", *brief, "--delivery", folder / "delivery.csv", "--out", folder / "plan")
    _write_model(folder / "model")
    _run(
        "score", "--data", folder / "tables", "--model", folder / "model", "--out", folder / "scores", *store
    )
    (folder / "done").touch()
    return folder


def _report(days: range, cells: list[tuple[str, str]]) -> pl.DataFrame:
    rows = [
        (f"2020-11-{day:02d}", s, p, 100.0 + 10 * day, 900 + 80 * day, 20 + day, 150.0 + 9 * day)
        for day in days
        for s, p in cells
    ]
    names = ["date", "segment", "placement", "cost_cny", "impressions", "new_fans", "gmv_cny"]
    return pl.DataFrame(rows, schema=names, orient="row")


def _write_model(folder: Path) -> None:
    """The text files of an audience model, as `registry.load` reads them from a plain folder."""
    from known_truth import make_logs

    logs = make_logs(users=1500, seed=2, base=0.01)
    placements = ("video", "live")
    model = AudienceModel.fit(
        logs, placements=placements, as_of=logs.as_of, horizon_days=30, seed=1, threads=1
    )
    folder.mkdir()
    for name, text in model.to_files().items():
        (folder / name).write_text(text, encoding="utf-8")


def _run(*arguments: object) -> None:
    if code := execute(app, [str(part) for part in arguments]):
        raise RuntimeError(f"the undamaged {arguments[0]} ended in {code}")
