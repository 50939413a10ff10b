"""A decided plan as data: the brief, the market it was decided on, the certified solution, every figure.

The bottom of this room: baselines, packages, files and the report take a `DecidedPlan`; the object with verbs
(`targeting.decision.verbs.Plan`) adds nothing to it but questions. It must not import anything that computes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import BeforeValidator

from models.stored import Array, File, Rows
from models.supply.curves import FloatArray
from targeting.allocation.problem import LI_PER_CNY, Market, Problem, Solution
from targeting.audience import Audience
from targeting.campaign import Campaign
from targeting.plan.promise import Interval
from targeting.plan.provenance import Provenance
from targeting.plan.realised import Range
from targeting.plan.room_filled import RoomFilled, room_filled
from targeting.segments.diagnosis import Diagnosis

ALLOCATION_COLUMNS = (
    "segment", "placement", "slot", "spend_cny", "spend_li", "impressions", "new_fans", "new_fan_gmv_cny",
    "impressions_low", "impressions_high", "new_fans_low", "new_fans_high",
    "new_fan_gmv_cny_low", "new_fan_gmv_cny_high", "marginal_gmv_per_cny", "reason",
)  # fmt: skip
UNITS = {
    "new_fan_gmv": "yuan of new-fan GMV",
    "new_fans": "new fans",
    "live_entries": "live entries",
    "profit": "yuan of profit",
}


BASELINES = {
    "label": pl.String,
    "spend_cny": pl.Float64,
    "value": pl.Float64,
    "new_fans": pl.Float64,
    "new_fan_gmv_cny": pl.Float64,
    "feasible": pl.Boolean,
}
Finite = Annotated[float | None, BeforeValidator(lambda x: x if x is not None and isfinite(x) else None)]
"""A number, or None where JSON has no word for it."""


class PlanFile(File):
    """plan.json (DESIGN 3.3), with the baselines and the brief beside it."""

    status: Literal["optimal", "within_gap", "time_limit"]
    objective: str
    value: float
    upper_bound: Finite
    gap: Finite
    budget_cny: float
    spend_cny: float
    expected: Mapping[str, Interval | None]
    realised: Mapping[str, Range | None] = {}
    live_room: RoomFilled | None = None
    shadow_prices: Mapping[str, Finite]
    yuan_price: Finite = None
    binding: tuple[str, ...]
    claims: Mapping[str, str]
    model_uri: str | None
    fingerprints: Mapping[str, str]
    versions: Mapping[str, str]
    baselines: Annotated[pl.DataFrame, Rows(BASELINES)]
    diagnosis: Diagnosis | None
    last_spend_cny: Array | None
    past_spend_cny: Array | None = None
    unknown: tuple[str, ...]
    rejected_rows: int
    warnings: tuple[str, ...] = ()
    programmes: tuple[str, ...] = ()
    programmes_in: Mapping[str, tuple[str, ...]] = {}
    campaign: Mapping[str, object]


@dataclass(frozen=True, repr=False)
class DecidedPlan:
    """Whom to show, where, with how much money; what it earns; how far from the best it can be.

    Attributes:
        campaign: the brief.
        problem: what was maximised, subject to what; `problem.market` is what money buys.
        solution: spend in whole 厘, value, bound, prices.
        allocation: one row per segment x placement x slot, columns `ALLOCATION_COLUMNS`.
        expected: totals by name (`new_fans`, `new_fan_gmv_cny`, `profit_cny`), None where unknown.
        make_baselines, make_curves: give the tables `baselines` and `curves`, which many who ask for a plan
            never look at: of 400 units with 200 draws they take as long as all the rest of it.
        provenance: model, data and claims.
        audience: scores and segments, where the plan was made for people rather than supplied curves.
        last_spend_cny: (n_cells,) the brief's last plan, which change_limit refers to.
        past_spend_cny: (n_cells,) how money was split before, of any scale; None where nothing is known.
        realised: what the campaign's own totals will lie between, chance included, by the names of
            `expected`; None where chance is not known, empty in a plan of before that has no such range.
    """

    campaign: Campaign
    problem: Problem
    solution: Solution
    allocation: pl.DataFrame
    expected: Mapping[str, Interval | None]
    make_baselines: Callable[[], pl.DataFrame]
    make_curves: Callable[[], pl.DataFrame]
    provenance: Provenance
    audience: Audience | None = None
    last_spend_cny: FloatArray | None = None
    past_spend_cny: FloatArray | None = None
    realised: Mapping[str, Range | None] = field(default_factory=dict)

    @cached_property
    def baselines(self) -> pl.DataFrame:
        """The plans that a merchant would make otherwise: the columns of `BASELINES`."""
        return self.make_baselines()

    @cached_property
    def curves(self) -> pl.DataFrame:
        """The fitted curves as points with intervals, the columns of `curve_table`."""
        return self.make_curves()

    @property
    def market(self) -> Market:
        """What money buys, with its uncertainty."""
        return self.problem.market

    @property
    def status(self) -> str:
        """`optimal`, `within_gap` or `time_limit`."""
        return self.solution.status

    @property
    def value(self) -> float:
        """The objective at the plan, recomputed from the true curves."""
        return self.solution.value

    @property
    def upper_bound(self) -> float:
        """No plan that respects the constraints can be worth more on these curves."""
        return self.solution.upper_bound

    @property
    def gap(self) -> float:
        """upper_bound / value - 1."""
        return self.solution.gap

    @property
    def shadow_prices(self) -> Mapping[str, float]:
        """Objective per natural step of each constraint's numbers (`campaign.steps`), by its name."""
        return self.solution.shadow_prices

    @property
    def binding(self) -> tuple[str, ...]:
        """Names of the constraints that hold with equality."""
        return self.solution.binding

    @property
    def budget_cny(self) -> float:
        """The brief's budget."""
        return self.problem.budget_cny

    @property
    def spend_cny(self) -> float:
        """What the plan spends."""
        return int(self.allocation["spend_li"].sum()) / LI_PER_CNY

    @property
    def live_room(self) -> RoomFilled | None:
        """How full the plan makes the live room on an average day; None where nothing is known of one."""
        return room_filled(self.market, self.solution.spend_cny, days=self.campaign.days)

    @property
    def claims(self) -> Mapping[str, str]:
        """{kind: causal | observational, why}."""
        return self.provenance.claims

    def to_dict(self) -> dict[str, Any]:
        """What plan.json holds (`PlanFile`); infinite or unknown numbers are null."""
        solved = ("status", "value", "upper_bound", "gap", "shadow_prices", "yuan_price", "binding")
        content = PlanFile(
            **vars(self.provenance),
            **{name: getattr(self.solution, name) for name in solved},
            objective=self.campaign.objective,
            budget_cny=self.budget_cny,
            spend_cny=self.spend_cny,
            expected=self.expected,
            realised=self.realised,
            live_room=self.live_room,
            baselines=self.baselines,
            diagnosis=None if self.audience is None else self.audience.diagnosis,
            last_spend_cny=self.last_spend_cny,
            past_spend_cny=self.past_spend_cny,
            campaign=self.campaign.model_dump(mode="json"),
        )
        return content.model_dump(mode="json")
