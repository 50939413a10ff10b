"""Settings of every job: strict, frozen, with the defaults in `configs/*.yaml` and nowhere else.

The edge where YAML becomes typed values; jobs receive these objects and never a mapping. It must not import
a job, and nothing heavy: `targeting schema` needs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from models.escaping.media import KEY_LENGTH, for_key
from pipelines.config.yaml_file import read_yaml
from targeting.campaign.fields import Number
from targeting.campaign.messages import one_line
from targeting.programmes.programme_rules import Board, Programme

S = TypeVar("S", bound="Settings")


def _registrable(name: str) -> str:
    """A name that the registry takes: it would say so after the training only."""
    if for_key(name) != name or set(name) & set("/:"):
        raise ValueError(f"expected letters, digits, blanks, - and _, got {name!r}")
    return name


class Settings(BaseModel):
    """Base of all settings: unknown keys and wrong types are errors, values never change."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class ReadingSettings(Settings):
    """Of every job that reads tables."""

    max_rejected_share: Number = Field(ge=0, le=1)


class TrainSettings(ReadingSettings):
    """What `targeting train` learns: see configs/train.yaml for each key."""

    as_of: datetime | None
    horizon_days: int | None = Field(ge=1, le=3650)
    placements: tuple[str, ...] | None = Field(strict=False)
    min_audience: int | None = Field(ge=1)
    draws: int = Field(ge=1)
    seed: int = Field(ge=0)
    threads: int = Field(ge=1)
    model_name: Annotated[str, AfterValidator(_registrable)] = Field(min_length=1, max_length=KEY_LENGTH)


class ScoreSettings(ReadingSettings):
    """How `targeting score` runs: see configs/score.yaml."""

    engine: Literal["local", "spark"]
    part_users: int = Field(ge=1)
    spark_master: str


class PlanSettings(ReadingSettings):
    """How `targeting plan` solves: see configs/plan.yaml."""

    programmes: str | None = None
    gap_tol: Number = Field(gt=0, lt=1)
    time_limit_s: Number = Field(gt=0)
    draws: int = Field(ge=1)
    seed: int = Field(ge=0)


class AssignSettings(Settings):
    """How `targeting assign` makes offers and chooses: see configs/assign.yaml."""

    engine: Literal["local", "spark"]
    spark_master: str
    part_rows: int = Field(ge=1)
    gap_tol: Number = Field(gt=0, lt=1)
    options: dict[str, dict[str, Annotated[Number, Field(gt=0)]]] = Field(min_length=1)
    price_cny: dict[str, Annotated[Number, Field(ge=0)]]


class MinimumSettings(Settings):
    """Least daily budgets: see configs/export.yaml."""

    campaign_day_cny: Number = Field(ge=0)
    unit_day_cny: Number = Field(ge=0)


class GuaranteeSettings(Settings):
    """The console's cost guarantee."""

    over_target: Number = Field(gt=1)
    least_conversions: int = Field(ge=1)
    most_edits: int = Field(ge=0)
    window_days: int = Field(ge=1)


class PackSettings(Settings):
    """Audience packs."""

    code: Literal["plain", "sha256", "md5"]
    least_people: int = Field(ge=1)
    chunk_people: int = Field(ge=1)


class ExportSettings(Settings):
    """What the console asks of a launch: see configs/export.yaml."""

    minimums: MinimumSettings
    guarantee: GuaranteeSettings
    packs: PackSettings
    refund_share: Number = Field(ge=0, lt=1)
    planned_edits: int = Field(ge=0)
    salt_file: str | None


class ProgrammesSettings(Settings):
    """Support programmes and boards: see configs/programmes.yaml."""

    programmes: tuple[Programme, ...] = Field(strict=False)
    boards: tuple[Board, ...] = Field(strict=False)


class RunSettings(Settings):
    """The three jobs of `targeting run` in one file: see configs/run.yaml."""

    train: TrainSettings
    score: ScoreSettings
    plan: PlanSettings


class SimulateSettings(Settings):
    """Which world `targeting simulate` makes: see configs/simulate.yaml."""

    world: str
    users: int | None = Field(ge=1)
    seed: int = Field(ge=0)


class EvaluateSettings(ReadingSettings):
    """How `targeting evaluate` judges: see configs/evaluate.yaml."""

    horizon_days: int | None = Field(ge=1, le=365)
    as_of: datetime | None
    campaign_id: str | None


class BacktestSettings(ReadingSettings):
    """How `targeting backtest` walks through the data: see configs/backtest.yaml."""

    windows: int = Field(ge=1, le=50)
    window_days: int = Field(ge=1, le=365)
    train_days: int = Field(ge=1)
    min_audience: int | None = Field(ge=1)
    draws: int = Field(ge=1)
    seed: int = Field(ge=0)
    threads: int = Field(ge=1)


class DemoSettings(SimulateSettings):
    """Which world `targeting demo` plans for: see configs/demo.yaml."""


JOBS: Mapping[str, type[Settings]] = {
    "train": TrainSettings,
    "score": ScoreSettings,
    "plan": PlanSettings,
    "assign": AssignSettings,
    "export": ExportSettings,
    "programmes": ProgrammesSettings,
    "run": RunSettings,
    "simulate": SimulateSettings,
    "evaluate": EvaluateSettings,
    "backtest": BacktestSettings,
    "demo": DemoSettings,
}


def load(kind: type[S], path: Path | None = None, **overrides: object) -> S:
    """Settings of one job: the packaged defaults, then the user's file, then `overrides` that are not None.

    Raises:
        CampaignError: the file cannot be read, or a key is unknown or has a wrong value.
    """
    job = next(name for name, settings in JOBS.items() if settings is kind)
    given = read_yaml(path) if path else {}
    source = str(path) if path else f"configs/{job}.yaml"
    merged = _merge(defaults(job), given)
    merged.update({key: value for key, value in overrides.items() if value is not None})
    try:
        return kind.model_validate(merged)
    except ValidationError as error:
        raise one_line(error, source=source, models=_models(kind)) from error


def defaults(job: str) -> dict[str, object]:
    """The packaged defaults of a job; those of `run` are composed of its three parts' files."""
    text = resources.files("configs").joinpath(f"{job}.yaml").read_text(encoding="utf-8")
    values: dict[str, Any] = yaml.safe_load(text)
    if job == "run":
        return {part: _merge(defaults(part), own or {}) for part, own in values.items()}
    return values


def _models(kind: type[BaseModel]) -> tuple[type[BaseModel], ...]:
    """`kind` and the models of its blocks, for the message about an unknown key."""
    blocks = (field.annotation for field in kind.model_fields.values())
    return (kind, *(b for b in blocks if isinstance(b, type) and issubclass(b, BaseModel)))


def _merge(base: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    """`over` on top of `base`, block by block (a block is a mapping)."""
    merged = dict(base)
    for key, value in over.items():
        inner = merged.get(key)
        both = isinstance(inner, Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(inner, value) if both else value  # type: ignore[arg-type]
    return merged
