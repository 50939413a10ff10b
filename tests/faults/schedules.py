"""`score` on a faulty disk, by a schedule that a seed replays: nobody lost, nobody doubled, nothing believed.

    python -m tests.faults.schedules --count 10000 [--seed 0]

Each schedule is one small table of users, an output that may be there already, one fault at one operation,
and then the same job on a healthy disk. After every step the output is what was there before, or all of the
new scores, or it is refused in words.
"""

from __future__ import annotations

import argparse
import atexit
import collections
import random
import shutil
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from unittest import mock

import polars as pl

from models.audience.score_table import SCORE_COLUMNS
from models.errors import DataError, TargetingError
from pipelines.config.job_settings import ScoreSettings, load
from pipelines.engines import local
from pipelines.engines.part import ScoredPart, score_part
from pipelines.jobs.scored_users import score_users
from pipelines.shell import silent
from pipelines.store import claim, read_scored
from tests.faults.faulty_disk import FAULTS, FaultyDisk, Killed

USERS, PART_USERS = 30, 10
SETTINGS = load(ScoreSettings).model_copy(update={"part_users": PART_USERS})


@dataclass(frozen=True)
class MadeUpModel:
    """A model whose scores tell who was scored, and by which version."""

    version: int
    placements: tuple[str, ...] = ("video", "live")
    features: tuple[()] = ()
    threads: int = 1
    made: list[int] = field(default_factory=list)

    def to_files(self) -> dict[str, str]:
        return {"version": str(self.version)}

    def score(self, users: pl.DataFrame, *, is_read: bool = False) -> pl.DataFrame:
        self.made.append(users.height)
        number = users["user_id"].str.slice(1).cast(pl.Float64)
        rows = users.select("user_id").with_columns(
            gmv_per_fan_cny=number * 10 + self.version,
            p_follow=number / 1000,
            p_precise=pl.lit(0.5),
            eligible=pl.lit(True),
            p_enter=pl.lit(None, dtype=pl.Float64),
        )
        placements = pl.DataFrame({"placement": self.placements})
        return rows.join(placements, how="cross", maintain_order="left_right").select(SCORE_COLUMNS)


def job(model: MadeUpModel, data: Path, out: Path) -> None:
    """`score` without MLflow."""
    users = data / "users.parquet"
    with claim(out, inputs=(data,)) as target:
        found = score_users(model, users=users, work=target.work, settings=SETTINGS, tell=silent)
        made_by = {"model_uri": f"models:/m/{model.version}", "engine": "local", "code_version": "0"}
        made_by["fingerprints"] = {"users": found.users_print}
        with target.replaced() as folder:
            found.write(folder, made_by)


@cache
def expected(version: int) -> pl.DataFrame:
    """The scores that a version gives, by hand."""
    return MadeUpModel(version).score(users_table()).select("user_id", "placement", "gmv_per_fan_cny")


@cache
def users_table() -> pl.DataFrame:
    return pl.DataFrame({"user_id": [f"u{n}" for n in range(USERS)]}).with_columns(
        snapshot_at=pl.lit("2020-11-11").str.to_datetime(), is_fan=pl.lit(False)
    )


@cache
def _published() -> Path:
    """An output of version 1, to be copied."""
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "data").mkdir()
    users_table().write_parquet(folder / "data" / "users.parquet")
    job(MadeUpModel(1), folder / "data", folder / "out")
    return folder / "out"


_PARTS: dict[tuple[int, int | None], ScoredPart] = {}


def _remembered(model, raw, *, source, first_row):
    """`score_part`, once for each version and part: what a person scores is not what is tried here."""
    key = model.version, first_row
    if key not in _PARTS:
        _PARTS[key] = score_part(model, raw, source=source, first_row=first_row)
    return _PARTS[key]


def seen(out: Path) -> int | None:
    """Which version's scores a reader gets, all of them; None where there is no output or it is refused."""
    if not out.exists():
        return None
    try:
        read = read_scored(out)
    except DataError as error:
        assert "\n" not in str(error)
        return None
    version = int(read.manifest.model_uri.rpartition("/")[2])
    assert read.scores.select("user_id", "placement", "gmv_per_fan_cny").equals(expected(version))
    return version


def run_schedule(seed: int, folder: Path) -> str:
    """One schedule; what came of it, in a word.

    Raises:
        AssertionError: A user lost or doubled, or a difference that nobody was told of.
    """
    rng = random.Random(seed)
    data, out = folder / "data", folder / "out"
    data.mkdir()
    users_table().write_parquet(data / "users.parquet")
    if before := rng.choice([0, 1]):
        shutil.copytree(_published(), out)
    fault = rng.choice(FAULTS)
    disk = FaultyDisk(folder, rng, fault=fault, at=rng.randrange(1, 46), swaps=rng.random() < 0.7)
    disk.second = lambda: _race(disk, data, out)
    with disk.mounted():
        try:
            job(MadeUpModel(2), data, out)
            outcome = "done"
        except Killed:
            outcome = "killed"
        except (TargetingError, OSError):
            outcome = "told"
    disk.revive()
    happened = disk.struck
    assert outcome in (("killed",) if disk.dead else ("done", "told"))
    version = seen(out)
    damaged = happened and fault in ("vanished", "zeroed")
    if outcome == "done":
        assert version == 2 or (damaged and version is None)
    elif not damaged:
        assert version in ((before, 2) if before else (None, 2)) or _is_aside(out)
    again = MadeUpModel(2)
    try:
        job(again, data, out)
    except DataError as error:
        # Somebody changed what was published: that is never replaced, so it has to be taken away.
        assert damaged, error
        assert "did not write" in str(error)
        shutil.rmtree(out)
        job(again, data, out)
    assert seen(out) == 2
    assert sorted(path.name for path in folder.iterdir()) == ["data", "out"]
    return f"{fault}: {outcome}" if happened else "no fault"


def _race(disk: FaultyDisk, data: Path, out: Path) -> None:
    """A second job on the same output: told that there is another, unless the first has no lock yet."""
    is_locked = bool(disk.locks)
    try:
        job(MadeUpModel(3), data, out)
        assert not is_locked
    except DataError as error:
        assert "another targeting job" in str(error)


def _is_aside(out: Path) -> bool:
    """Between two renames, where names cannot be exchanged: the next job brings the old directory back."""
    return not out.exists() and (out.with_name(f".{out.name}.targeting") / "old").exists()


def run_schedules(count: int, *, seed: int = 0) -> dict[str, int]:
    """How often what came of so many schedules."""
    told: collections.Counter[str] = collections.Counter()
    for number in range(seed, seed + count):
        folder = Path(tempfile.mkdtemp(prefix="faults-"))
        try:
            with mock.patch.object(local, "score_part", _remembered):
                told[run_schedule(number, folder)] += 1
        except AssertionError as error:
            raise AssertionError(f"schedule {number}: {error}") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return dict(sorted(told.items()))


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--count", type=int, default=10_000)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    for came, times in run_schedules(given.count, seed=given.seed).items():
        print(f"{times:7,} {came}")
    print(f"{given.count:7,} schedules: 0 users lost or doubled, 0 silent differences")
