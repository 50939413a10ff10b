"""docs/constraints.md, from the models: `python -m targeting.campaign.cookbook > docs/constraints.md`.

What a kind means is its model's docstring, its numbers and their steps are those of `steps`; only an example
and the usual conflict are told here. It must not import anything of `targeting.allocation`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from inspect import cleandoc
from typing import Any

import yaml

from targeting.campaign.constraints import KINDS, BaseConstraint, parse_constraints
from targeting.campaign.steps import Step, steps_of

EXAMPLES: Mapping[str, tuple[tuple[Mapping[str, Any], ...], str]] = {
    "bounds": (
        (
            {"kind": "bounds", "placement": "live", "min_share": 0.3},
            {"kind": "bounds", "each": "cell", "max_cny": 5000},
        ),
        "floors that add up to more than the budget; a floor above what the caps of its cells allow",
    ),
    "ratio": (
        ({"kind": "ratio", "of": {"placement": "live"}, "to": {"placement": "video"}, "max": 2.0},),
        "a `min` that the caps of the first selection cannot reach",
    ),
    "min_if_used": (
        ({"kind": "min_if_used", "min_cny": 100},),
        "more cells with a floor than the budget has tickets; `min_ticket_cny` says the same for every cell",
    ),
    "max_active": (
        ({"kind": "max_active", "n": 6},),
        "floors in more cells than may be active",
    ),
    "roi_floor": (
        ({"kind": "roi_floor", "placement": "video", "min": 1.5},),
        "a return that not even the first yuan brings, together with a floor on spend",
    ),
    "marginal_floor": (
        ({"kind": "marginal_floor", "min": 1.0},),
        "a floor on spend beyond the yuan at which a cell stops",
    ),
    "live_capacity": (
        ({"kind": "live_capacity", "viewers": 3000},),
        "a floor on the live room's spend that brings more viewers",
    ),
    "change_limit": (
        ({"kind": "change_limit", "max_share": 0.3},),
        "a budget much smaller or larger than the last plan's; needs `last_plan`",
    ),
    "fairness_floor": (
        ({"kind": "fairness_floor", "min_share": 0.2},),
        "a merchant whose cells are capped below its share",
    ),
    "frequency_cap": (
        ({"kind": "frequency_cap", "each": "segment", "impressions": 3.0},),
        "a floor on the spend of a small segment; not known for curves without numbers of people",
    ),
    "risk": (
        ({"kind": "risk", "measure": "cvar", "level": 0.1, "floor": 20000},),
        "a floor above what the safest plan reaches; needs draws, which supplied curves do not have",
    ),
    "target": (
        ({"kind": "target", "metric": "new_fans", "value": 500},),
        "a goal that the whole budget does not reach",
    ),
    "trial": (
        ({"kind": "trial", "max_cny": 500},),
        "floors on cells that were never tried; the brief's `trial_cny` says the same",
    ),
}
_HEAD = """# Constraint cookbook

Every kind of `constraints:` in a brief. Each takes a `name`, a selection (`segment`, `placement`, `slot`,
`fan_kind`, `campaign_id`, `merchant_id`: a value or a list; nothing selected is everything) and, where it
says so, `each` (`cell`, `segment`, `placement`, `slot`, `merchant`, `campaign`: it holds for each one apart).
A *price* is what one step more room brings, at the plan: `plan.shadow_prices` and plan.json have it as a
slope, `plan.prices()` and the report as the plan solved again. This page is written by
`python -m targeting.campaign.cookbook`; a test compares it with the models.
"""


def cookbook() -> str:
    """The page, in Markdown."""
    return _HEAD + "".join(_section(model) for model in KINDS)


def _section(model: type[BaseConstraint]) -> str:
    kind = model.model_fields["kind"].annotation.__args__[0]  # type: ignore[union-attr]
    written, conflict = EXAMPLES[kind]
    steps: dict[str, Step] = {}
    for constraint in parse_constraints(written):
        steps |= steps_of(constraint)
    lines = [f"`{key}`: {_step(step)}" for key, step in steps.items()]
    example = yaml.safe_dump([dict(w) for w in written], sort_keys=False, default_flow_style=None, width=200)
    meaning = cleandoc(model.__doc__ or "")
    return (
        f"\n## {kind}\n{meaning}\n\n```yaml\nconstraints:\n{_indented(example)}```\n"
        f"Price per step: {'; '.join(lines)}. Conflicts with: {conflict}.\n"
    )


def _step(step: Step) -> str:
    way = "higher" if step.outwards > 0 else "lower"
    size = "1 percentage point" if step.unit == "share" else f"{step.size:g} {step.unit}"
    return f"{size} {way}"


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())


if __name__ == "__main__":
    sys.stdout.write(cookbook())
