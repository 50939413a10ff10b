"""What support is worth to a plan: each programme taken away and the brief decided anew; boards within reach.

A lower fee changes what is kept of a yuan of GMV, so it moves a plan for profit and no other. Granted
impressions reach people that money would have reached: they lower what the next paid impression brings in
their cells, so money moves elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import erf, sqrt

from models.errors import InfeasibleError
from targeting.campaign import Campaign
from targeting.campaign.constraints import Target
from targeting.decision.decide import decide
from targeting.decision.verbs import Plan
from targeting.grants import with_grants
from targeting.programmes.programme_rules import Board, Programme
from targeting.programmes.support import supported
from targeting.programmes.verdicts import Verdict, facts_of
from targeting.words import Words, words_in

_Z80 = 1.2815515655446004
_TARGET = "board"


def with_worth(
    plan: Plan, written: Campaign, programmes: Sequence[Programme], verdicts: Sequence[Verdict]
) -> tuple[Verdict, ...]:
    """The verdicts, those that were granted with what they are worth in yuan of profit.

    Args:
        plan: of the brief with all of them.
        written: the brief before them.
        programmes: the rules. verdicts: on each, in the same order.
    """
    return tuple(
        replace(verdict, worth_cny=_worth(plan, written, programmes, verdicts, verdict.name))
        if verdict.outcome == "granted"
        else verdict
        for verdict in verdicts
    )


def _worth(
    plan: Plan, written: Campaign, programmes: Sequence[Programme], verdicts: Sequence[Verdict], name: str
) -> float | None:
    """Profit of the plan less that of the best plan without one programme; cash counts as money received."""
    brief = supported(written, programmes, verdicts, without=name)
    with_it = plan.expected.get("profit_cny")
    if brief == plan.campaign or with_it is None:
        return 0.0 if with_it is not None else None
    other = _decided(plan, brief).expected.get("profit_cny")
    cash = plan.campaign.budget_cny - brief.budget_cny
    return None if other is None else with_it.value + cash - other.value


def _decided(plan: Plan, brief: Campaign) -> Plan:
    """Another brief on the same market, with its own grants."""
    bare = with_grants(plan.market, plan.campaign.grants, sign=-1.0)
    market = with_grants(bare, brief.grants)
    return decide(campaign=brief, market=market, provenance=plan.provenance, last_plan=plan.last_spend_cny)


@dataclass(frozen=True)
class BoardOutlook:
    """How near a board is.

    Attributes:
        name, title: of the board.
        reached: what the fact says now; None where it is not known.
        missing: to the target.
        chance: that the plan's new-fan GMV fills it; None where the plan has no interval.
        cheapest_cny: spend of the cheapest plan that is expected to; None where no plan within the budget is.
    """

    name: str
    title: str
    reached: float | None
    missing: float | None
    chance: float | None
    cheapest_cny: float | None

    def said(self, w: Words) -> str:
        """One line."""
        if self.reached is None or self.missing is None:
            return w.board_unknown.format(title=self.title)
        if self.missing == 0:
            return w.board_reached.format(title=self.title, reached=self.reached)
        chance = "" if self.chance is None else w.board_chance.format(chance=self.chance)
        cost = w.board_no_plan if self.cheapest_cny is None else w.board_cost.format(cost=self.cheapest_cny)
        return w.board_missing.format(title=self.title, missing=self.missing, chance=chance, cost=cost)

    def __str__(self) -> str:
        """One line in English."""
        return self.said(words_in("en"))


def outlook(plan: Plan, boards: Sequence[Board]) -> tuple[BoardOutlook, ...]:
    """Progress, chance under the plan, and the cheapest plan, for each board."""
    return tuple(_outlook(plan, board) for board in boards)


def _outlook(plan: Plan, board: Board) -> BoardOutlook:
    facts = facts_of(plan.campaign)
    held = next((facts[name] for name in board.fact if name in facts), None)
    if not isinstance(held, int | float):
        return BoardOutlook(board.name, board.title, None, None, None, None)
    missing = max(board.target - float(held), 0.0)
    if missing == 0:
        return BoardOutlook(board.name, board.title, float(held), 0.0, 1.0, 0.0)
    chance = _chance(plan, missing)
    return BoardOutlook(board.name, board.title, float(held), missing, chance, _cheapest(plan, missing))


def _chance(plan: Plan, missing: float) -> float | None:
    """P(new-fan GMV >= missing), normal with the plan's mean and the interval of what will really come."""
    mean, coming = plan.expected.get("new_fan_gmv_cny"), plan.realised.get("new_fan_gmv_cny")
    ends = coming or mean
    if mean is None or ends is None or ends.low is None or ends.high is None or ends.high <= ends.low:
        return None
    deviation = (ends.high - ends.low) / (2 * _Z80)
    return 0.5 * (1 - erf((missing - mean.value) / (deviation * sqrt(2))))


def _cheapest(plan: Plan, missing: float) -> float | None:
    target = Target(kind="target", name=_TARGET, metric="new_fan_gmv", value=missing)
    others = tuple(c for c in plan.campaign.constraints if c.kind != "target")
    brief = plan.campaign.model_copy(update={"constraints": (*others, target)})
    try:
        return _decided(plan, brief).spend_cny
    except InfeasibleError:
        return None
