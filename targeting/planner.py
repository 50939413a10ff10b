"""The façade: from logs to a planner, from people to an audience, from a brief to a plan.

A `Planner` is what a registered model version carries: the audience model and the planning state (segment thresholds,
response curves, evidence), so that next week's users can be planned for without last month's logs. It holds no
connection, clock or path; only `load` reaches the registry. Everything heavy is imported where it is used.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from models.audience import AudienceModel
from models.contracts import Dataset, as_frame, conform, gather
from models.errors import CampaignError, DataError
from models.evidence import Evidence, cell_evidence
from models.response import ResponseModel, daily_delivery, fit_response
from targeting.audience import Audience, resegment
from targeting.campaign import Campaign, parse_campaign
from targeting.decision import decide, versions
from targeting.diagnosis import Diagnosis, diagnose
from targeting.market import build_market
from targeting.plan import Plan, Provenance
from targeting.segments import Segmentation, Segmenter, form_segments

log = logging.getLogger(__name__)
DEFAULT_HORIZON_DAYS = 30
GMV_OBJECTIVES = ("new_fan_gmv", "profit")
HISTORY = {"segment": pl.String, "placement": pl.String, "spend_cny": pl.Float64}


@dataclass(frozen=True, repr=False)
class Planner:
    """Everything that was learned, ready to plan.

    Attributes:
        model: scores users.
        segmenter: puts scored users into segments.
        response: one-day supply curves per segment x placement.
        evidence: hazard and value per cell against what was logged, with draws.
        history: segment, placement, spend_cny: what the logs spent, for the comparison with the last plan.
        diagnosis: the present fans against the buyers, when the planner was fitted.
        as_of: nothing after this moment was used.
        fingerprints: content hash of each training table.
        rejected_rows: training rows that were quarantined.
        warnings: one line each.
        model_uri: registered version, or None before it is registered.
    """

    model: AudienceModel
    segmenter: Segmenter
    response: ResponseModel
    evidence: Evidence
    history: pl.DataFrame
    diagnosis: Diagnosis | None
    as_of: datetime
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    rejected_rows: int = 0
    warnings: tuple[str, ...] = ()
    model_uri: str | None = None

    @classmethod
    def fit(
        cls,
        data: Dataset | Mapping[str, Any],
        *,
        campaign: Campaign | Mapping[str, Any] | None = None,
        placements: tuple[str, ...] | None = None,
        horizon_days: int | None = None,
        as_of: datetime | None = None,
        seed: int = 0,
        threads: int = 2,
        n_draws: int = 200,
        min_audience: int = 500,
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
            min_audience: fewest users in a segment.

        Raises:
            DataError: what the data lacks.
        """
        dataset = data if isinstance(data, Dataset) else gather(**_tables(data))
        brief = None if campaign is None else as_campaign(campaign)
        chosen = placements or (brief.placements if brief else _logged_placements(dataset))
        horizon = horizon_days or (brief.horizon_days if brief else DEFAULT_HORIZON_DAYS)
        known_by = as_of or last_moment(dataset)
        model = AudienceModel.fit(
            dataset, placements=chosen, as_of=known_by, horizon_days=horizon, seed=seed, threads=threads
        )
        scores = model.score(dataset.users)
        segmentation = form_segments(scores, dataset.users, min_audience=min_audience)
        log.info(
            "planner: %d segments of %d users", segmentation.summary.height, segmentation.assignment.height
        )
        return _learned(
            dataset, model=model, scores=scores, segmentation=segmentation, as_of=known_by,
            rng=np.random.default_rng(seed), n_draws=n_draws,
        )  # fmt: skip

    @classmethod
    def load(cls, uri: str) -> Planner:
        """The planner of a registered model version, e.g. `models:/new-fan-gmv@champion`.

        Raises:
            DataError: no such model, or one without planning state.
        """
        from models import registry

        bundle = registry.load(uri)
        return replace(cls.from_files(bundle.files), model_uri=bundle.uri)

    def audience(self, users: Any) -> Audience:
        """Score and segment people.

        Args:
            users: the contract table `users` (polars, pandas, Arrow).
        """
        conformed = conform(as_frame(users), "users", source="users")
        if conformed.good.is_empty():
            raise DataError("users: no usable row; see the reasons of the rejected rows")
        return self.audience_of_scores(self.model.score(conformed.good), conformed.good)

    def audience_of_scores(self, scores: pl.DataFrame, users: pl.DataFrame | None = None) -> Audience:
        """Segment people who are already scored (`targeting score` writes such a table); users give the rules."""
        segmentation = resegment(self.segmenter, scores, users)
        return Audience(
            scores=scores,
            segments=segmentation.assignment,
            summary=segmentation.summary,
            segmentation=segmentation,
            diagnosis=() if self.diagnosis is None else tuple(self.diagnosis.sentences),
        )

    def plan(
        self,
        campaign: Campaign | Mapping[str, Any],
        audience: Audience,
        *,
        last_plan: Any = None,
        gap_tol: float = 1e-6,
        time_limit_s: float = 60.0,
    ) -> Plan:
        """The certified plan of a brief for an audience.

        Args:
            campaign: the brief.
            audience: from `audience`.
            last_plan: table segment, placement, spend_cny of the plan before (the content of the brief's `last_plan`).
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
            segmentation=audience.segmentation, response=self.response, evidence=self.evidence, campaign=brief
        )
        return decide(
            campaign=brief,
            market=market,
            provenance=Provenance(
                claims={"kind": self.model.claims.kind, "why": self.model.claims.why},
                model_uri=self.model_uri,
                fingerprints=self.fingerprints,
                versions=versions(),
                rejected_rows=self.rejected_rows,
            ),
            audience=audience,
            last_plan=None if last_plan is None else as_frame(last_plan),
            history=self.history,
            gap_tol=gap_tol,
            time_limit_s=time_limit_s,
        )

    def _refuse_unlearned(self, campaign: Campaign) -> None:
        if campaign.horizon_days != self.model.horizon_days:
            raise CampaignError(
                f"horizon_days: the brief says {campaign.horizon_days}, the model was trained for "
                f"{self.model.horizon_days}; change the brief or train again"
            )
        if campaign.objective in GMV_OBJECTIVES and not self.model.value_known:
            raise DataError(
                f"objective {campaign.objective}: no follower in the logs has a kept order, so the value of a fan is "
                f"unknown; plan for new_fans or live_entries, or give orders"
            )

    def to_files(self) -> dict[str, str]:
        """The whole planner as text files: the model's own and the planning state."""
        return {**self.model.to_files(), **self.state_files()}

    def state_files(self) -> dict[str, str]:
        """The planning state alone: what a registered model carries besides the audience model."""
        state = {
            "history": self.history.to_dicts(),
            "as_of": self.as_of.isoformat(),
            "fingerprints": dict(self.fingerprints),
            "rejected_rows": self.rejected_rows,
            "warnings": list(self.warnings),
        }
        files = {
            "segmenter.json": self.segmenter.to_json(),
            "response.json": self.response.to_json(),
            "evidence.json": self.evidence.to_json(),
            "planner.json": json.dumps(state, ensure_ascii=False),
        }
        return files if self.diagnosis is None else {**files, "diagnosis.json": self.diagnosis.to_json()}

    @classmethod
    def from_files(cls, files: Mapping[str, str]) -> Planner:
        """The planner that `to_files` wrote.

        Raises:
            DataError: a file is missing.
        """
        missing = [
            f for f in ("segmenter.json", "response.json", "evidence.json", "planner.json") if f not in files
        ]
        if missing:
            raise DataError(
                f"model: {missing[0]} is missing, so it can score but not plan; run `targeting train` again"
            )
        state = json.loads(files["planner.json"])
        diagnosis = files.get("diagnosis.json")
        return cls(
            model=AudienceModel.from_files(files),
            segmenter=Segmenter.from_json(files["segmenter.json"]),
            response=ResponseModel.from_json(files["response.json"]),
            evidence=Evidence.from_json(files["evidence.json"]),
            history=pl.DataFrame(state["history"], schema=HISTORY),
            diagnosis=None if diagnosis is None else Diagnosis.from_json(diagnosis),
            as_of=datetime.fromisoformat(state["as_of"]),
            fingerprints=state["fingerprints"],
            rejected_rows=int(state["rejected_rows"]),
            warnings=tuple(state["warnings"]),
        )

    def __repr__(self) -> str:
        """What it can plan."""
        where = ", ".join(self.model.placements)
        return f"Planner({len(self.segmenter.names)} segments in {where}, as of {self.as_of:%Y-%m-%d})"


