"""Walk-forward: what plans made on past days with what was known then would have earned on the days after.

For each window the planner is trained on rows before it, plans it, and is judged on the window's randomised
rows, which the plan did not choose: off-policy value (inverse propensity, self-normalised, doubly robust;
`targeting.evaluation.experiment`) of the plan less that of showing nobody, over all people and days of the
plan. Then the window moves on. Nothing at or after a window's start reaches its plan: exposures, follows and
orders are cut there (`known_at`), and people whose features were taken later are left out. Refund times are
not logged, so a refund of an older order is taken as known.

Windows end early enough for the purchases of their last fans to be seen: the horizon is shortened where the
data are short, and the plan is made for that horizon too, so that promised and realised mean the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from models.contracts import Dataset
from models.errors import DataError
from models.events.event_log import EventLog, read_events
from targeting.campaign import Campaign
from targeting.campaign.constraints import Constraint
from targeting.decision.verbs import Plan
from targeting.evaluation import score_outcomes
from targeting.evaluation.backtest_result import PREDICTIONS, Backtest, notes_of
from targeting.evaluation.backtest_windows import Window, known_at, walk_through
from targeting.evaluation.reliability import Calibration, calibration
from targeting.evaluation.window_verdicts import TABLE, judged_by_randomised_rows, together
from targeting.planner import Planner, as_campaign
from targeting.planning_state import last_moment, present_users


def backtest(
    dataset: Dataset,
    campaign: Campaign | Mapping[str, object],
    *,
    windows: int = 2,
    window_days: int = 5,
    train_days: int = 10,
    min_audience: int | None = None,
    n_draws: int = 200,
    seed: int = 0,
    threads: int = 2,
    tell: Callable[[str], None] = lambda stage: None,
) -> Backtest:
    """Walk through the data: train, plan, judge, move on.

    Args:
        dataset: Users, exposures (with randomised rows) and orders.
        campaign: The brief; its budget is scaled to a window's days, its start and horizon are replaced.
        windows: How many.
        window_days: Days of each.
        train_days: Fewest days before the first.
        min_audience: Fewest users in a segment; default as in `Planner.fit`.
        n_draws: Joint draws behind the plans' intervals.
        seed: Same seed, same data, same backtest.
        threads: For LightGBM.
        tell: Progress listener.

    Raises:
        DataError: The data are too short, know no randomised rows, or a snapshot later than every window.
        CampaignError, InfeasibleError: The brief is wrong or cannot be met.
    """
    brief = as_campaign(campaign)
    walk, horizon = walk_through(
        dataset, horizon_days=brief.horizon_days, windows=windows, window_days=window_days,
        train_days=train_days,
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    log = read_events(dataset, as_of=last_moment(dataset))
    steps: list[_Step] = []
    for window in walk:
        tell(f"window {window.number} of {windows}, from {window.start:%Y-%m-%d}")
        planner, plan = plan_window(
            dataset, brief, window, horizon_days=horizon, min_audience=min_audience, n_draws=n_draws,
            seed=seed, threads=threads,
        )  # fmt: skip
        steps.append(_judge(planner, plan, log, window, horizon_days=horizon, rng=rng))
    return _joined(steps, dataset, brief, walk, horizon_days=horizon)


@dataclass(frozen=True)
class _Step:
    """One window: its plan, the coin's verdicts, and the `PREDICTIONS`."""

    plan: Plan
    judged: list[dict[str, object]]
    expected: tuple[score_outcomes.PredictedAgainstActual, ...]


def _judge(
    planner: Planner,
    plan: Plan,
    log: EventLog,
    window: Window,
    *,
    horizon_days: int,
    rng: np.random.Generator,
) -> _Step:
    """Hold a window's plan and scores against what its days brought."""
    model = planner.model
    return _Step(
        plan,
        judged_by_randomised_rows(plan, log, window, horizon_days=horizon_days, rng=rng),
        (
            score_outcomes.follows(model, log, window),
            score_outcomes.buyers(model, log, window, horizon_days=horizon_days, randomised=True),
            score_outcomes.buyers(model, log, window, horizon_days=horizon_days, randomised=False),
        ),
    )


def _joined(
    steps: list[_Step], dataset: Dataset, brief: Campaign, walk: tuple[Window, ...], *, horizon_days: int
) -> Backtest:
    """All windows together.

    Raises:
        DataError: No window could be judged.
    """
    plans, judged = [step.plan for step in steps], [row for step in steps for row in step.judged]
    if not judged:
        raise DataError(
            "exposures: no window has enough randomised rows to judge a plan by; a backtest needs rows with"
            " randomized = true, shown and held out, in the days that are judged"
        )
    found = (_pooled(name, [step.expected[k] for step in steps]) for k, name in enumerate(PREDICTIONS))
    return Backtest(
        windows=walk,
        plans=tuple(plans),
        table=pl.concat([pl.DataFrame(judged, schema=TABLE), together(judged)]),
        calibrations=tuple(one for one in found if one is not None),
        horizon_days=horizon_days,
        notes=notes_of(dataset, brief, walk, plans, judged, horizon_days=horizon_days),
    )


def plan_window(
    dataset: Dataset,
    brief: Campaign,
    window: Window,
    *,
    horizon_days: int,
    min_audience: int | None,
    n_draws: int,
    seed: int,
    threads: int,
) -> tuple[Planner, Plan]:
    """The planner and the plan that the window's first moment would have known."""
    past = known_at(dataset, window.start)
    days = (window.stop - window.start).days
    share = days / brief.days
    mine = brief.model_copy(
        update={
            "starts_at": window.start,
            "days": days,
            "budget_cny": brief.budget_cny * share,
            "horizon_days": horizon_days,
            "last_plan": None,
            "constraints": tuple(_scaled(c, share) for c in brief.constraints if c.kind != "change_limit"),
        }
    )
    planner = Planner.fit(
        past, campaign=mine, as_of=window.start, seed=seed, threads=threads, n_draws=n_draws,
        min_audience=min_audience,
    )  # fmt: skip
    users = present_users(past)
    return planner, planner.plan(mine, planner.audience_of_scores(planner.model.score(users), users))


def _scaled(constraint: Constraint, share: float) -> Constraint:
    """A limit of the brief for `share` of its days: amounts shrink with the budget, rates do not."""
    amounts = ["min_cny", "max_cny", "viewers", "floor"]
    if getattr(constraint, "metric", None) in ("new_fans", "new_fan_gmv"):
        amounts.append("value")
    known = {name: getattr(constraint, name, None) for name in amounts}
    return constraint.model_copy(
        update={name: value * share for name, value in known.items() if value is not None}
    )


def _pooled(name: str, parts: list[tuple[np.ndarray, np.ndarray]]) -> Calibration | None:
    probability, happened = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    return calibration(name, probability=probability, happened=happened) if probability.size else None
