"""Job `assign`: everybody at most one option, within the budget and every further limit, part by part.

The scores (or a table of offers) are dealt to parts that hold whole people; every part's arrays are made
once, in a work folder beside the output; then the prices of the limits are found in a few passes over the
parts, and each part writes whom it offers what. The output is replaced as a whole.

A job that was killed once the arrays were there goes on with them. The same scores, brief, plan, prices,
settings and program again are "already done", and nothing is written; others replace what is there.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from models.errors import CampaignError, DataError
from models.escaping.media import for_key
from models.stored import read, written
from models.supply.curves import FloatArray
from pipelines import tracking
from pipelines.config.briefs import read_brief
from pipelines.config.job_settings import AssignSettings, load
from pipelines.engines.people import open_engine
from pipelines.jobs.assign_people import dealt_people, everybody_of
from pipelines.jobs.assign_source import Source, source_of
from pipelines.shell import Tell, silent
from pipelines.store import Target, claim, disk, part_key, write_table
from pipelines.store.people_parts import dealt_folders
from pipelines.store.reading import hold
from pipelines.store.scores import scored_digest
from targeting.assignment.assigned import Judged
from targeting.assignment.assignment_file import ASSIGNMENT_FILE, AssignmentFile, with_open_ends
from targeting.assignment.choose import Decision, Tally, at_fixed_prices, decide, judge
from targeting.assignment.crowd import People, Row
from targeting.plan.provenance import versions

ASSIGNMENT, PARTS = "assignment.json", "assignment"


@dataclass(frozen=True)
class AssignResult:
    """Who is offered what, in numbers, and where the lists are.

    Attributes:
        already_done: What lies there is what these inputs give; `run_id` is then empty.
        resumed: With the arrays of a job that was killed.
        missing: Parts of the table that could not be read, and why; whoever is in the others was offered.
    """

    out: str
    run_id: str
    engine: str
    status: str
    people: int
    chosen: dict[str, int]
    value: float
    upper_bound: float
    gap: float
    budget_cny: float
    spend_cny: float
    prices: dict[str, float]
    warnings: tuple[str, ...] = ()
    already_done: bool = False
    resumed: bool = False
    missing: tuple[str, ...] = ()


def run_assign(
    *,
    scores: Path,
    campaign: Path,
    out: Path,
    engine: str | None = None,
    plan: Path | None = None,
    prices: Path | None = None,
    config: Path | None = None,
    tracking_uri: str | None = None,
    tell: Tell = silent,
) -> AssignResult:
    """Write `assignment/` (Parquet parts: user_id, placement, worth, cost_cny) and `assignment.json`.

    Args:
        scores: directory of `targeting score`, or one with a table `offers`.
        campaign: the brief; its budget, objective and constraints that are sums over people.
        out: directory to write.
        engine: `local` or `spark`; None as the settings say.
        plan: directory of a plan: what it pays for an impression, and its prices to start from.
        prices: `assignment.json` of before: everybody chooses at its prices, for people who come later.
        config: settings.
        tracking_uri: MLflow store.
        tell: progress listener.

    Raises:
        DataError, CampaignError: the scores, the brief or a setting is wrong.
        InfeasibleError: the limits cannot hold together.
    """
    settings = load(AssignSettings, config, engine=engine)
    brief = read_brief(campaign)
    inputs = [path for path in (scores, campaign, plan, prices) if path is not None]
    fixed = None if prices is None else _fixed(prices)
    named = {"scores": scores, "campaign": campaign, "plan": plan, "prices": prices, "settings": settings}
    with claim(out, inputs=inputs) as target:
        source = source_of(scores, brief, plan, settings)
        tell("fingerprinting the scores")
        read = scored_digest(source.table, source.files)
        prints = {"scores": read, **brief.prints, **_prints(settings, source, prices)}
        if (held := _held(target, prints)) is not None:
            return _result(held, out, settings, source, already_done=True)
        with tracking.job_run("assign", tracking_uri=tracking_uri, inputs=named, fingerprints=prints) as run:
            try:
                file, resumed = _assign(
                    source, target, settings=settings, fixed=fixed, prints=prints, tell=tell
                )
            except Exception:  # not so a wish to end: the next job goes on with what is there
                disk.remove(target.work)
                raise
            run.metrics({name: getattr(file, name) for name in ("value", "upper_bound", "spend_cny")})
            run.metrics({"people": file.people, "gap": _gap(file)})
            run.metrics({f"shadow_price.{for_key(name)}": price for name, price in file.prices.items()})
            run.file(out / ASSIGNMENT)
    return _result(file, out, settings, source, run_id=run.run_id, resumed=resumed)


def _result(
    file: AssignmentFile, out: Path, settings: AssignSettings, source: Source, **more: Any
) -> AssignResult:
    told = ("status", "people", "value", "upper_bound", "budget_cny", "spend_cny")
    return AssignResult(
        **{"run_id": "", **more},
        out=str(out),
        engine=settings.engine,
        chosen=dict(file.chosen),
        gap=_gap(file),
        prices=dict(file.prices),
        warnings=(*source.warnings, *_beyond(file)),
        missing=tuple(source.missing.values()),
        **{name: getattr(file, name) for name in told},
    )


def _gap(file: AssignmentFile) -> float:
    return math.inf if file.gap is None else file.gap


def _prints(settings: AssignSettings, source: Source, prices: Path | None) -> dict[str, str]:
    """Fingerprints of what the lists are made from, beside scores and brief."""
    # where it runs and in how many parts changes nothing
    told = settings.model_dump(exclude={"engine", "spark_master", "part_rows"})
    text = json.dumps([told, source.price_cny, source.start], sort_keys=True)
    files = {"prices": hold(prices).data} if prices else {}
    made_from = {"settings": text.encode(), **files}
    return {name: hashlib.sha256(data).hexdigest()[:32] for name, data in made_from.items()}


def _held(target: Target, prints: Mapping[str, str]) -> AssignmentFile | None:
    """The assignment of these very inputs, where its lists are all there."""
    if (said := target.held(ASSIGNMENT)) is None:
        return None
    try:
        held = read(ASSIGNMENT_FILE, said.decode(), source=ASSIGNMENT, what="assignment")
    except (UnicodeError, DataError):
        return None
    is_same = (dict(held.fingerprints), dict(held.versions)) == (dict(prints), _versions())
    return held if is_same else None


def _versions() -> dict[str, str]:
    return dict(versions(("fan-targeting", "highspy", "numpy", "polars")))


def _assign(
    source: Source,
    target: Target,
    *,
    settings: AssignSettings,
    fixed: Mapping[str, float] | None,
    prints: dict[str, str],
    tell: Tell,
) -> tuple[AssignmentFile, bool]:
    """Chooses for everybody and publishes the lists; what is in assignment.json, and whether the arrays were
    there.
    """
    with open_engine(settings.engine, master=settings.spark_master) as where:
        work = target.work / part_key(json.dumps([prints, _versions()], sort_keys=True), settings.part_rows)
        if not (resumed := bool(folders := dealt_folders(work))):
            disk.remove(target.work)
            folders = dealt_people(source, where, work, part_rows=settings.part_rows, tell=tell)
        everybody = everybody_of(source, where, folders)
        if scored_digest(source.table, source.files) != prints["scores"]:
            raise DataError(f"{source.table}: was changed while it was read; run again when nobody writes")
        tell("finding the prices")
        if fixed is None:
            start = _vector(source.start, everybody.rows)
            decision = decide(everybody, gap_tol=settings.gap_tol, start=start)
        else:
            decision = at_fixed_prices(everybody, _all_of(fixed, everybody.rows))
        tell("writing")
        with target.replaced() as folder:
            disk.make(folder / PARTS)
            parts = everybody.each(partial(_write, decision=decision, folder=folder / PARTS))
            total = reduce(_Written.plus, parts)
            found = judge(everybody, decision, total.tally, gap_tol=settings.gap_tol)
            file = _file(found, source, everybody.size, total.chosen, prints)
            disk.put(folder / ASSIGNMENT, written(ASSIGNMENT_FILE, file).encode())
    return file, resumed


def _fixed(path: Path) -> Mapping[str, float]:
    """Prices by label, of an assignment of before."""
    try:
        text = hold(path).data.decode()
    except (OSError, UnicodeError) as error:
        raise DataError(
            f"{path}: cannot be read ({error}); give the {ASSIGNMENT} of an earlier run"
        ) from error
    return read(ASSIGNMENT_FILE, text, source=str(path), what="assignment").prices


def _vector(prices: Mapping[str, float], rows: tuple[Row, ...]) -> FloatArray | None:
    """A plan's prices of the limits, in the signs of an assignment; None where it has none of the budget."""
    if not prices.get("total"):
        return None
    named = [prices.get(row.label, prices.get(row.name, 0.0)) for row in rows]
    signs = [1.0 if np.isfinite(row.upper) else -1.0 for row in rows]
    return np.array([sign * abs(price) for sign, price in zip(signs, named, strict=True)])


