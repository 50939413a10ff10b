"""JSON Schemas of everything a person writes by hand: the brief and each job's settings."""

from __future__ import annotations

from typing import Any

from models.errors import CampaignError
from pipelines.config.job_settings import JOBS
from targeting.campaign import campaign_schema
from targeting.campaign.messages import nearest


def find_schema(name: str) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of `campaign` or of a job's settings.

    Raises:
        CampaignError: no such name; the message lists the known ones.
    """
    if name == "campaign":
        return campaign_schema()
    if name in JOBS:
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **_optional(JOBS[name].model_json_schema()),
        }
    known = ("campaign", *JOBS)
    raise CampaignError(f"schema {name}: not known{nearest(name, known)}; expected one of {', '.join(known)}")


def _optional(schema: dict[str, Any]) -> dict[str, object]:
    """The schema of a settings file: every key may be left out, since the packaged defaults fill it in."""
    blocks = {name: _optional(block) for name, block in schema.get("$defs", {}).items()}
    kept = {key: value for key, value in schema.items() if key not in ("required", "$defs")}
    return {**kept, **({"$defs": blocks} if blocks else {})}
