"""A case is a target and a seed: damaged input on disk, the command that reads it, what success means."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from pipelines.store.manifest import MANIFEST, seal
from tests.fuzz import damage


@dataclass(frozen=True)
class Case:
    """A command line, and a judge of what it left: why its success is wrong, or nothing."""

    arguments: list[str]
    judge: Callable[[], str] = lambda: ""


def _plan(base: Path, at: Path, **changed: Path) -> Case:
    """`plan` on the base's inputs but for those that are given."""
    source = "delivery" if "delivery" in changed else "curves"
    paths = {"campaign": base / "brief.yaml", "config": base / "plan.yaml", source: base / f"{source}.csv"}
    paths |= changed
    flags = [part for name, path in paths.items() for part in (f"--{name}", str(path))]
    store = f"sqlite:///{base}/mlflow.db"
    return Case(
        ["plan", *flags, "--out", str(at / "out"), "--tracking-uri", store], lambda: _wrong_plan(at / "out")
    )


def _wrong_plan(out: Path) -> str:
    """What a written plan must keep whatever it was asked: the budget, no negative spend, a valid bound."""
    said = json.loads((out / "plan.json").read_text(encoding="utf-8"))
    spend = pl.read_csv(out / "allocation.csv", infer_schema_length=None)["spend_cny"]
    if not 0 <= spend.sum() <= said["budget_cny"] * (1 + 1e-9) + 1e-6 or (spend < 0).any():
        return f"spend {spend.sum()} of {said['budget_cny']}"
    return "" if said["gap"] is None or said["gap"] >= 0 else f"gap {said['gap']}"


