"""Job `export`: a plan as what a console takes: a sheet of units, audience packs, and where the money is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from models.errors import CampaignError
from models.escaping.tables import for_cells
from pipelines import tracking
from pipelines.config.job_settings import ExportSettings, load
from pipelines.shell import Tell, silent
from pipelines.store import claim, disk
from pipelines.store.plans import read_plan
from pipelines.store.workbook import write_workbook
from targeting.decision.verbs import Plan
from targeting.export.console_terms import console_terms
from targeting.export.export_rules import ExportRules, Guarantee, Minimums, PackRules
from targeting.export.launch_file import launch_text
from targeting.export.packs import Pack, packs_of
from targeting.export.sheets import Format, Row, sheet_of
from targeting.export.units import Launch, launch_of

PACKS, CONTENT = "packs", "export.json"
_BOM = "\ufeff"


@dataclass(frozen=True)
class ExportResult:
    """What is to be launched, and where the money of the plan is."""

    out: str
    run_id: str
    format: str
    units: int
    planned_cny: float
    launched_cny: float
    dropped_cny: float
    rounded_cny: float
    packs: int
    warnings: tuple[str, ...] = ()


def run_export(
    *,
    plan: Path,
    form: Format,
    out: Path,
    config: Path | None = None,
    tracking_uri: str | None = None,
    tell: Tell = silent,
) -> ExportResult:
    """Write `units.csv` or `.xlsx` (a console's words: both), `packs/` and `export.json` into `out`.

    Raises:
        DataError: `plan` is no plan, or `out` cannot be written.
        CampaignError: a setting is wrong, or nothing of the plan can be launched.
    """
    settings = load(ExportSettings, config)
    salt = _salt(settings)
    rules = _rules(settings)
    with claim(out, inputs=(plan,)) as target:
        tell("reading")
        decided = read_plan(plan)
        inputs = {"plan": plan, "format": form, "settings": settings}
        prints = dict(decided.provenance.fingerprints)
        with tracking.job_run("export", tracking_uri=tracking_uri, inputs=inputs, fingerprints=prints) as run:
            tell("making units")
            launch = launch_of(decided, rules)
            if not launch.units:
                raise CampaignError(_nothing(launch, rules))
            packs = _packs(decided, launch, rules, salt)
            tell("writing")
            with target.replaced() as folder:
                _write(decided, launch, packs, form, folder)
                text = launch_text(launch, packs, rules, campaign_id=decided.campaign.campaign_id)
                disk.put(folder / CONTENT, text.encode())
            run.metrics({name: getattr(launch, f"{name}_cny") for name in ("launched", "dropped", "rounded")})
            run.file(out / CONTENT)
    return ExportResult(
        out=str(out),
        run_id=run.run_id,
        format=form,
        units=len(launch.units),
        planned_cny=launch.planned_cny,
        launched_cny=launch.launched_cny,
        dropped_cny=launch.dropped_cny,
        rounded_cny=launch.rounded_cny,
        packs=sum(bool(pack.files) for pack in packs),
        warnings=_warnings(launch, packs),
    )


def launch_sheet(plan: Plan, form: Format) -> pl.DataFrame:
    """The plan's units in the columns of a format, by the settings that come with us; without packs."""
    launch = launch_of(plan, _rules(load(ExportSettings, None)))
    return sheet_of(_rows(plan, launch, []), form)


def _rules(settings: ExportSettings) -> ExportRules:
    return ExportRules(
        minimums=Minimums(**settings.minimums.model_dump()),
        guarantee=Guarantee(**settings.guarantee.model_dump()),
        packs=PackRules(**settings.packs.model_dump()),
        refund_share=settings.refund_share,
        planned_edits=settings.planned_edits,
    )


def _salt(settings: ExportSettings) -> bytes:
    """The salt; it is in a file, so that no run and no manifest holds it."""
    if settings.packs.code == "plain":
        return b""
    if settings.salt_file is None:
        raise CampaignError(
            f"salt_file: packs.code {settings.packs.code} needs a salt; give a file whose first line it is"
        )
    try:
        lines = disk.read(Path(settings.salt_file)).splitlines()
    except OSError as error:
        raise CampaignError(f"salt_file: {settings.salt_file} cannot be read: {error.strerror}") from error
    if not lines or not lines[0].strip():
        raise CampaignError(f"salt_file: {settings.salt_file} is empty; expected the salt as its first line")
    return lines[0].strip()


def _packs(plan: Plan, launch: Launch, rules: ExportRules, salt: bytes) -> list[Pack]:
    """Lists for the segments that are launched; none where the plan knows no people."""
    if plan.audience is None:
        return []
    scores = plan.audience.scores
    fans = pl.Series("user_id", [], dtype=pl.String)
    if "eligible" in scores.columns:
        fans = scores.filter(~pl.col("eligible"))["user_id"].unique()
    wanted = list(dict.fromkeys(unit.segment for unit in launch.units))
    return packs_of(plan.audience.segments, fans, wanted=wanted, rules=rules.packs, salt=salt)


def _write(plan: Plan, launch: Launch, packs: list[Pack], form: Format, folder: Path) -> None:
    table = sheet_of(_rows(plan, launch, packs), form)
    if form != "xlsx":
        text = _BOM + for_cells(table).write_csv()
        disk.put(folder / "units.csv", text.encode())
    if form != "csv":
        write_workbook(table, folder / "units.xlsx", sheet="units")
    if any(pack.files for pack in packs):
        disk.make(folder / PACKS)
    for pack in packs:
        for name, ids in pack.files.items():
            disk.put(folder / PACKS / name, for_cells(ids).write_csv().encode())


def _rows(plan: Plan, launch: Launch, packs: list[Pack]) -> list[Row]:
    """Each unit with what belongs to its row."""
    include = {pack.segment: pack.name for pack in packs if pack.use == "include" and pack.files}
    exclude = ", ".join(pack.name for pack in packs if pack.use == "exclude" and pack.files)
    said: dict[str, dict[str, Any]] = {}
    if plan.audience is not None and "rule" in plan.audience.summary.columns:
        said = {row["segment"]: row for row in plan.audience.summary.iter_rows(named=True)}
    return [
        Row(
            unit=unit,
            ceiling_cny=launch.campaigns[unit.campaign],
            terms=console_terms(said.get(unit.segment, {}).get("rule")),
            precision=said.get(unit.segment, {}).get("rule_precision"),
            recall=said.get(unit.segment, {}).get("rule_recall"),
            # A report's segments are the console's own crowds: their name is the targeting.
            include=unit.segment if plan.audience is None else include.get(unit.segment, ""),
            exclude=exclude,
        )
        for unit in launch.units
    ]


def _nothing(launch: Launch, rules: ExportRules) -> str:
    if not launch.dropped:
        return "export: the plan spends nothing; there is nothing to launch"
    first = launch.dropped[0]
    return (
        f"export: every cell is below the platform's {rules.minimums.unit_day_cny:g} yuan a unit and day "
        f"({first.segment}, {first.placement}: {first.why}); plan with min_ticket_cny, or set minimums"
    )


def _warnings(launch: Launch, packs: list[Pack]) -> tuple[str, ...]:
    said = [
        f"{one.segment}, {one.placement}: {one.spend_cny:,.2f} yuan not launched: {one.why}"
        for one in launch.dropped
    ]
    said += [f"pack {pack.name}: not written: {pack.why}" for pack in packs if not pack.files]
    dear = [unit for unit in launch.units if _loses(unit.bid.cost_per_fan_cny, unit.bid.break_even_fan_cny)]
    said += [
        f"{unit.name}: a fan costs {unit.bid.cost_per_fan_cny:,.2f} yuan on average, more than the "
        f"{unit.bid.break_even_fan_cny:,.2f} that are kept of what it buys"
        for unit in dear
    ]
    return tuple(said)


def _loses(cost: float | None, kept: float | None) -> bool:
    return cost is not None and kept is not None and cost > kept
