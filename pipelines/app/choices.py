"""What a person set on the page, and the brief that it makes of the opened one. It needs no page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from targeting.campaign import Campaign, parse_campaign
from targeting.words import Words, words_in

Shares = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Choice:
    """The controls of the page; what is None or empty leaves the opened brief as it is.

    Attributes:
        budget_cny: yuan.
        objective: what is counted.
        margin, fee: of a yuan of GMV; None leaves the brief's economics.
        roi_target: spend as much as returns this on average.
        roi_floor: GMV (or fans) per yuan that the whole plan returns at least.
        placements, segments: name -> least and most share of the budget, 0..1.
        most_share: no segment may have more than this share.
        min_ticket_cny: a unit gets nothing or at least this.
        bad_case: floor of the mean of the worst fifth of what the curves allow.
        kept: names of the brief's own rules that stay; None keeps all.
    """

    budget_cny: float
    objective: str | None = None
    margin: float | None = None
    fee: float | None = None
    roi_target: float | None = None
    roi_floor: float | None = None
    placements: Shares = field(default_factory=dict)
    segments: Shares = field(default_factory=dict)
    most_share: float = 1.0
    min_ticket_cny: float | None = None
    bad_case: float | None = None
    kept: tuple[str, ...] | None = None


def changed_brief(campaign: Campaign, choice: Choice, words: Words | None = None) -> Campaign:
    """The opened brief with what was chosen; its rules are named in the reader's words.

    Raises:
        CampaignError: what was chosen is no brief.
    """
    w = words or words_in("en")
    brief = campaign.model_dump(mode="json", exclude_none=True)
    rules = [row for row in brief.get("constraints", []) if choice.kept is None or row["name"] in choice.kept]
    rules += _shares(w, "placement", choice.placements) + _shares(w, "segment", choice.segments)
    if choice.most_share < 1:
        name = w.rule_no_segment.format(share=w.share(choice.most_share))
        rules.append({"kind": "bounds", "name": name, "each": "segment", "max_share": choice.most_share})
    if choice.roi_target is not None:
        rules = [row for row in rules if row["kind"] != "target"]
        rules.append(
            {"kind": "target", "name": w.desk_roi_target, "metric": "roi", "value": choice.roi_target}
        )
    if choice.roi_floor is not None:
        rules.append({"kind": "roi_floor", "name": w.desk_roi_floor, "min": choice.roi_floor})
    if choice.bad_case is not None:
        rules = [row for row in rules if row["kind"] != "risk"]
        risk = {"kind": "risk", "measure": "cvar", "level": 0.2, "floor": choice.bad_case}
        rules.append({**risk, "name": w.desk_bad_case})
    changed: dict[str, Any] = {**brief, "budget_cny": choice.budget_cny, "constraints": rules}
    if choice.objective is not None:
        changed["objective"] = choice.objective
    if choice.margin is not None:
        changed["economics"] = {"gross_margin": choice.margin, "fee_rate": choice.fee or 0.0}
    if choice.min_ticket_cny is not None:
        changed["min_ticket_cny"] = choice.min_ticket_cny
    return parse_campaign(changed, "brief")


def _shares(w: Words, key: str, shares: Shares) -> list[dict[str, Any]]:
    """A rule for each name whose share has a lower or an upper end."""
    rules = []
    for name, (least, most) in shares.items():
        limits = ({"min_share": least} if least > 0 else {}) | ({"max_share": most} if most < 1 else {})
        said = w.placement(name) if key == "placement" else w.segment(name)
        told = w.rule_share.format(what=said, least=w.share(least), most=w.share(most))
        if limits:
            rules.append({"kind": "bounds", "name": told, key: name, **limits})
    return rules
