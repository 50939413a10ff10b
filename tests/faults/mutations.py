"""Model folders and plan directories after small accidents: refused in words, or used and finite.

    python -m tests.faults.mutations --models 250 --plans 620 [--seed 0]

Each case edits one file: bytes, digits, or a value somewhere in its JSON. Half keep their seal, and must be
refused; in the other half the seal is made new, as somebody would who means it: then what the files say is
refused, or everything that a job does with them ends in finite numbers.
"""

from __future__ import annotations

import argparse
import collections
import json
import random
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from models.errors import CampaignError, DataError, InfeasibleError
from models.rates.boosting import Grower
from models.rates.likelihood import HazardRows
from models.sealed_files import SEAL, with_seal
from pipelines.store import atomic_directory
from pipelines.store.manifest import MANIFEST, seal
from pipelines.store.plans import read_plan, write_plan
from targeting.campaign import parse_campaign
from targeting.planner import Planner
from targeting.world import simulate

WORDS: tuple[object, ...] = (
    None,
    -1,
    0,
    1e300,
    -1e300,
    10**30,
    1.5,
    "x",
    "inf",
    "nan",
    [],
    {},
    True,
    [1.0],
    "",
)
REFUSALS = (DataError, CampaignError, InfeasibleError)


@dataclass(frozen=True)
class Originals:
    """What is edited, and who is scored: a plan directory, the files of its model, users and brief."""

    plan: Path
    model: dict[str, str]
    users: pl.DataFrame
    brief: dict[str, object]


def make_originals(folder: Path) -> Originals:
    """A small merchant's model, with trees in it, and plan."""
    world = simulate("jewellery", users=1200, seed=5)
    tables = {"users": world.users, "exposures": world.exposures, "orders": world.orders}
    brief = parse_campaign(dict(world.campaign))
    planner = Planner.fit(tables, campaign=brief, threads=1, n_draws=10, min_audience=100)
    plan = planner.plan(brief, planner.audience(world.users))
    with atomic_directory(folder / "plan") as made:
        write_plan(
            plan,
            made,
            rejected=pl.DataFrame(schema={"table": pl.String, "source": pl.String, "reason": pl.String}),
        )
    files = planner.to_files()
    body = json.loads(files["audience.json"])
    video = _first_trees(body["funnel"]["placements"]["video"]["follow"])
    line = np.zeros((world.users.height, 1))  # trees stand on a line, which they see as one more column
    matrix = np.hstack([planner.model.encoder.encode(world.users), line])
    video |= {"text": "trees-video.txt", "weight": 1.0}
    files |= {"audience.json": json.dumps(body, indent=1), "trees-video.txt": _grown(matrix)}
    return Originals(folder / "plan", files, world.users, dict(world.campaign))


def _first_trees(value: dict[str, object]) -> dict[str, object]:
    """The first place in a model for trees."""
    if {"text", "weight"} <= set(value):
        return value
    inner = (_first_trees(held) for held in value.values() if isinstance(held, dict))
    return next((found for found in inner if found), {})


def _grown(matrix: np.ndarray) -> str:
    n = len(matrix)
    rng = np.random.default_rng(0)
    rows = HazardRows(np.arange(n), (rng.random(n) < 0.3).astype(float), np.ones(n), np.zeros(n), np.ones(n))
    return Grower(matrix, rows, np.full(n, -1.0), categorical=(), seed=1, threads=1).text(4)


