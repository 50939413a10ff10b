"""Scoring: trees by tables and by walking, Parquet to scores beside the obvious way and Spark, and memory.

    python -m benchmarks.scoring --trees
    python -m benchmarks.scoring --ends [--rows 4000000] [--spark]
    python -m benchmarks.scoring --memory 1000000 16000000

A shop of 20,000 people with 30 features (the jeweller's, and further numbers), the model that is learned of
it, and on its rate of buying a forest of 100 trees of `--leaves` leaves; the shop has fewer, of 8.

`--trees`: microseconds a row on one thread. `--ends`: the job `score` from Parquet to published scores; the
obvious way: read by polars, features to a matrix, the lines by numpy and the same forest by LightGBM's
predict, columns written by polars, nothing checked, nothing kept for the morning after a crash; and the job
on Spark local[2]; plain: the table read and written by polars, nothing else. Processor seconds of a process
of its own each, its children counted, so that neighbours on a shared machine cost little; rows a second are
what two free cores would give: 2 rows / processor seconds. The paper figures are these coefficients times a
hundred million people, nothing else.
`--memory`: peak resident size of the job by number of people.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.process_family import measured
from models.audience.model import AudienceModel
from models.rates.boosting import Trees

WAY = "benchmarks.scoring"
FEATURES = 30
TREES = 100


def model_of(folder: Path, *, leaves: int) -> AudienceModel:
    """The benchmark's model, learned once a folder and number of leaves."""
    held = folder / f"model-{leaves}"
    if not held.exists():
        _learn(held, leaves=leaves)
    return AudienceModel.from_files({path.name: path.read_text() for path in held.iterdir()})


def _learn(held: Path, *, leaves: int) -> None:
    import lightgbm

    from targeting.world import simulate

    shop = simulate("jewellery", users=20_000, seed=1)
    users = widened(shop.users, seed=1)
    fitted = AudienceModel.fit(
        replace(shop, users=users), placements=("video", "live"), as_of=shop.as_of, horizon_days=30, seed=1
    )
    assert fitted.value is not None
    matrix = fitted.encoder.encode(users)
    line = fitted.value.buy.log_rate(matrix, np.zeros(len(matrix)))
    columns = np.column_stack([matrix, line])
    known = np.nan_to_num(columns)
    known = (known - known.mean(axis=0)) / known.std(axis=0).clip(1e-9)
    noise = np.random.default_rng(0).normal(size=len(known))
    target = np.sin(known).sum(axis=1) + known[:, 0] * known[:, 5] + noise
    options: dict[str, object] = {"num_leaves": leaves, "verbosity": -1, "num_threads": 1, "seed": 1}
    # squares as a function of our own: the header then is that of the product's models
    options["objective"] = lambda sums, data: (sums - target, np.ones_like(sums))
    data = lightgbm.Dataset(columns, target, categorical_feature=list(fitted.encoder.categorical))
    forest = lightgbm.train(options, data, TREES)
    buy = replace(fitted.value.buy, trees=Trees(forest.model_to_string(), 0.1))
    held.mkdir(parents=True)
    for name, text in replace(fitted, value=replace(fitted.value, buy=buy)).to_files().items():
        (held / name).write_text(text)


def widened(users: pl.DataFrame, *, seed: int) -> pl.DataFrame:
    """The people with further numbers, some of them empty, until there are `FEATURES`."""
    rng = np.random.default_rng(seed)
    more = FEATURES - (users.width - 3)
    numbers = {f"more_{k}": rng.lognormal(0, 1, users.height).round(3) for k in range(more)}
    gaps = pl.Series(rng.random(users.height) < 0.1)
    return users.with_columns(pl.Series(name, values) for name, values in numbers.items()).with_columns(
        pl.when(gaps).then(None).otherwise(pl.col(name)).alias(name) for name in list(numbers)[:5]
    )