def as_campaign(campaign: Campaign | Mapping[str, Any]) -> Campaign:
    """The brief, checked."""
    return campaign if isinstance(campaign, Campaign) else parse_campaign(campaign)


def last_moment(dataset: Dataset) -> datetime:
    """Just after the last event of the data: the natural `as_of`, found without a clock."""
    times = [
        dataset.users["snapshot_at"].max(),
        dataset.exposures["exposed_at"].max(),
        dataset.exposures["followed_at"].max(),
        dataset.orders["ordered_at"].max(),
    ]
    known = [t for t in times if isinstance(t, datetime)]
    if not known:
        raise DataError("data: no event has a time; expected exposed_at in exposures")
    return max(known) + timedelta(seconds=1)


def _tables(data: Mapping[str, Any]) -> dict[str, Any]:
    missing = [name for name in ("users", "exposures", "orders") if name not in data]
    if missing:
        raise DataError(f"data: table {missing[0]!r} is missing; expected users, exposures and orders")
    return {name: data[name] for name in ("users", "exposures", "orders")}


def _logged_placements(dataset: Dataset) -> tuple[str, ...]:
    found = dataset.exposures["placement"].unique().sort().to_list()
    chosen = tuple(p for p in found if p != "none")
    if not chosen:
        raise DataError("exposures: every row is a held-out one (placement none); nothing can be learned")
    return chosen


