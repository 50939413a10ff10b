"""One way of `benchmarks.scoring` in a process of its own, which prints its seconds and its peak size."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from models.audience.model import AudienceModel


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


def assigned(scores: Path, out: Path) -> None:
    """The job `assign`, everybody one of three options, with a budget of two fen a person."""
    from pipelines.jobs.assign import run_assign

    rows = json.loads((scores / "manifest.json").read_text(encoding="utf-8"))["users"]
    brief = {"campaign_id": "bench", "budget_cny": 0.02 * rows, "placements": ["video", "live"]}
    options = {"video": {"video": 3}, "live": {"live": 2}, "both": {"video": 3, "live": 2}}
    settings = {"options": options, "price_cny": {"video": 0.05, "live": 0.2}}
    for name, said in {"brief": brief, "settings": settings}.items():
        (out.parent / f"{name}.yaml").write_text(json.dumps(said), encoding="utf-8")
    run_assign(
        scores=scores,
        campaign=out.parent / "brief.yaml",
        config=out.parent / "settings.yaml",
        out=out,
        tracking_uri=f"sqlite:///{out.parent / 'mlflow.db'}",
    )


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
    if way == "assign":
        assigned(Path(users), Path(out))
        _tell()
        return
    model = AudienceModel.from_files({path.name: path.read_text() for path in Path(held).iterdir()})
    if way == "obvious":
        the_obvious_way(model, Path(users), Path(out))
    elif way == "plain":
        Path(out).mkdir(parents=True)
        pl.read_parquet(users).write_parquet(Path(out) / "users.parquet")
    elif way != "nothing":
        by_the_job(model, Path(users), Path(out), way)
    _tell()


def _tell() -> None:
    """Processor seconds and peak size of this process, as `process_family.measured` reads them."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = used.ru_utime + used.ru_stime
    print(json.dumps({"seconds": seconds, "peak_mb": used.ru_maxrss / 1024}))


if __name__ == "__main__":
    one_way(sys.argv[1:])