def _all_of(prices: Mapping[str, float], rows: tuple[Row, ...]) -> FloatArray:
    missing = [row.label for row in rows if row.label not in prices]
    if missing:
        raise CampaignError(
            f"--prices: has no price of limit '{missing[0]}'; expected those of this brief: assign anew"
        )
    return np.array([prices[row.label] for row in rows])


@dataclass(frozen=True)
class _Written:
    """What parts hold that were written: worth and use of the offers made, and how many by placement."""

    tally: Tally
    chosen: dict[str, int]

    def plus(self, other: _Written) -> _Written:
        """Both together."""
        tally = Tally(self.tally.value + other.tally.value, self.tally.used + other.tally.used)
        names = sorted({*self.chosen, *other.chosen})
        return _Written(tally, {n: self.chosen.get(n, 0) + other.chosen.get(n, 0) for n in names})


def _write(people: People, number: int, *, decision: Decision, folder: Path) -> _Written:
    """Writes whom a part offers what."""
    choice = decision.choice(people, number)
    made = people.chosen(choice)
    write_table(made, folder / f"part-{number:05d}.parquet")
    counted = made.group_by("placement").len().sort("placement")
    return _Written(Tally(people.value(choice), people.used(choice)), dict(counted.iter_rows()))


def _file(
    found: Judged, source: Source, people: int, chosen: dict[str, int], prints: dict[str, str]
) -> AssignmentFile:
    campaign = source.campaign
    return AssignmentFile(
        **{name: getattr(found, name) for name in ("status", "value", "upper_bound", "spend_cny")},
        gap=found.gap if math.isfinite(found.gap) else None,
        campaign_id=campaign.campaign_id,
        objective=campaign.objective,
        budget_cny=campaign.budget_cny,
        people=people,
        chosen=chosen,
        prices=dict(found.prices),
        limits=with_open_ends(found.limits),
        options=source.options,
        price_cny=source.price_cny,
        fingerprints=prints,
        versions=_versions(),
    )


def _beyond(file: AssignmentFile) -> tuple[str, ...]:
    """What fixed prices did not keep."""
    over = file.limits.filter((pl.col("used") > pl.col("upper")) | (pl.col("used") < pl.col("lower")))
    if file.status != "fixed_prices" or over.is_empty():
        return ()
    listed = ", ".join(f"'{name}' ({used:,.2f})" for name, used in over.select("name", "used").iter_rows())
    return (f"at these prices limits are not kept: {listed}; assign anew to keep them",)