def _learned(
    dataset: Dataset,
    *,
    model: AudienceModel,
    scores: pl.DataFrame,
    segmentation: Segmentation,
    as_of: datetime,
    rng: np.random.Generator,
    n_draws: int,
) -> Planner:
    """The planning state from the logs, given the scores and segments."""
    everyone = segmentation.segmenter.assign(scores, everyone=True)
    daily = daily_delivery(dataset.exposures.filter(pl.col("exposed_at") < as_of), everyone)
    response = fit_response(
        daily,
        users_by_segment=_reachable(dataset, segmentation, everyone),
        rng=rng,
        n_draws=n_draws,
        placements=model.placements,
    )
    evidence = cell_evidence(
        dataset, everyone, scores, as_of=as_of, horizon_days=model.horizon_days, rng=rng, n_draws=n_draws
    )
    spent = daily.group_by("segment", "placement").agg(pl.col("cost_cny").sum().alias("spend_cny"))
    return Planner(
        model=model,
        segmenter=segmentation.segmenter,
        response=response,
        evidence=evidence,
        history=spent.sort("segment", "placement").select(HISTORY),
        diagnosis=diagnose(dataset.users, dataset.orders, scores, segmentation, as_of),
        as_of=as_of,
        fingerprints=dataset.fingerprints,
        rejected_rows=dataset.rejected.height,
        warnings=(*dataset.warnings, *model.warnings),
    )


def _reachable(dataset: Dataset, segmentation: Segmentation, everyone: pl.DataFrame) -> dict[str, float]:
    """Users per segment on whom the logged money was spent: not a fan yet, or shown to before becoming one."""
    shown = dataset.exposures.filter(pl.col("placement") != "none").select("user_id").unique()
    reached = everyone.join(
        pl.concat([segmentation.assignment.select("user_id"), shown]).unique(), on="user_id", how="semi"
    )
    count = reached.group_by("segment").len()
    found = dict(zip(count["segment"].to_list(), count["len"].cast(pl.Float64).to_list(), strict=True))
    return {segment: found.get(segment, 1.0) for segment in segmentation.summary["segment"].to_list()}
