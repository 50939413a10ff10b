"""Options that several commands have, and how a command tells its result. Jobs are imported inside only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.shell import EXIT_INPUT, complain, emit, spoken
from targeting.words import Words


class Engine(StrEnum):
    """Where scoring runs."""

    local = "local"
    spark = "spark"


class Lang(StrEnum):
    """In which report and terminal speak."""

    en = "en"
    zh = "zh"


Data = Annotated[Path, typer.Option(help="Data directory: users, exposures and orders (Parquet or CSV).")]
PlanDir = Annotated[Path, typer.Option(help="Directory written by `targeting plan` or `targeting run`.")]
Out = Annotated[Path, typer.Option(help="Directory to write; replaced as a whole when the job is done.")]
Campaign = Annotated[Path, typer.Option(help="Campaign brief, YAML.")]
Config = Annotated[Path | None, typer.Option(help="YAML file with settings that differ from the defaults.")]
Store = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri",
        help="MLflow store; default $MLFLOW_TRACKING_URI, else sqlite:///mlflow.db in this directory.",
    ),
]
Language = Annotated[
    Lang, typer.Option("--lang", help="Of reports, results and errors; also behind the command: --lang zh.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]


def done(result: Any, as_json: bool, headline: str) -> None:
    """Print a job's result, for people in the language of the command."""
    told, w = asdict(result), spoken()
    if not as_json:
        told = {w.result_keys.get(key, key): _told(w, value) for key, value in told.items()}
    emit(told, as_json=as_json, headline=headline if as_json else w.told(headline))


def judged(result: Any, as_json: bool, **about: str | None) -> None:
    """The whole result as JSON; for people its sentences in the language of the command, and `about`."""
    w = spoken()
    said = "\n".join(w.told(line) for line in result.headline.split("\n"))
    told = {w.result_keys[key]: value for key, value in about.items() if value}
    emit(asdict(result) if as_json else told, as_json=as_json, headline=said)


def _told(w: Words, value: Any) -> Any:
    """Sentences in the command's language; names and numbers as they are."""
    if isinstance(value, tuple):
        return tuple(w.told(part) if isinstance(part, str) else part for part in value)
    return value


def planned(result: Any, plan: Any, as_json: bool, message: str, **about: str) -> None:
    """The whole result as JSON; for people the message and the plan's summary."""
    from pipelines.jobs.summary import plan_summary
    from targeting.words import words_in

    headline = str(getattr(words_in(plan.language), message)).format(**about)
    told = asdict(result) if as_json else {}
    emit(told, as_json=as_json, headline=headline if as_json else f"{headline}\n{plan_summary(plan)}")


def end_whole(missing: Sequence[str], table: str) -> None:
    """Status 1 where parts of a table could not be read: a retry does not help, mending them does."""
    if missing:
        complain(f"{len(missing)} parts of the {table} were left out, first {missing[0]}")
        raise typer.Exit(EXIT_INPUT)