def write_people(path: Path, rows: int) -> None:
    """A Parquet file of so many people, written part by part."""
    from pipelines.store.streams import write_stream
    from targeting.world import simulate

    some = simulate("jewellery", users=20_000, seed=2).users
    rng = np.random.default_rng(3)

    def parts() -> Iterator[pl.DataFrame]:
        for start in range(0, rows, 200_000):
            n = min(200_000, rows - start)
            taken = some[rng.integers(0, some.height, n)]
            ids = pl.Series("user_id", np.arange(start, start + n)).cast(pl.String).str.zfill(10)
            yield widened(taken.with_columns(("u" + ids).alias("user_id")), seed=start)

    path.parent.mkdir(parents=True, exist_ok=True)
    write_stream(parts(), path)


def by_the_job(model: AudienceModel, users: Path, out: Path, engine: str) -> None:
    """`targeting score` without MLflow."""
    from pipelines.config.job_settings import ScoreSettings, load
    from pipelines.jobs.scored_users import score_users
    from pipelines.shell import silent
    from pipelines.store import claim

    settings = load(ScoreSettings, None, engine=engine)
    with claim(out, inputs=(users.parent,)) as target:
        found = score_users(model, users=users, work=target.work, settings=settings, tell=silent)
        made_by = {"model_uri": "", "engine": engine, "code_version": "", "fingerprints": {}}
        with target.replaced() as folder:
            found.write(folder, made_by)


def the_obvious_way(model: AudienceModel, users: Path, out: Path) -> None:
    """Whole table at once, LightGBM's predict, no check of any cell, nothing that survives a kill."""
    people = pl.read_parquet(users)
    matrix = np.empty((people.height, len(model.encoder.columns)))
    for j, feature in enumerate(model.encoder.columns):
        column = people[feature.name]
        if feature.kind == "category":
            codes = {level: float(i) for i, level in enumerate(feature.levels)}
            column = column.replace_strict(codes, default=None, return_dtype=pl.Float64)
        matrix[:, j] = column.cast(pl.Float64).to_numpy()
    assert model.value is not None
    rates = {"follow": [f.follow for f in model.funnel.placements.values()], "buy": [model.value.buy] * 2}
    scores, expanded = {}, None  # all rates have one design
    for name, several in rates.items():
        for j, rate in enumerate(several):
            assert rate.linear is not None
            expanded = rate.linear.design.expand(matrix) if expanded is None else expanded
            line = rate.linear.intercept + expanded @ np.asarray(rate.linear.coefficients)
            if rate.trees.text:
                booster = rate.trees._loaded
                line = line + booster.predict(np.column_stack([matrix, line]), raw_score=True, num_threads=2)
            scores[f"{name}_{j}"] = np.exp(line)
    out.mkdir(parents=True)
    people.select("user_id").with_columns(**scores).write_parquet(out / "scores.parquet")


def one_way(arguments: Sequence[str]) -> None:
    """Runs one way in this process and prints its peak size."""
    way, users, held, out = arguments
    model = AudienceModel.from_files({path.name: path.read_text() for path in Path(held).iterdir()})
    if way == "obvious":
        the_obvious_way(model, Path(users), Path(out))
    elif way == "plain":
        Path(out).mkdir(parents=True)
        pl.read_parquet(users).write_parquet(Path(out) / "users.parquet")
    elif way != "nothing":
        by_the_job(model, Path(users), Path(out), way)
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = used.ru_utime + used.ru_stime
    print(json.dumps({"seconds": seconds, "peak_mb": used.ru_maxrss / 1024}))


