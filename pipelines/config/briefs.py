"""Reads a campaign brief and the last plan that it points to.

The file edge of `targeting.campaign`; it must not decide anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from models.errors import CampaignError, DataError
from pipelines.config.yaml_file import read_yaml
from pipelines.store import read_table
from targeting.campaign import Campaign, parse_campaign

_COLUMNS = ("segment", "placement", "spend_cny")


@dataclass(frozen=True)
class Brief:
    """A brief as it was read.

    Attributes:
        campaign: what it says.
        path: its file.
        last_plan: the allocation it points to, or None.
    """

    campaign: Campaign
    path: Path
    last_plan: pl.DataFrame | None

    def files(self) -> dict[str, Path]:
        """Every file that was read, by name: a replay needs the same ones."""
        last = _last_plan_path(self.campaign, brief=self.path)
        return {"campaign": self.path} | ({} if last is None else {"last_plan": last})


def read_brief(path: Path) -> Brief:
    """The brief in a YAML (or JSON) file, with its last plan.

    Raises:
        CampaignError: one of the two cannot be read, or a key of the brief is wrong.
    """
    campaign = parse_campaign(read_yaml(path), str(path))
    return Brief(campaign, path, _read_last_plan(campaign, brief=path))


def _read_last_plan(campaign: Campaign, *, brief: Path) -> pl.DataFrame | None:
    """The allocation that the brief's `last_plan` names, relative to the brief; None where it names none.

    Raises:
        CampaignError: there is no such file, or it is no allocation.
    """
    path = _last_plan_path(campaign, brief=brief)
    if path is None:
        return None
    expected = f"expected an allocation with {', '.join(_COLUMNS)}"
    try:
        table = read_table(path)
        if missing := [name for name in _COLUMNS if name not in table.columns]:
            raise DataError(f"{path} has no column {missing[0]!r}")
        return table.with_columns(pl.col(_COLUMNS[-1]).cast(pl.Float64))
    except (DataError, pl.exceptions.PolarsError) as error:
        text = " ".join(str(error).split())
        raise CampaignError(f"{brief}: last_plan: {text}; {expected}") from error


def _last_plan_path(campaign: Campaign, *, brief: Path) -> Path | None:
    """Where the last plan is: a file, or the allocation.csv of a plan directory."""
    if campaign.last_plan is None:
        return None
    path = brief.parent / campaign.last_plan
    return path / "allocation.csv" if path.is_dir() else path
