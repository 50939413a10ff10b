"""Writes a simulated merchant as a merchant would hand it in, with the truth beside it in `truth/`.

The jobs never read `truth/`; it is there for people and benchmarks that judge a plan.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from pipelines.config.job_settings import SimulateSettings, load
from pipelines.shell import Tell, silent
from pipelines.store import atomic_directory, write_table
from targeting.world import simulate

BRIEF = "campaign.yaml"


@dataclass(frozen=True)
class SimulateResult:
    """What `targeting simulate` wrote."""

    out: str
    campaign: str
    world: str
    seed: int
    users: int
    exposures: int
    orders: int


def run_simulate(
    *,
    out: Path,
    config: Path | None = None,
    world: str | None = None,
    users: int | None = None,
    seed: int | None = None,
    tell: Tell = silent,
) -> SimulateResult:
    """Simulate and write `users`, `exposures`, `orders` (Parquet), `campaign.yaml` and `truth/`.

    Raises:
        CampaignError: no such world, or a wrong setting.
        DataError: `out` cannot be written.
    """
    settings = load(SimulateSettings, config, world=world, users=users, seed=seed)
    with atomic_directory(out) as folder:
        made = simulate(settings.world, users=settings.users, seed=settings.seed)
        tell(f"{made.users.height:,} people of world {settings.world}")
        for name, table in (("users", made.users), ("exposures", made.exposures), ("orders", made.orders)):
            write_table(table, folder / f"{name}.parquet")
        brief = yaml.safe_dump(dict(made.campaign), sort_keys=False, allow_unicode=True)
        (folder / BRIEF).write_text(brief, encoding="utf-8")
        truth = folder / "truth"
        truth.mkdir()
        write_table(made.truth.scores(), truth / "scores.parquet")
        origin = {
            "world": settings.world,
            "users": made.users.height,
            "seed": settings.seed,
            "mechanisms": dict(made.kind.mechanisms),
        }
        (truth / "world.json").write_text(json.dumps(origin), encoding="utf-8")
    return SimulateResult(
        out=str(out),
        campaign=str(out / BRIEF),
        world=settings.world,
        seed=settings.seed,
        users=made.users.height,
        exposures=made.exposures.height,
        orders=made.orders.height,
    )
