"""What a finished campaign really did user by user, against what its plan promised, and why the two differ.

Realised GMV of a cell is spend x (impressions / spend) x (fans / impressions) x (GMV / fan), and so is the
promise; `evaluation.reasons` splits the difference without a rest. Fans whose horizon is not over are
censored: their GMV is projected from the run-off of the older ones, never counted as zero. Realised means
observed; what held-out people did tells how many of the fans the campaign added, and randomised rows judge
the plan on their own (`targeting.evaluation.experiment`). It must not import estimators or the optimiser.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from models.contracts import Dataset
from targeting.evaluation import reasons
from targeting.evaluation.beside import FIGURES, beside, promised_cells, with_cost_per_fan
from targeting.evaluation.evaluation import Evaluation
from targeting.evaluation.experiment import judge_experiment
from targeting.evaluation.organic_baseline import organic_note, own_note
from targeting.evaluation.plan_drift import curve_drift
from targeting.evaluation.realised import OUTSIDE, Came, what_came
from targeting.evaluation.runoff import (
    ATTRIBUTION_DAYS,
    RETENTION_DAYS,
    attribution,
    project_gmv,
    projected_days,
    retention,
)
from targeting.evaluation.totals import totals
from targeting.plan.decided import DecidedPlan
from targeting.plan.person_offers import CELL

CHAIN = tuple(FIGURES)


def evaluate_campaign(
    plan: DecidedPlan,
    dataset: Dataset,
    *,
    as_of: datetime | None = None,
    horizon_days: int | None = None,
    campaign_id: str | None = None,
    later: Sequence[pl.DataFrame] = (),
    seed: int = 0,
) -> Evaluation:
    """Judge a plan by the logs of its campaign.

    Args:
        plan: the plan, with the audience it was made for (its `segments` frame places the users).
        dataset: users, exposures and orders that cover the campaign and what followed.
        as_of: what is known by then; default: the last event in the data.
        horizon_days: how long a new fan's purchases count; default: the brief's.
        campaign_id: whose rows to judge; default: the brief's.
        later: `users` tables of later snapshots, to see who still follows; that of `dataset` counts too.
        seed: of the resamples behind the randomised rows' intervals.

    Raises:
        DataError: the plan has no segments, or the data has no row of the campaign.
    """
    came = what_came(plan, dataset, as_of=as_of, horizon_days=horizon_days, campaign_id=campaign_id)
    cells = reasons.with_reasons(_cells(plan, came), chain=CHAIN, final="projected_gmv_cny")
    spent, maturity = float(cells["realised_spend_cny"].sum()), _maturity(cells)
    return Evaluation(
        source="logs",
        cells=cells,
        totals=_totals(plan, came, cells),
        reasons=reasons.summary(cells),
        windows=attribution(
            came.fans, dataset.orders, spend_cny=spent, known_by=came.known_by, days=ATTRIBUTION_DAYS
        ),
        retention=retention(came.fans, _known_snapshots([dataset.users, *later], as_of), days=RETENTION_DAYS),
        maturity=maturity,
        drift=curve_drift(plan, cells),
        experiment=judge_experiment(
            plan, came.rows, log=came.log, horizon_days=came.horizon_days, known_by=came.known_by,
            rng=np.random.default_rng(seed),
        ),
        notes=_notes(plan, came, orders=dataset.orders, maturity=maturity),
    )  # fmt: skip


def _totals(plan: DecidedPlan, came: Came, cells: pl.DataFrame) -> dict[str, dict[str, object]]:
    fans = float(came.fans.height)
    observed, final = (float(cells[f"{side}_gmv_cny"].sum()) for side in ("realised", "projected"))
    return totals(
        plan,
        spend_cny=float(cells["realised_spend_cny"].sum()),
        fans=fans,
        gmv_cny=observed,
        projected_gmv_cny=final,
        gmv_error_cny=_gmv_error(came.orders) * final / observed if observed > 0 else None,
        incremental_fans=None if came.organic is None else max(fans - came.organic[0], 0.0),
        incremental_error=0.0 if came.organic is None else came.organic[1],
    )


def _maturity(cells: pl.DataFrame) -> float:
    """Share of the GMV in the end that is seen, 1 where there is none."""
    final = float(cells["projected_gmv_cny"].sum())
    return 1.0 if final <= 0 else min(float(cells["realised_gmv_cny"].sum()) / final, 1.0)


def _gmv_error(orders: pl.DataFrame) -> float:
    """Standard error of the fans' GMV by chance alone: root of the sum of squares of what each bought."""
    per_fan = orders.group_by("user_id").agg(pl.col("net_cny").sum())["net_cny"].to_numpy()
    return float(np.sqrt((per_fan**2).sum()))