def trees(folder: Path) -> None:
    """Microseconds a row, tables and walk."""
    for leaves in (8, 31):
        model = model_of(folder, leaves=leaves)
        assert model.value is not None
        rate = model.value.buy.trees
        assert rate.forest is not None
        matrix = model.encoder.encode(widened(_some(), seed=5))
        columns = np.column_stack([matrix, np.zeros(len(matrix))])
        side = np.ascontiguousarray(matrix.T)
        walk = fastest(lambda c=columns, r=rate: r._walked(c, 1))
        table = fastest(lambda s=side, f=rate.forest, c=columns: f.sum(f.left(s), c[:, -1]))
        apart = np.abs(
            rate.forest.sum(rate.forest.left(side), columns[:, -1]) - rate._walked(columns, 1)
        ).max()
        n = len(matrix) / 1e6
        print(
            f"{TREES} trees of {leaves:2d} leaves: LightGBM {walk / n:.2f} us a row, tables {table / n:.2f} "
            f"({walk / table:.1f} x), apart by {apart:.0e}",
            flush=True,
        )


def _some() -> pl.DataFrame:
    from targeting.world import simulate

    return simulate("jewellery", users=20_000, seed=2).users


def fastest(call: Callable[[], object]) -> float:
    """Least processor seconds of five calls."""
    spent = []
    for _ in range(5):
        start = time.process_time()
        call()
        spent.append(time.process_time() - start)
    return min(spent)


def ends(folder: Path, *, rows: int, leaves: int, spark: bool) -> None:
    """Parquet to scores."""
    model_of(folder, leaves=leaves)
    users = folder / f"users-{rows}" / "users.parquet"
    if not users.exists():
        write_people(users, rows)
    held = str(folder / f"model-{leaves}")
    start, _ = measured(WAY, "--way", "nothing", str(users), held, str(folder / "none"))
    ways = ("local", "obvious", "plain", *(("spark",) if spark else ()))
    spent: dict[str, float] = {}
    peaks: dict[str, float] = {}
    for way in ways:
        with tempfile.TemporaryDirectory(dir=folder) as out:
            spent[way], peaks[way] = measured(WAY, "--way", way, str(users), held, f"{out}/scores")
        print(
            f"{rows:,} rows x {FEATURES} features, {way:8s} {spent[way]:7.1f} s of processor, "
            f"{2e-6 * rows / (spent[way] - start):.2f} M rows/s on two cores, "
            f"peak {peaks[way]:,.0f} MB, "
            f"{spent[way] / spent['local']:.2f} x local",
            flush=True,
        )
    print(f"of which {start:.1f} s are imports and the model's own checks, in each")
    ratio = (spent["local"] - start) / (spent["plain"] - start)
    print(f"the job takes {ratio:.1f} times the processor of a plain read and write of the users")
    for way, cores, where in (
        ("local", 2, "this machine's 2 cores"),
        ("spark", 80, "20 executors of 4 cores"),
    ):
        if way in spent:
            hours = 1e8 * (spent[way] - start) / rows / cores / 3600
            print(f"on paper, 100,000,000 people on {where}: {hours:.2f} h, {hours * cores:.1f} core hours")


def memory(folder: Path, sizes: Sequence[int], *, leaves: int) -> None:
    """Peak size by number of people."""
    model_of(folder, leaves=leaves)
    for rows in sizes:
        users = folder / f"users-{rows}" / "users.parquet"
        if not users.exists():
            write_people(users, rows)
        with tempfile.TemporaryDirectory(dir=folder) as out:
            spent, peak = measured(
                WAY, "--way", "local", str(users), str(folder / f"model-{leaves}"), f"{out}/scores"
            )
        print(f"{rows:,} people: peak {peak:,.0f} MB, {spent:.0f} s of processor", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """What is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trees", action="store_true")
    parser.add_argument("--ends", action="store_true")
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--leaves", type=int, default=31)
    parser.add_argument("--spark", action="store_true")
    parser.add_argument("--memory", type=int, nargs="*", default=[])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "benchmarks-scoring")
    parser.add_argument("--way", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.way:
        one_way(given.way)
        return
    given.folder.mkdir(parents=True, exist_ok=True)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    if given.trees:
        trees(given.folder)
    if given.ends:
        ends(given.folder, rows=given.rows, leaves=given.leaves, spark=given.spark)
    memory(given.folder, given.memory, leaves=given.leaves)


if __name__ == "__main__":
    main()