def mutated(data: bytes, suffix: str, rng: random.Random) -> bytes:
    """The bytes of a file after one accident."""
    kind = rng.choice(["value", "value", "digit", "cut", "flip", "empty"])
    if kind == "value" and suffix == ".json":
        return json.dumps(_changed(json.loads(data), rng)).encode()
    if kind == "digit" and (found := [*re.finditer(rb"\d", data)]):
        at = rng.choice(found).start()
        return data[:at] + rng.choice([b"9", b"-", b"e9", b"99999999999", b"."]) + data[at + 1 :]
    at = rng.randrange(len(data))
    if kind == "cut":
        return data[:at]
    return b"" if kind == "empty" else data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _changed(value: object, rng: random.Random) -> object:
    """JSON with one value, at any depth, replaced, taken away or doubled."""
    if isinstance(value, dict) and value and rng.random() < 0.93:
        key = rng.choice(sorted(value))
        if rng.random() < 0.05:
            return {name: inner for name, inner in value.items() if name != key}
        return {**value, key: _changed(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        if rng.random() < 0.1:
            return value[:at] + value[at + 1 :] if rng.random() < 0.5 else [*value, value[at]]
        return [*value[:at], _changed(value[at], rng), *value[at + 1 :]]
    return rng.choice(WORDS)


def try_model(originals: Originals, folder: Path, rng: random.Random) -> str:
    """One edited model folder; `refused` or `used`.

    Raises:
        AssertionError: An edited file was believed although the seal says that it is another.
        Exception: A job would have ended in an internal error.
    """
    files = {name: text.encode() for name, text in with_seal(originals.model).items()}
    name = rng.choice(sorted(set(files) - {SEAL}))
    before = files[name]
    files[name] = mutated(before, Path(name).suffix, rng)
    keeps_seal = rng.random() < 0.5
    if not keeps_seal:
        try:
            files = {
                n: t.encode()
                for n, t in with_seal({n: d.decode() for n, d in files.items() if n != SEAL}).items()
            }
        except UnicodeDecodeError:
            keeps_seal = True
    for file, data in files.items():
        (folder / file).write_bytes(data)
    try:
        planner = Planner.load(str(folder))
        assert not keeps_seal or files[name] == before, f"{name} was believed"
        scores = planner.model.score(originals.users)
        numbers = scores.select("p_follow", "gmv_per_fan_cny", "p_precise").to_numpy()
        assert np.isfinite(numbers).all()
        planned = planner.plan(originals.brief, planner.audience(originals.users), time_limit_s=5.0)
        assert np.isfinite(planned.value)
    except REFUSALS as error:
        assert "\n" not in str(error), error
        return "sealed model: refused" if keeps_seal else "resealed model: refused"
    return "sealed model: not changed" if keeps_seal else "resealed model: used"


def try_plan(originals: Originals, folder: Path, rng: random.Random) -> str:
    """One edited plan directory; see `try_model`."""
    copied = Path(shutil.copytree(originals.plan, folder / "plan"))
    names = [path.name for path in sorted(copied.iterdir()) if path.suffix in (".json", ".csv", ".parquet")]
    path = copied / rng.choice([name for name in names if name != MANIFEST])
    before = path.read_bytes()
    path.write_bytes(mutated(before, path.suffix, rng))
    keeps_seal = rng.random() < 0.5
    if not keeps_seal:
        (copied / MANIFEST).unlink()
        seal(copied)
    try:
        plan = read_plan(copied)
        assert not keeps_seal or path.read_bytes() == before, f"{path.name} was believed"
        plan.violations()
        assert np.isfinite([plan.value, *(x for x in plan.solution.spend_cny)]).all()
        plan.to_html()
        str(plan)
    except REFUSALS as error:
        assert "\n" not in str(error), error
        return "sealed plan: refused" if keeps_seal else "resealed plan: refused"
    return "sealed plan: not changed" if keeps_seal else "resealed plan: used"


def run_mutations(originals: Originals, *, models: int, plans: int, seed: int = 0) -> dict[str, int]:
    """How often what came of so many edited folders; any wrong one is raised with its number."""
    told: collections.Counter[str] = collections.Counter()
    cases = [(try_model, number) for number in range(models)] + [
        (try_plan, number) for number in range(plans)
    ]
    for attempt, number in cases:
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            try:
                told[
                    attempt(originals, Path(folder), random.Random(f"{attempt.__name__} {seed + number}"))
                ] += 1
            except Exception as error:  # whatever is no answer of ours is a finding, told with its number
                raise AssertionError(f"{attempt.__name__}, case {seed + number}: {error!r}") from error
    return dict(sorted(told.items()))


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--models", type=int, default=250)
    options.add_argument("--plans", type=int, default=620)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="faults-") as made:
        for came, times in run_mutations(
            make_originals(Path(made)), models=given.models, plans=given.plans, seed=given.seed
        ).items():
            print(f"{times:7,} {came}")
    print(f"{given.models + given.plans:7,} edited folders: 0 went wrong")
