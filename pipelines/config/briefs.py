"""Reads a campaign brief and the last plan that it points to.

The file edge of `targeting.campaign`; it must not decide anything.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from models.contracts.quarantine import worst_in_words
from models.errors import CampaignError, DataError
from pipelines.config.yaml_file import read_yaml
from pipelines.store import conform_raw, fingerprint, read_raw
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

    @property
    def prints(self) -> dict[str, str]:
        """Fingerprints of what was read, by name: a replay needs the same."""
        brief = hashlib.sha256(self.campaign.model_dump_json().encode()).hexdigest()[:32]
        last = {} if self.last_plan is None else {"last_plan": fingerprint(self.last_plan)}
        return {"campaign": brief, **last}


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
        raw = read_raw(path, "allocation")
        if "spend_cny" in raw.frame.columns:  # our own allocation.csv says it in 厘 as well
            raw = replace(raw, frame=raw.frame.drop("spend_li", strict=False))
        read = conform_raw(raw, "allocation")
        if not read.rejected.is_empty():
            raise DataError(f"{path}: {worst_in_words(read.rejected)}")
    except DataError as error:
        raise CampaignError(f"{brief}: last_plan: {error}; {expected}") from error
    table = read.good
    return table.select(name for name in table.columns if table[name].null_count() < table.height)


def _last_plan_path(campaign: Campaign, *, brief: Path) -> Path | None:
    """Where the last plan is: a file, or the allocation.csv of a plan directory."""
    if campaign.last_plan is None:
        return None
    path = brief.parent / campaign.last_plan
    return path / "allocation.csv" if path.is_dir() else path
