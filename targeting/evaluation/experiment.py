"""What a coin says about a plan: the campaign's randomised rows as an experiment.

Everything else in an evaluation compares what happened with what was promised, and what happened includes
what would have happened anyway. Rows where a coin chose who was shown tell the two apart: what the plan, as a
rule for whom to show where, would have earned per person and day (off-policy value,
`models.judging.policy_value`), beside showing everybody the one placement, or nothing; and whether the
plan's scores rank people by what showing adds (`targeting.evaluation.ranking`). Frames in, frames out. It
must not import the optimiser or the planner.

The plan as a rule: a person of segment i is shown in placement j on a day with probability

    pi_ij = impressions_ij / (N_i days m_j),   m_j = mean impressions of a shown row of the experiment,

scaled down where the placements add up to more than one, and is not shown with what is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from models.events.event_log import EventLog
from models.judging.policy_value import policy_difference, policy_value, uniform_policy
from models.judging.propensity import Logged, cross_fitted_outcomes, usable_propensities
from targeting.evaluation.evaluation_settings import SETTINGS
from targeting.evaluation.randomised_rows import (
    NOBODY,
    in_its_days,
    randomised_rows,
    with_outcomes,
    with_scores,
)
from targeting.evaluation.ranking import Rankings, rankings, sentences
from targeting.plan.decided import DecidedPlan

PLAN = "the plan"
OUTCOMES = ("new_fans", "new_fan_gmv_cny", "cost_cny")


@dataclass(frozen=True, repr=False)
class Experiment:
    """The plan judged by randomised rows.

    Attributes:
        rows: Randomised rows of people in the plan.
        values: One row per policy that was tried x outcome: policy (`the plan`, `all <placement>`,
            `all none`), outcome (per person and day), value (doubly robust), standard_error, low_80 ...
            high_95, ips, self_normalised, plan_less_this with less_low_95 and less_high_95, effective_rows,
            overlap, events (rows that the policy could have made and that had an outcome).
        rankings: Whether the plan's scores rank by what showing adds, and what money adds along them.
        notes: What to know when reading it.
    """

    rows: int
    values: pl.DataFrame
    rankings: Rankings
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """JSON-able values; unknown numbers are null."""
        return {
            "rows": self.rows,
            "values": _plain(self.values).to_dicts(),
            "rankings": _plain(self.rankings.qini).to_dicts(),
            "cost_curves": _plain(self.rankings.cost).to_dicts(),
            "notes": list(self.notes),
        }

    def sentences(self) -> tuple[str, ...]:
        """What it says, a line each."""
        said = []
        plan = self.values.filter((pl.col("policy") == PLAN) & (pl.col("outcome") != "cost_cny"))
        for row in plan.iter_rows(named=True):
            thin = "" if row["overlap"] == "good" else ", too little was tried to rely on it"
            if row["events"] < SETTINGS.least_events:
                thin = f", from {row['events']} rows with any: a hint at most"
            said.append(
                f"the coin's verdict on the plan: {row['value']:.3g} {row['outcome']} a person and day"
                f" (80 %: {row['low_80']:.3g} to {row['high_80']:.3g}){thin}"
            )
        return (*said, *sentences(self.rankings), *self.notes)


def judge_experiment(
    plan: DecidedPlan,
    campaign: pl.DataFrame,
    *,
    log: EventLog,
    horizon_days: int,
    known_by: datetime,
    rng: np.random.Generator,
) -> Experiment | None:
    """Judge a plan by the randomised rows of its campaign's days; None where there are under `least_rows`, or
    where the coin never showed anybody anything.

    Args:
        plan: With the audience it was made for.
        campaign: Exposures of the campaign.
        log: Events of everybody: held-out people often belong to no campaign.
        horizon_days: How long a new fan's purchases count.
        known_by: What is known by then; younger purchases are missing for every action alike.
        rng: Folds and resamples.
    """
    if plan.audience is None:
        return None
    actions = (NOBODY, *plan.campaign.placements)
    days = in_its_days(log.exposures, campaign).filter("at_risk")
    randomised = randomised_rows(days, plan.audience.segments, actions)
    if randomised.height < SETTINGS.least_rows or (randomised["placement"] == NOBODY).all():
        return None
    randomised = with_outcomes(randomised, log.orders, horizon_days=horizon_days, known_by=known_by)
    randomised, features = with_scores(randomised, plan.audience.scores, plan.campaign.placements)
    action = randomised["placement"].replace_strict({a: k for k, a in enumerate(actions)}).to_numpy()
    propensities = usable_propensities(
        action=action,
        propensity=randomised["propensity"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
        n_actions=len(actions),
    )
    person = randomised["user_id"].rank("dense").to_numpy()
    policy = plan_policy(plan, randomised, actions)
    values = []
    for outcome in OUTCOMES:
        logged = Logged(actions, action, propensities.value, randomised[outcome].to_numpy(), person)
        values += _values(logged, outcome, policy, features=features, rng=rng)
    return Experiment(
        rows=randomised.height,
        values=pl.DataFrame(values),
        rankings=rankings(randomised, actions[1:], weight=1.0 / propensities.value, rng=rng),
        notes=_notes(randomised, actions, propensities.note),
    )


def plan_policy(plan: DecidedPlan, randomised: pl.DataFrame, actions: tuple[str, ...]) -> np.ndarray:
    """The plan's probability of each action for each row, (n, K); see the module's formula.

    Args:
        plan: With its audience.
        randomised: segment, placement, impressions of randomised rows.
        actions: `none` first, then placements.
    """
    assert plan.audience is not None
    users = plan.audience.segments.group_by("segment").len("users")
    bought = plan.allocation.group_by("segment", "placement").agg(pl.col("impressions").sum())
    seen = randomised.filter(pl.col("placement") != NOBODY).group_by("placement")
    per_row = seen.agg(pl.col("impressions").mean().cast(pl.Float64).alias("per_row"))
    chance = (
        bought.join(users, on="segment")
        .join(per_row, on="placement", how="left")
        .with_columns(
            chance=pl.col("impressions")
            / (pl.col("users") * plan.campaign.days * pl.col("per_row").fill_null(1.0).clip(lower_bound=1.0))
        )
    )
    columns = []
    for name in actions[1:]:
        mine = chance.filter(pl.col("placement") == name).select("segment", "chance")
        found = randomised.select("segment").join(mine, on="segment", how="left", maintain_order="left")
        columns.append(found["chance"].fill_null(0.0).to_numpy())
    shown = np.column_stack(columns)
    shown = shown / np.maximum(shown.sum(axis=1, keepdims=True), 1.0)
    return np.column_stack([np.maximum(1.0 - shown.sum(axis=1), 0.0), shown])


def _values(
    logged: Logged, outcome: str, policy: np.ndarray, *, features: np.ndarray, rng: np.random.Generator
) -> list[dict[str, object]]:
    """A row per policy for one outcome."""
    model = cross_fitted_outcomes(logged, features=features, rng=rng)
    named: Mapping[str, np.ndarray] = {PLAN: policy} | {
        f"all {a}": uniform_policy(logged, a) for a in logged.actions
    }
    rows = []
    for name, chosen in named.items():
        value = policy_value(logged, policy=chosen, outcome_model=model)
        if value.overlap.verdict == "none":  # nobody was treated so: every number would be the model's alone
            continue
        taken = chosen[np.arange(logged.action.size), logged.action]
        less = policy_difference(logged, policy=policy, other=chosen, outcome_model=model)
        rows.append(
            {
                "policy": name,
                "outcome": outcome,
                **value.doubly_robust.to_dict(),
                "ips": value.ips.value,
                "self_normalised": value.self_normalised.value,
                "plan_less_this": less.value,
                "less_low_95": less.interval_95[0],
                "less_high_95": less.interval_95[1],
                "effective_rows": value.overlap.effective_rows,
                "overlap": value.overlap.verdict,
                "events": int(((logged.outcome > 0) & (taken > 0)).sum()),
            }
        )
    return rows


def _notes(randomised: pl.DataFrame, actions: tuple[str, ...], about_propensities: str) -> tuple[str, ...]:
    tried = set(randomised["placement"].unique().to_list())
    missing = [name for name in actions if name not in tried]
    people = randomised["user_id"].n_unique()
    notes = [f"the coin chose for {randomised.height:,} person-days of {people:,} people"]
    if missing:
        notes.append(f"the coin never chose {' or '.join(missing)}: what it would bring is not known")
    return (*notes, about_propensities) if about_propensities else tuple(notes)


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """NaN and infinity as null."""
    numbers = pl.selectors.float()
    return frame.with_columns(pl.when(numbers.is_finite()).then(numbers))
