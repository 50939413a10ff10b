"""The façade: from logs to a planner, from people to an audience, from a brief to a plan.

A `Planner` is what a registered model version carries: the audience model and the planning state (segment
thresholds, response curves, evidence), so that next week's users can be planned for without last month's
logs. It holds no connection, clock or path; only `load` reaches the registry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import polars as pl

from models import registry
from models.audience.model import AudienceModel
from models.contracts import Dataset, as_frame, conform, gather
from models.contracts.words import respelt
from models.errors import CampaignError, DataError
from targeting.audience import Audience
from targeting.campaign import Campaign, parse_campaign
from targeting.campaign.season import season_warnings
from targeting.decision.decide import decide
from targeting.decision.verbs import Plan
from targeting.market import build_market, part_warnings
from targeting.plan.provenance import Provenance, versions
from targeting.planning_state import PlanningState, last_moment, learn_state, logged_placements, tables
from targeting.segments import Segmenter, segmented

DEFAULT_HORIZON_DAYS = 30
GMV_OBJECTIVES = ("new_fan_gmv", "profit")


@dataclass(frozen=True, repr=False)
class Planner:
    """Everything that was learned, ready to plan.

    Attributes:
        model: scores users.
        state: segments, response curves and evidence.
        model_uri: registered version, or None before it is registered.
    """

    model: AudienceModel
    state: PlanningState
    model_uri: str | None = None

    @classmethod
    def fit(
        cls,
        data: Dataset | Mapping[str, object],
        *,
        campaign: Campaign | Mapping[str, object] | None = None,
        placements: tuple[str, ...] | None = None,
        horizon_days: int | None = None,
        as_of: datetime | None = None,
        seed: int = 0,
        threads: int = 2,
        n_draws: int = 200,
        min_audience: int | None = None,
    ) -> Planner:
        """Learn everything from logs.

        Args:
            data: a `Dataset`, or {"users": ..., "exposures": ..., "orders": ...} of frames.
            campaign: gives placements and horizon where they are not given.
            placements: what to learn; default: the brief's, else every placement in the logs.
            horizon_days: how long a new fan's purchases count; default: the brief's, else 30.
            as_of: use nothing at or after this moment; default: just after the last event.
            seed: same seed, same data, same planner.
            threads: for LightGBM.
            n_draws: joint draws behind the 80 % intervals.
            min_audience: fewest users in a segment; default: 500, fewer where the audience is small.

        Raises:
            DataError: what the data lacks.
        """
        dataset = data if isinstance(data, Dataset) else gather(**tables(data))
        brief = None if campaign is None else as_campaign(campaign)
        chosen = placements or (brief.placements if brief else logged_placements(dataset))
        horizon = horizon_days or (brief.horizon_days if brief else DEFAULT_HORIZON_DAYS)
        known_by = as_of or last_moment(dataset)
        spelt = respelt(dataset.exposures["placement"], chosen)
        dataset = replace(dataset, exposures=dataset.exposures.with_columns(spelt))
        model = AudienceModel.fit(
            dataset, placements=chosen, as_of=known_by, horizon_days=horizon, seed=seed, threads=threads
        )
        rng = np.random.default_rng(seed)
        state = learn_state(
            dataset, model=model, as_of=known_by, rng=rng, n_draws=n_draws, min_audience=min_audience
        )
        return cls(model=model, state=state)

    @classmethod
    def load(cls, uri: str) -> Planner:
        """The planner of a registered model version, e.g. `models:/new-fan-gmv@champion`.

        Raises:
            DataError: no such model, or one without planning state.
        """
        bundle = registry.load(uri)
        return replace(cls.from_files(bundle.files), model_uri=bundle.uri)

    def audience(self, users: object) -> Audience:
        """Score and segment people.

        Args:
            users: the contract table `users` (polars, pandas, Arrow).
        """
        frame = as_frame(users, source="users")
        people = conform(frame, "users", source="users", features=self.model.features)
        found = self.audience_of_scores(self.model.score(people.good), people.good)
        known = people.good, self.model.encoder
        return replace(found, rejected=people.rejected, warnings=people.warnings, people=known)

    def audience_of_scores(self, scores: pl.DataFrame, users: pl.DataFrame | None = None) -> Audience:
        """Segment people who are already scored (`targeting score` writes such a table); users give the
        rules.
        """
        segmentation = segmented(self.state.segmenter, scores, users)
        return Audience(
            scores=scores,
            segments=segmentation.assignment,
            summary=segmentation.summary,
            segmentation=segmentation,
            diagnosis=self.state.diagnosis,
        )

    def plan(
        self,
        campaign: Campaign | Mapping[str, object],
        audience: Audience,
        *,
        last_plan: object = None,
        gap_tol: float = 1e-6,
        time_limit_s: float = 60.0,
    ) -> Plan:
        """The certified plan of a brief for an audience.

        Args:
            campaign: the brief.
            audience: from `audience`.
            last_plan: table segment, placement, spend_cny of the plan before (the content of the brief's
                `last_plan`).
            gap_tol, time_limit_s: when the optimiser may stop.

        Raises:
            CampaignError, InfeasibleError: the brief is wrong or cannot be met.
        """
        brief = as_campaign(campaign)
        self._refuse_unlearned(brief)
        if audience.segmentation is None:
            raise DataError(
                "audience: was read back from a saved plan; make it again with Planner.audience(users)"
            )
        market = build_market(
            segmentation=audience.segmentation,
            response=self.state.response,
            evidence=self.state.evidence,
            campaign=brief,
            chance=self.state.chance,
            parts=self.state.parts,
            room=self.state.room,
        )
        told = (
            *self.warnings,
            *audience.warnings,
            *part_warnings(self.state.parts, campaign=brief),
            *season_warnings(brief, known_by=self.state.as_of),
        )
        return decide(
            campaign=brief,
            market=market,
            provenance=self._provenance(tuple(dict.fromkeys(told))),
            audience=audience,
            last_plan=last_plan,
            history=self.state.history,
            gap_tol=gap_tol,
            time_limit_s=time_limit_s,
        )

    def _provenance(self, warnings: tuple[str, ...]) -> Provenance:
        claims = self.model.claims
        return Provenance(
            claims={"kind": claims.kind, "why": claims.why},
            model_uri=self.model_uri,
            fingerprints=self.state.fingerprints,
            versions=versions(),
            rejected_rows=self.state.rejected_rows,
            warnings=warnings,
            # Without a kept order the value of a fan is unknown, which is not the same as nothing.
            unknown=() if self.model.value_known else ("new_fan_gmv_cny",),
        )

    def _refuse_unlearned(self, campaign: Campaign) -> None:
        if campaign.horizon_days != self.model.horizon_days:
            raise CampaignError(
                f"horizon_days: the brief says {campaign.horizon_days}, the model was trained for "
                f"{self.model.horizon_days}; change the brief or train again"
            )
        if campaign.objective in GMV_OBJECTIVES and not self.model.value_known:
            raise DataError(
                f"objective {campaign.objective}: no follower in the logs has a kept order, so the value of "
                f"a fan is unknown; plan for new_fans or live_entries, or give orders"
            )

    @property
    def segmenter(self) -> Segmenter:
        """Puts scored users into segments."""
        return self.state.segmenter

    @property
    def warnings(self) -> tuple[str, ...]:
        """What had to be assumed or left out while learning, one line each."""
        return self.state.warnings

    def state_files(self) -> dict[str, str]:
        """The planning state alone: the extra files of a registered audience model."""
        return self.state.to_files()

    def to_files(self) -> dict[str, str]:
        """The whole planner as text files: the model's own and the planning state."""
        return {**self.model.to_files(), **self.state.to_files()}

    @classmethod
    def from_files(cls, files: Mapping[str, str]) -> Planner:
        """The planner that `to_files` wrote.

        Raises:
            DataError: a file is missing.
        """
        return cls(model=AudienceModel.from_files(files), state=PlanningState.from_files(files))

    def __repr__(self) -> str:
        """What it can plan, and what segments cost against choosing people one by one."""
        where, kept = ", ".join(self.model.placements), self.state.value_kept
        worth = "" if kept is None else f" that keep {kept:.1%} of the value of choosing people one by one"
        count = len(self.state.segmenter.names)
        return f"Planner({count} segments{worth}, in {where}, as of {self.state.as_of:%Y-%m-%d})"


def as_campaign(campaign: Campaign | Mapping[str, object]) -> Campaign:
    """The brief, checked."""
    return campaign if isinstance(campaign, Campaign) else parse_campaign(campaign)
