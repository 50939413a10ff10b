"""Scoring: trees by tables and by walking, Parquet to scores beside the obvious way and Spark, and memory.

    python -m benchmarks.scoring --trees
    python -m benchmarks.scoring --ends [--rows 4000000] [--spark] [--core-hour-cny 0.3]
    python -m benchmarks.scoring --memory 1000000 16000000

A shop of 20,000 people with 30 features (the jeweller's, and further numbers), the model that is learned of
it, and on its rate of buying a forest of 100 trees of `--leaves` leaves; the shop has fewer, of 8.

`--trees`: microseconds a row on one thread. `--ends`: the job `score` from Parquet to published scores; the
obvious way: read by polars, features to a matrix, the lines by numpy and the same forest by LightGBM's
predict, columns written by polars, nothing checked, nothing kept for the morning after a crash; and the job
on Spark local[2]; plain: the table read and written by polars, nothing else. Processor seconds of a process
of its own each, its children counted, so that neighbours on a shared machine cost little; rows a second are
what two free cores would give: 2 rows / processor seconds. `assign`: the job on these scores, with three
options. The paper figures are these coefficients times a hundred million people, nothing else: 20 executors
are taken to divide the work of the job on Spark where that was run, else of the job here, without loss;
memory is that of one worker.
`--memory`: peak resident size of the job by number of people.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.process_family import measured
from models.audience.model import AudienceModel
from models.rates.boosting import Trees

WAY = "benchmarks.scoring_ways"
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
    import pyarrow.parquet as pq

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
    with contextlib.ExitStack() as stack:
        writer = None
        for part in parts():
            table = part.to_arrow(compat_level=pl.CompatLevel.oldest())
            writer = writer or stack.enter_context(pq.ParquetWriter(path, table.schema, compression="zstd"))
            writer.write_table(table)


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


def ends(folder: Path, *, rows: int, leaves: int, spark: bool, price: float) -> None:
    """Parquet to scores."""
    model_of(folder, leaves=leaves)
    users = folder / f"users-{rows}" / "users.parquet"
    if not users.exists():
        write_people(users, rows)
    held = str(folder / f"model-{leaves}")
    start, _ = measured(WAY, "nothing", str(users), held, str(folder / "none"))
    ways = ("local", "assign", "obvious", "plain", *(("spark",) if spark else ()))
    spent: dict[str, float] = {}
    peaks: dict[str, float] = {}
    kept = tempfile.TemporaryDirectory(dir=folder)
    for way in ways:
        read = f"{kept.name}/local" if way == "assign" else str(users)
        spent[way], peaks[way] = measured(WAY, way, read, held, f"{kept.name}/{way}")
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
    kept.cleanup()
    on_paper({way: (spent[way] - start) / rows for way in spent}, peaks, price=price)


def on_paper(each: Mapping[str, float], peaks: Mapping[str, float], *, price: float) -> None:
    """A night of a hundred million people at these processor seconds a person: nobody ran it."""
    for way, cores, where in (
        ("local", 2, "this machine's 2 cores"),
        ("spark", 80, "20 executors of 4 cores"),
    ):
        scored, chosen = (1e8 * each.get(name, each["local"]) / 3600 for name in (way, "assign"))
        # here parts are scored side by side and assigned one after the other
        hours = scored / cores + chosen / (1 if way == "local" else cores)
        print(
            f"on paper, 100,000,000 people on {where}: score {scored:.2f} and assign {chosen:.2f} core "
            f"hours, {hours:.2f} h, {max(peaks['local'], peaks['assign']) / 1e3:.1f} GB a worker, "
            f"{price * (scored + chosen):.2f} yuan at {price} a core hour"
        )


def memory(folder: Path, sizes: Sequence[int], *, leaves: int) -> None:
    """Peak size by number of people."""
    model_of(folder, leaves=leaves)
    for rows in sizes:
        users = folder / f"users-{rows}" / "users.parquet"
        if not users.exists():
            write_people(users, rows)
        with tempfile.TemporaryDirectory(dir=folder) as out:
            spent, peak = measured(WAY, "local", str(users), str(folder / f"model-{leaves}"), f"{out}/scores")
        print(f"{rows:,} people: peak {peak:,.0f} MB, {spent:.0f} s of processor", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """What is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trees", action="store_true")
    parser.add_argument("--ends", action="store_true")
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--leaves", type=int, default=31)
    parser.add_argument("--spark", action="store_true")
    parser.add_argument("--core-hour-cny", type=float, default=0.3, help="of a rented core: put your own")
    parser.add_argument("--memory", type=int, nargs="*", default=[])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "benchmarks-scoring")
    given = parser.parse_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    if given.trees:
        trees(given.folder)
    if given.ends:
        ends(given.folder, rows=given.rows, leaves=given.leaves, spark=given.spark, price=given.core_hour_cny)
    memory(given.folder, given.memory, leaves=given.leaves)


if __name__ == "__main__":
    main()
