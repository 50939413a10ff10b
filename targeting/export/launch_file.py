"""export.json: the manifest of a launch: units, money, what was dropped and why, packs, rules."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from targeting.export.export_rules import ExportRules
from targeting.export.packs import Pack
from targeting.export.units import Launch, Unit


def launch_text(launch: Launch, packs: list[Pack], rules: ExportRules, *, campaign_id: str) -> str:
    """The file's text; ids of people are in the packs' files only, and no salt is anywhere."""
    content = {
        "campaign_id": campaign_id,
        "money": {
            "planned_cny": launch.planned_cny,
            "launched_cny": launch.launched_cny,
            "dropped_cny": launch.dropped_cny,
            "rounded_cny": launch.rounded_cny,
        },
        "campaigns": launch.campaigns,
        "units": [_unit(unit) for unit in launch.units],
        "dropped": [asdict(one) for one in launch.dropped],
        "packs": [_pack(pack) for pack in packs],
        "rules": asdict(rules),
    }
    return json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def _unit(unit: Unit) -> dict[str, Any]:
    when = unit.schedule
    dates = {"first": when.first and when.first.isoformat(), "last": when.last and when.last.isoformat()}
    plain = {key: value for key, value in vars(unit).items() if key not in ("schedule", "bid", "cover")}
    return {
        **plain,
        "dates": len(when.days),
        **dates,
        "schedule_24x7": when.bits(24),
        "schedule_48x7": when.bits(48),
        "bid": asdict(unit.bid),
        "guarantee": asdict(unit.cover),
    }


def _pack(pack: Pack) -> dict[str, Any]:
    files = {name: ids.height for name, ids in pack.files.items()}
    return {
        "name": pack.name,
        "use": pack.use,
        "segment": pack.segment,
        "people": pack.people,
        "files": files,
        "why": pack.why,
    }