def _written(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
    return path


def brief_bytes(rng: random.Random, base: Path, at: Path) -> Case:
    """A brief with bytes damaged."""
    damaged = damage.bytes_(rng, (base / "brief.yaml").read_bytes())
    return _plan(base, at, campaign=_written(at / "brief.yaml", damaged))


def brief_values(rng: random.Random, base: Path, at: Path) -> Case:
    """A brief that is YAML, with values nobody means."""
    damaged = damage.tree(rng, yaml.safe_load((base / "brief.yaml").read_text(encoding="utf-8")))
    return _plan(base, at, campaign=_written(at / "brief.yaml", _dumped(damaged)))


def valid_briefs(rng: random.Random, base: Path, at: Path) -> Case:
    """A brief in which nothing is damaged: what may be asked together has a plan, or an explanation."""
    brief = yaml.safe_load((base / "brief.yaml").read_text(encoding="utf-8"))
    budget = brief["budget_cny"] = round(10 ** rng.uniform(1, 6), 2)
    brief["constraints"] = [_constraint(rng, budget) for _ in range(rng.choice((1, 3, 8, 40)))]
    brief["objective"] = rng.choice(("new_fan_gmv", "profit"))
    return _plan(base, at, campaign=_written(at / "brief.yaml", _dumped(brief)))


def _constraint(rng: random.Random, budget: float) -> dict[str, Any]:
    cells: dict[str, Any] = {"segment": rng.sample("ABC", rng.randint(1, 3))}
    cells |= {"placement": rng.choice(("video", "live"))} if rng.random() < 0.5 else {}
    share = 10 ** rng.uniform(-4, 0)
    return rng.choice(
        (
            {"kind": "bounds", **cells, "max_cny": share * budget},
            {"kind": "bounds", **cells, "min_cny": 0.1 * share * budget},
            {"kind": "bounds", **cells, "max_share": share, "each": "segment"},
            {"kind": "min_if_used", **cells, "min_cny": 0.2 * share * budget},
            {"kind": "max_active", **cells, "n": rng.randint(1, 6)},
            {"kind": "ratio", "of": {"segment": "A"}, "to": {"placement": "live"}, "max": 100 * share},
            {"kind": "roi_floor", **cells, "min": 3 * share},
            {"kind": "marginal_floor", **cells, "min": share},
        )
    )


def config(rng: random.Random, base: Path, at: Path) -> Case:
    """Settings with bytes or values damaged."""
    text = (base / "plan.yaml").read_text(encoding="utf-8")
    if rng.random() < 0.5:
        return _plan(base, at, config=_written(at / "plan.yaml", damage.bytes_(rng, text.encode())))
    return _plan(base, at, config=_written(at / "plan.yaml", _dumped(damage.tree(rng, yaml.safe_load(text)))))


def _dumped(value: Any) -> str:
    return str(yaml.safe_dump(value, allow_unicode=True))


def curves(rng: random.Random, base: Path, at: Path) -> Case:
    """Supplied curves with cells, headers or bytes damaged."""
    damaged = damage.table(rng, (base / "curves.csv").read_text(encoding="utf-8"))
    return _plan(base, at, curves=_written(at / "curves.csv", damaged))


def delivery(rng: random.Random, base: Path, at: Path) -> Case:
    """A console's report, checked; one in eight planned from."""
    damaged = damage.table(rng, (base / "delivery.csv").read_text(encoding="utf-8"))
    path = _written(at / "delivery.csv", damaged)
    return _plan(base, at, delivery=path) if rng.random() < 0.125 else Case(["check", str(path)])


def tables(rng: random.Random, base: Path, at: Path) -> Case:
    """A data directory with one table damaged as text."""
    name = rng.choice(("users", "exposures", "orders"))
    text = (base / "tables" / f"{name}.csv").read_text(encoding="utf-8")
    shutil.copytree(base / "tables", at / "data")
    lines = text.splitlines(keepends=True)
    start = rng.randrange(1, max(len(lines) - 200, 2))
    _written(at / "data" / f"{name}.csv", damage.table(rng, "".join([lines[0], *lines[start : start + 200]])))
    return Case(["check", str(at / "data")])


def parquet_bytes(rng: random.Random, base: Path, at: Path) -> Case:
    """A data directory with the bytes of one Parquet table damaged."""
    name = rng.choice(("users", "exposures", "orders"))
    (at / "data").mkdir(parents=True)
    for table in ("users", "exposures", "orders"):
        shutil.copy(base / "world" / f"{table}.parquet", at / "data")
    path = at / "data" / f"{name}.parquet"
    _written(path, damage.bytes_(rng, path.read_bytes()))
    return Case(["check", str(at / "data")])


def _damaged_text(rng: random.Random, data: bytes, suffix: str) -> bytes:
    if suffix == ".json" and rng.random() < 0.6:
        return json.dumps(damage.tree(rng, json.loads(data))).encode("utf-8", "surrogatepass")
    if suffix == ".csv" and rng.random() < 0.6:
        return damage.table(rng, data.decode())
    return damage.bytes_(rng, data)


def saved_plans(rng: random.Random, base: Path, at: Path) -> Case:
    """A plan directory with one file damaged, four of five sealed anew; judged by a report or launched."""
    shutil.copytree(base / "plan", at / "plan")
    if sealed := rng.random() < 0.2:
        names = [
            path for path in sorted((at / "plan").iterdir()) if path.is_file() and path.suffix != ".html"
        ]
    else:
        names = [at / "plan" / name for name in ("plan.json", "market.json", "allocation.csv", "curves.csv")]
    path = rng.choice(names)
    before = path.read_bytes()
    _written(path, _damaged_text(rng, before, path.suffix))
    if not sealed:
        (at / "plan" / MANIFEST).unlink()
        seal(at / "plan")
    same = path.read_bytes() == before or not sealed or path.name.startswith(".")
    store = ["--plan", str(at / "plan"), "--tracking-uri", f"sqlite:///{base}/mlflow.db"]
    arguments = ["evaluate", "--data", str(base / "after"), *store]
    if rng.random() < 0.5:
        arguments = ["export", "--format", "kuaishou", "--out", str(at / "out"), *store]
    return Case(arguments, lambda: "" if same else f"{path.name} was edited under its seal")


def models(rng: random.Random, base: Path, at: Path) -> Case:
    """A model's folder with one text file damaged: scores are those of the model, or there are none."""
    shutil.copytree(base / "model", at / "model")
    path = rng.choice(sorted((at / "model").iterdir()))
    _written(path, _damaged_text(rng, path.read_bytes(), path.suffix))
    store = ["--tracking-uri", f"sqlite:///{base}/mlflow.db"]
    arguments = [
        "score",
        "--data",
        str(base / "tables"),
        "--model",
        str(at / "model"),
        "--out",
        str(at / "out"),
    ]

    def finite() -> str:
        found = pl.read_parquet(at / "out" / "scores.parquet").select(pl.col(pl.Float64))
        held = found.select((pl.all().is_null() | pl.all().is_finite()).all()).row(0)
        return "" if all(held) else "scores that are no numbers"

    return Case([*arguments, *store], finite)


TARGETS = {
    "brief-bytes": brief_bytes,
    "brief-values": brief_values,
    "valid-briefs": valid_briefs,
    "config": config,
    "curves": curves,
    "delivery": delivery,
    "tables": tables,
    "parquet-bytes": parquet_bytes,
    "saved-plans": saved_plans,
    "models": models,
}


def make(target: str, seed: int, *, base: Path, at: Path) -> Case:
    """The case of a seed, its files below `at`."""
    return TARGETS[target](random.Random(f"{target}-{seed}"), base, at)
