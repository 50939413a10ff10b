"""Dry runs: what `score` and `assign` would do with the same arguments, after every check that needs no pass
over the people. Nothing is written, locked or logged.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models import registry
from pipelines.config.briefs import read_brief
from pipelines.config.job_settings import AssignSettings, ScoreSettings, load
from pipelines.jobs.assign_source import source_of
from pipelines.store import find_table, is_parquet
from pipelines.store.streams import count_rows
from pipelines.store.target import refuse_unfit
from pipelines.tracking_store import connect


@dataclass(frozen=True)
class ScoreIntent:
    """What `targeting score --dry-run` says."""

    out: str
    would_replace: bool
    model_uri: str
    engine: str
    users: str
    rows: int | None
    parts: int | None


@dataclass(frozen=True)
class AssignIntent:
    """What `targeting assign --dry-run` says."""

    out: str
    would_replace: bool
    engine: str
    table: str
    rows: int | None
    parts: int | None
    budget_cny: float
    limits: tuple[str, ...]
    warnings: tuple[str, ...]


def intend_score(
    *,
    data: Path,
    model: str,
    out: Path,
    engine: str | None = None,
    config: Path | None = None,
    tracking_uri: str | None = None,
) -> ScoreIntent:
    """What `run_score` would do.

    Raises:
        DataError: the users or the model cannot be found, or `out` is none that may be replaced.
        CampaignError: a wrong setting.
    """
    settings = load(ScoreSettings, config, engine=engine)
    refuse_unfit(out, inputs=(data,))
    users = find_table(data, "users")
    connect(tracking_uri)
    bundle = registry.load(model)
    rows = _rows(users)
    return ScoreIntent(
        out=str(out),
        would_replace=out.exists(),
        model_uri=bundle.uri,
        engine=settings.engine,
        users=str(users),
        rows=rows,
        parts=None if rows is None else -(-rows // settings.part_users),
    )


def intend_assign(
    *,
    scores: Path,
    campaign: Path,
    out: Path,
    engine: str | None = None,
    plan: Path | None = None,
    prices: Path | None = None,
    config: Path | None = None,
) -> AssignIntent:
    """What `run_assign` would do.

    Raises:
        DataError, CampaignError: the scores, the brief, a setting or `out` is wrong.
    """
    settings = load(AssignSettings, config, engine=engine)
    brief = read_brief(campaign)
    refuse_unfit(out, inputs=[path for path in (scores, campaign, plan, prices) if path is not None])
    source = source_of(scores, brief, plan, settings)
    rows = _rows(source.table)
    return AssignIntent(
        out=str(out),
        would_replace=out.exists(),
        engine=settings.engine,
        table=str(source.table),
        rows=rows,
        parts=None if rows is None else -(-rows // settings.part_rows),
        budget_cny=brief.campaign.budget_cny,
        limits=tuple(constraint.name for constraint in brief.campaign.constraints),
        warnings=source.warnings,
    )


def _rows(table: Path) -> int | None:
    """Rows by the footers; of text only a pass over it knows."""
    return count_rows(table) if is_parquet(table) else None
