"""The decision as a thing one can read, compare, question, save and load back.

A `Plan` is frozen: it holds the brief, the market it was decided on, the certified solution and every number
recomputed from the true curves. What it can compute later (`frontier`, `why`, `violations`) it asks of
`targeting.allocation`; cvxpy is never imported here. No disk: `files()` gives frames and text, the pipelines
write them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from models.curves import FloatArray
from models.errors import DataError
from targeting.allocation.audit.check import Violation, violations
from targeting.allocation.problem import LI_PER_CNY, Market, Problem, Solution
from targeting.audience import Audience, diagnosis_to_dict
from targeting.campaign import Campaign
from targeting.plan.promise import Interval, known
from targeting.plan.provenance import Provenance
from targeting.printing import printed

if TYPE_CHECKING:
    from targeting.plan.packages import Packages

INTENSITIES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Money on a person of a package, as multiples of what the plan spends on a person of the segment."""
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


@dataclass(frozen=True, repr=False)
class Plan:
    """Whom to show, where, with how much money; what it earns; how far from the best it can be.

    Attributes:
        campaign: the brief.
        problem: what was maximised, subject to what; `problem.market` is what money buys.
        solution: spend in whole 厘, value, bound, prices.
        allocation: one row per segment x placement x slot, columns `ALLOCATION_COLUMNS`.
        expected: totals by name (`new_fans`, `new_fan_gmv_cny`, `profit_cny`), None where unknown.
        baselines: label, spend_cny, value (objective units), new_fans, new_fan_gmv_cny, feasible, cells
            (JSON spend).
        curves: fitted curves as points with intervals.
        provenance: model, data and claims.
        audience: scores and segments, where the plan was made for people rather than supplied curves.
        last_spend_cny: (n_cells,) the brief's last plan, which change_limit refers to.
    """

    campaign: Campaign
    problem: Problem
    solution: Solution
    allocation: pl.DataFrame
    expected: Mapping[str, Interval | None]
    baselines: pl.DataFrame
    curves: pl.DataFrame
    provenance: Provenance
    audience: Audience | None = None
    last_spend_cny: FloatArray | None = None

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
        """Objective per unit of each constraint's limit, by its name in the brief."""
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
    def claims(self) -> Mapping[str, str]:
        """{kind: causal | observational, why}."""
        return self.provenance.claims

    def violations(self, *, tolerance: float = 1e-6) -> tuple[Violation, ...]:
        """Constraints that the plan breaks, found by code independent of the optimiser; empty when it breaks
        none.
        """
        return violations(
            self.market,
            budget_cny=self.budget_cny,
            constraints=self.campaign.constraints,
            spend_cny=self.solution.spend_cny,
            objective=self.campaign.objective,
            last_plan=self.last_spend_cny,
            min_ticket_cny=self.campaign.min_ticket_cny,
            tolerance=tolerance,
        )

    def why(self, segment: str, placement: str, slot: int | None = None) -> str:
        """Why this cell got its money, or nothing, in words."""
        from targeting.allocation.explain.words import why

        here = (pl.col("segment") == segment) & (pl.col("placement") == placement)
        if slot is not None:
            here = here & (pl.col("slot") == slot)
        cells = self.market.cells.with_row_index("cell").filter(here)["cell"].to_list()
        if not cells:
            known = self.market.cells.select("segment", "placement").unique(maintain_order=True).rows()
            listed = "; ".join(f"{s}, {p}" for s, p in known[:8])
            raise DataError(f"plan: has no cell {segment!r}, {placement!r}; its cells are {listed}")
        return " ".join(why(self.market, self.problem, self.solution, cell) for cell in cells)

    def frontier(
        self, budgets: Iterable[float], *, gap_tol: float = 1e-6, time_limit_s: float = 60.0
    ) -> pl.DataFrame:
        """The best plan for each budget: budget_cny, status, spend_cny, value, upper_bound, gap and more."""
        from targeting.allocation.whatif.frontier import frontier
        from targeting.plan.decision import compiled

        def problem_at(budget_cny: float) -> Problem:
            return compiled(
                self.market, campaign=self.campaign, last=self.last_spend_cny, budget_cny=budget_cny
            )

        return frontier(problem_at, budgets=budgets, gap_tol=gap_tol, time_limit_s=time_limit_s)

    def scenarios(self, changes: Mapping[str, Mapping[str, Any]]) -> pl.DataFrame:
        """The best plan of other briefs on the same curves, beside this one.

        Args:
            changes: scenario name -> keys of the brief that differ, e.g.
                `{"more money": {"budget_cny": 3e5}, "no limits": {"constraints": []}}`.

        Returns:
            The columns of `frontier` after `scenario`; the first row is this plan's own brief.
        """
        from targeting.plan.decision import scenarios

        return scenarios(self, changes)

    def experiments(self) -> pl.DataFrame:
        """Which cell's uncertainty is worth an experiment: expected value of knowing it, and a probe's cost.

        Raises:
            CampaignError: the market has no draws.
        """
        from targeting.allocation.whatif.sensitivity import value_of_information

        return value_of_information(self.problem, self.solution)

    def compare(self, other: Plan | pl.DataFrame | Mapping[Any, Any]) -> pl.DataFrame:
        """This plan beside another spend, both valued on *this* plan's curves.

        Args:
            other: a Plan, a frame with `segment`, `placement`, (`slot`,) `spend_cny`, or a mapping
                {(segment, placement): yuan}. Cells it does not name get nothing.

        Returns:
            One row per cell and a last row `total`: spend and GMV here and there, and the differences.

        Raises:
            DataError: `other` names a cell that this plan's market does not have.
        """
        from targeting.plan.baselines import compared

        return compared(self, other)

    def offers(self, *, intensities: Sequence[float] = INTENSITIES) -> pl.DataFrame:
        """What each eligible person is worth and costs on this plan's curves, for `targeting.assign`.

        Args:
            intensities: multiples of what the plan spends on a person of the same segment and placement.

        Returns:
            A row per person, placement and intensity (`package`): `targeting.plan.packages.OFFER_COLUMNS`.
            That module says what is assumed.
        """
        from targeting.plan.packages import offers_of

        return offers_of(self, intensities=intensities)

    def packages(
        self,
        *,
        intensities: Sequence[float] = INTENSITIES,
        exclusive: bool = False,
        limits: Sequence[Mapping[str, Any]] = (),
        gap_tol: float = 1e-6,
    ) -> Packages:
        """Lists of people to upload with this plan's money, and what that gains over whole segments.

        Args:
            intensities: as in `offers`.
            exclusive: whether a person may be in the packages of one placement only.
            limits: as in `targeting.assign`, beside each placement's spend as planned and the brief's
                live_capacity. The brief's other constraints speak of segments and are not looked at.
            gap_tol: as in `targeting.assign`.

        Raises:
            DataError: the plan knows no people.
            CampaignError: it has several slots, or an argument is wrong.
        """
        from targeting.plan.packages import packages_of

        return packages_of(self, intensities=intensities, exclusive=exclusive, limits=limits, gap_tol=gap_tol)

    def to_dict(self) -> dict[str, Any]:
        """plan.json (DESIGN 3.3), with the baselines and the brief beside it; infinite or unknown numbers
        are null.
        """
        solution, provenance = self.solution, self.provenance
        return {
            "status": solution.status,
            "objective": self.campaign.objective,
            "value": solution.value,
            "upper_bound": finite(solution.upper_bound),
            "gap": finite(solution.gap),
            "budget_cny": self.budget_cny,
            "spend_cny": self.spend_cny,
            "expected": known(self.expected),
            "shadow_prices": {name: finite(price) for name, price in solution.shadow_prices.items()},
            "binding": list(solution.binding),
            "claims": dict(provenance.claims),
            "model_uri": provenance.model_uri,
            "fingerprints": dict(provenance.fingerprints),
            "versions": dict(provenance.versions),
            "baselines": self.baselines.to_dicts(),
            "diagnosis": None if self.audience is None else diagnosis_to_dict(self.audience.diagnosis),
            "last_spend_cny": None if self.last_spend_cny is None else self.last_spend_cny.tolist(),
            "unknown": list(provenance.unknown),
            "rejected_rows": provenance.rejected_rows,
            "campaign": self.campaign.model_dump(mode="json"),
        }

    def files(self, *, html: bool = True) -> dict[str, pl.DataFrame | str]:
        """Everything DESIGN 3.3 asks for, by file name: frames and text, for the pipelines to write
        atomically.

        `market.json` (the fitted market) comes on top, so that a saved plan can be loaded and asked again.
        """
        from targeting.plan.market_file import market_to_json

        files: dict[str, pl.DataFrame | str] = {}
        if self.audience is not None:
            files |= self.audience.files()
        files["curves.csv"] = self.curves
        files["allocation.csv"] = self.allocation
        files["plan.json"] = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        files["market.json"] = market_to_json(self.market)
        if html:
            files["report.html"] = self.to_html()
        return files

    def to_html(self) -> str:
        """The merchant's report: one self-contained page."""
        from targeting.report import render

        return render(self)

    def _repr_html_(self) -> str:
        """In a notebook: the headline and the allocation."""
        from targeting.report.page import notebook

        return notebook(self)

    def __str__(self) -> str:
        """A readable table with the totals above it."""
        from targeting.report.sentences import headline

        shown = self.allocation.filter(pl.col("spend_cny") > 0).sort("spend_cny", descending=True)
        columns = ("segment", "placement", "spend_cny", "new_fans", "new_fan_gmv_cny", "marginal_gmv_per_cny")
        return f"{headline(self)}\n{printed(shown.select(columns))}"

    __repr__ = __str__


def finite(number: float | None) -> float | None:
    """The number, or None where JSON has no word for it."""
    return number if number is not None and -float("inf") < number < float("inf") else None


def plan_from_files(files: Mapping[str, pl.DataFrame | str]) -> Plan:
    """A plan from the files that `Plan.files` gave: `plan.json`, `allocation.csv`, `market.json` and, where
    present, `curves.csv`, `segments.parquet`, `segment_summary.csv`, `scores.parquet`.

    Raises:
        DataError: a file is missing or is not what `Plan.files` writes.
    """
    from targeting.plan.saved import read_back

    return read_back(files)