def _known_snapshots(snapshots: Sequence[pl.DataFrame], as_of: datetime | None) -> list[pl.DataFrame]:
    """Without what was not known yet, where the caller says when."""
    if as_of is None:
        return list(snapshots)
    return [users.filter(pl.col("snapshot_at") <= as_of) for users in snapshots]


def _cells(plan: DecidedPlan, came: Came) -> pl.DataFrame:
    """Promised beside realised and projected."""
    paid = came.rows.filter(pl.col("placement") != "none").group_by(CELL).agg(
        pl.col("cost_cny").sum().alias("realised_spend_cny"),
        pl.col("impressions").sum().cast(pl.Float64).alias("realised_impressions"),
    )  # fmt: skip
    won = came.fans.group_by(CELL).agg(pl.len().cast(pl.Float64).alias("realised_fans"))
    sold = came.orders.group_by(CELL).agg(pl.col("net_cny").sum().alias("realised_gmv_cny"))
    projected = project_gmv(
        came.fans, came.orders, older=came.older, horizon_days=came.horizon_days, known_by=came.known_by
    )
    return with_cost_per_fan(beside(promised_cells(plan, CHAIN), paid, won, sold, projected))


def _notes(plan: DecidedPlan, came: Came, *, orders: pl.DataFrame, maturity: float) -> tuple[str, ...]:
    notes = [*came.about_rows, *_about_age(came, maturity=maturity)]
    paid = came.rows.filter(pl.col("placement") != "none")
    elsewhere = paid.filter(~pl.col("placement").is_in(plan.allocation["placement"].unique().implode()))
    if elsewhere.height:
        named = ", ".join(elsewhere["placement"].unique().sort())
        notes.append(f"{_amount(elsewhere)} went to {named}, where the plan has nothing")
    outside = paid.filter(pl.col("segment") == OUTSIDE)
    if outside.height:
        notes.append(f"{_amount(outside)} went to people outside the plan")
    if came.follows_without_time:
        notes.append(
            f"{came.follows_without_time:,} follows have no time: they are taken to be of their impression's"
        )
    if plan.claims.get("kind") != "causal":
        notes.append(
            "the plan's claim was observational, so a difference may also be an effect that was never caused"
        )
    return (
        *notes,
        *_without_hours(orders),
        organic_note(came.organic, came.fans.height),
        *own_note(came.fans, orders, horizon_days=came.horizon_days, known_by=came.known_by),
    )


def _amount(rows: pl.DataFrame) -> str:
    return f"{rows.height:,} exposures ({float(rows['cost_cny'].sum()):,.0f} yuan)"


def _about_age(came: Came, *, maturity: float) -> tuple[str, ...]:
    """A word on the fans whose horizon is not over."""
    horizon, known_by = came.horizon_days, came.known_by
    young = came.fans.filter(pl.col("followed_at") > known_by - timedelta(days=horizon)).height
    if not young:
        return ()
    told = (
        f"{young:,} of {came.fans.height:,} new fans are younger than {horizon} days: "
        f"{100 * maturity:.0f} % of the projected GMV is observed, the rest is projected from older fans"
    )
    reach = projected_days(came.older[0], horizon_days=horizon, known_by=known_by)
    if reach >= horizon:
        return (told,)
    return told, f"no fan in the data is older than {reach} days: what comes later is not in the projection"


def _without_hours(orders: pl.DataFrame) -> tuple[str, ...]:
    """A word where every order is of midnight: which of the follow's day came after it cannot be told."""
    at = orders["ordered_at"]
    if len(at) < 2 or (at != at.dt.truncate("1d")).any():
        return ()
    return (
        "orders have dates but no hours: they count from the day after the follow, T0 holds only those of"
        " follows without hours",
    )
