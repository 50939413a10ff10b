"""What a backtest holds and says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from pydantic import TypeAdapter

from models.contracts import Dataset
from targeting.campaign import Campaign
from targeting.decision.verbs import Plan
from targeting.evaluation.backtest_windows import Window
from targeting.evaluation.reliability import Calibration
from targeting.plan.decided import DecidedPlan

_CALIBRATIONS = TypeAdapter(tuple[Calibration, ...])
PREDICTIONS = (
    "follows of randomised shown rows",
    "buyers among fans the coin won",
    "buyers among fans ranked delivery won (picked by the platform, so more may come)",
)


@dataclass(frozen=True, repr=False)
class Backtest:
    """Plans of the past against what their days brought.

    Attributes:
        windows: The walk.
        plans: The plan of each window.
        table: `TABLE`, a row per window x outcome (new_fans, new_fan_gmv_cny, spend_cny), and window 0 for
            all windows together: promised with its interval, realised (doubly robust, incremental over
            showing nobody, for all people and days of the plan) with standard error and interval, the same by
            inverse propensity and self-normalised, and the verdict.
        calibrations: `PREDICTIONS` over all windows, those of which enough was expected.
        horizon_days: How long purchases count.
        notes: What to know when reading it.
    """

    windows: tuple[Window, ...]
    plans: tuple[Plan, ...]
    table: pl.DataFrame
    calibrations: tuple[Calibration, ...]
    horizon_days: int
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """JSON-able values; unknown numbers are null."""
        finite = pl.selectors.float()
        return {
            "horizon_days": self.horizon_days,
            "table": self.table.with_columns(pl.when(finite.is_finite()).then(finite)).to_dicts(),
            "calibration": _CALIBRATIONS.dump_python(self.calibrations, mode="json"),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        """A line per row of the table, the calibrations, the notes."""
        lines = [_line(row) for row in self.table.iter_rows(named=True)]
        return "\n".join([*lines, *map(str, self.calibrations), *self.notes])

    __repr__ = __str__


def notes_of(
    dataset: Dataset,
    brief: Campaign,
    walk: tuple[Window, ...],
    plans: Sequence[DecidedPlan],
    judged: list[dict[str, object]],
    *,
    horizon_days: int,
) -> tuple[str, ...]:
    """What to know when reading it."""
    notes = [
        f"{len(walk)} window{'s' if len(walk) > 1 else ''} from {walk[0].start:%Y-%m-%d}"
        f" to {walk[-1].stop:%Y-%m-%d};"
        f" purchases count {horizon_days} days after the follow"
    ]
    if horizon_days < brief.horizon_days:
        notes.append(f"the brief's {brief.horizon_days} days would not be over within the data")
    late = dataset.users.filter(pl.col("snapshot_at") > walk[0].start).height
    if late:
        notes.append(f"{late:,} people whose snapshot is later than a window's start were left out of it")
    if any(c.kind == "change_limit" for c in brief.constraints):
        notes.append("change_limit was left out: a past window has no last plan")
    unjudged = len(walk) - len({row["window"] for row in judged})
    if unjudged:
        notes.append(f"{unjudged} windows had too few randomised rows to be judged")
    notes.append(
        "realised GMV is all that the fans bought after they followed, the promise only what the follow adds"
    )
    kinds = sorted({plan.claims["kind"] for plan in plans})
    notes.append(f"the plans claimed: {', '.join(kinds)}")
    return (*notes, *dataset.warnings)


def _line(row: Mapping[str, Any]) -> str:
    where = "all windows" if row["window"] == 0 else f"from {row['start']:%Y-%m-%d}"
    promised = "nothing" if row["promised"] is None else _number(row["promised"])
    if row["promised_low_80"] is not None:
        promised += f" ({_number(row['promised_low_80'])} to {_number(row['promised_high_80'])})"
    # Without an event the estimate has no spread, which is not certainty.
    band = f"80 %: {_number(row['low_80'])} to {_number(row['high_80'])}; " if row["events"] else ""
    events = f"{row['events']} event{'' if row['events'] == 1 else 's'}"
    return (
        f"{where}, {row['outcome']}: promised {promised}, realised {_number(row['realised'])}"
        f" ({band}{events}): {row['verdict']}"
    )


def _number(number: float | None) -> str:
    return "unknown" if number is None else f"{number:,.4g}" if abs(number) < 10 else f"{number:,.0f}"
