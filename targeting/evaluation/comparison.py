"""What a finished campaign really did, against what its plan promised, and why the two differ.

Realised GMV of a cell is spend x (impressions / spend) x (fans / impressions) x (GMV / fan), and so is the
promise; the difference is split over the four factors with the logarithmic mean (LMDI, Ang 2004), which is
exact, leaves no rest and does not depend on an order. Fans whose horizon is not over are censored: their GMV
is projected from the run-off of the older ones, never counted as zero. Realised means observed: organic
follows are estimated from held-out rows where there are any and reported apart, and randomised rows judge the
plan on their own (`targeting.evaluation.experiment`). It must not import estimators or the optimiser.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from models.errors import DataError
from targeting.evaluation.change import curve_drift, summary
from targeting.evaluation.experiment import Experiment, judge_experiment
from targeting.evaluation.runoff import (
    ATTRIBUTION_DAYS,
    RETENTION_DAYS,
    attribution,
    fan_orders,
    project_gmv,
    retention,
)

if TYPE_CHECKING:
    from models.contracts import Dataset
    from targeting.plan import Plan

OUTSIDE = "outside the plan"
_CELL = ["segment", "placement"]
_FACTORS = ("spend", "price", "hazard", "value")


@dataclass(frozen=True, repr=False)
class Evaluation:
    """Promised against realised.

    Attributes:
        cells: one row per segment x placement: promised_* and realised_* spend, impressions, fans, GMV;
            cost_per_fan_cny; because_spend_cny ... because_value_cny, which add up to realised - promised
            GMV.
        totals: name -> promised, low, high, realised, projected (None where unknown), within (bool or None).
        windows: days, gmv_cny, roi, complete (share of new fans old enough for the window).
        retention: days, fans, retained (share still following); empty where the data cannot tell.
        maturity: share of the horizon's projected GMV that is already observed, 0..1.
        drift: what has changed, kind, name, psi, noise, verdict, why (`evaluation.change`): curves always,
            features and scores where they were compared.
        experiment: the plan judged by the campaign's randomised rows; None where there are too few.
        notes: what to know when reading it.
    """

    cells: pl.DataFrame
    totals: Mapping[str, Mapping[str, Any]]
    windows: pl.DataFrame
    retention: pl.DataFrame
    maturity: float
    drift: pl.DataFrame
    experiment: Experiment | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON-able values, for `targeting evaluate --json`."""
        return {
            "totals": {name: dict(total) for name, total in self.totals.items()},
            "maturity": self.maturity,
            "windows": self.windows.to_dicts(),
            "retention": self.retention.to_dicts(),
            "cells": self.cells.to_dicts(),
            "drift": self.drift.to_dicts(),
            "experiment": None if self.experiment is None else self.experiment.to_dict(),
            "notes": list(self.notes),
        }

    def files(self) -> dict[str, pl.DataFrame]:
        """Frames to write beside the plan."""
        tables = {"cells": self.cells, "windows": self.windows, "drift": self.drift}
        if self.experiment is not None:
            tables |= {
                "policies": self.experiment.values,
                "rankings": self.experiment.rankings.qini,
                "cost_curves": self.experiment.rankings.cost,
            }
        return {f"evaluation_{name}.csv": table for name, table in tables.items()}

    def __str__(self) -> str:
        """The totals, a line each, and the notes."""
        lines = []
        for name, total in self.totals.items():
            said = "unknown" if total["promised"] is None else f"{total['promised']:,.0f}"
            band = "" if total["low"] is None else f" (80 %: {total['low']:,.0f} to {total['high']:,.0f})"
            later = total["projected"]
            final = "" if later is None else f", projected to the horizon {later:,.0f}"
            lines.append(f"{name}: promised {said}{band}, realised {total['realised']:,.0f}{final}")
        coin = () if self.experiment is None else self.experiment.sentences()
        return "\n".join([*lines, *summary(self.drift), *coin, *self.notes])

    __repr__ = __str__


def evaluate_campaign(
    plan: Plan,
    dataset: Dataset,
    *,
    as_of: datetime | None = None,
    horizon_days: int | None = None,
    campaign_id: str | None = None,
    seed: int = 0,
) -> Evaluation:
    """Judge a plan by the logs of its campaign.

    Args:
        plan: the plan, with the audience it was made for (its `segments` frame places the users).
        dataset: users, exposures and orders that cover the campaign and what followed.
        as_of: what is known by then; default: the last event in the data.
        horizon_days: how long a new fan's purchases count; default: the brief's.
        campaign_id: whose rows to judge; default: the brief's.
        seed: of the resamples behind the randomised rows' intervals.

    Raises:
        DataError: the plan has no segments, or the data has no row of the campaign.
    """
    if plan.audience is None:
        raise DataError(
            "plan: has no segments.parquet (made from delivery or supplied curves), so logged users cannot "
            "be placed; evaluate a plan made from --data"
        )
    horizon = horizon_days or plan.campaign.horizon_days
    rows = _campaign_rows(plan, dataset, campaign_id or plan.campaign.campaign_id)
    known_by = as_of or _last_event(dataset)
    rows = rows.filter(pl.col("exposed_at") <= known_by).join(
        plan.audience.segments, on="user_id", how="left", maintain_order="left"
    ).with_columns(pl.col("segment").fill_null(OUTSIDE))  # fmt: skip
    fans = _new_fans(rows, known_by=known_by)
    orders = fan_orders(fans, dataset.orders, horizon_days=horizon, known_by=known_by)
    projected = project_gmv(fans, orders, horizon_days=horizon, known_by=known_by)
    cells = _reasons(_cells(plan, rows, fans, orders, projected))
    observed = float(cells["realised_gmv_cny"].sum())
    final = float(cells["projected_gmv_cny"].sum())
    maturity = 1.0 if final <= 0 else min(observed / final, 1.0)
    spent = float(cells["realised_spend_cny"].sum())
    return Evaluation(
        cells=cells,
        totals=_totals(plan, cells),
        windows=attribution(fans, orders, spend_cny=spent, known_by=known_by, days=ATTRIBUTION_DAYS),
        retention=retention(fans, dataset.users, days=RETENTION_DAYS),
        maturity=maturity,
        drift=curve_drift(plan, cells),
        experiment=judge_experiment(
            plan,
            rows,
            exposures=dataset.exposures,
            orders=dataset.orders,
            horizon_days=horizon,
            known_by=known_by,
            rng=np.random.default_rng(seed),
        ),
        notes=_notes(plan, rows, fans, known_by=known_by, horizon_days=horizon, maturity=maturity),
    )


def _campaign_rows(plan: Plan, dataset: Dataset, campaign_id: str) -> pl.DataFrame:
    """Exposures of the campaign; where no row carries its id, those of its days."""
    exposures = dataset.exposures
    rows = exposures.filter(pl.col("campaign_id") == campaign_id)
    start = plan.campaign.starts_at
    if rows.is_empty() and start is not None:
        stop = start + timedelta(days=plan.campaign.days)
        rows = exposures.filter((pl.col("exposed_at") >= start) & (pl.col("exposed_at") < stop))
    if rows.is_empty():
        found = exposures["campaign_id"].unique().sort().to_list()
        listed = ", ".join(map(str, found[:5])) + (" ..." if len(found) > 5 else "")
        raise DataError(
            f"exposures: no row of campaign_id {campaign_id!r}; campaigns found: {listed or 'none'}; "
            f"give data that covers the campaign"
        )
    return rows


def _last_event(dataset: Dataset) -> datetime:
    times = [dataset.exposures["exposed_at"].max(), dataset.orders["ordered_at"].max()]
    return max(t for t in times if isinstance(t, datetime))


def _new_fans(rows: pl.DataFrame, *, known_by: datetime) -> pl.DataFrame:
    """user_id, segment, placement, followed_at: one row per person, the first follow counts."""
    return (
        rows.filter(pl.col("followed") & (pl.col("placement") != "none"))
        .with_columns(followed_at=pl.coalesce("followed_at", "exposed_at"))
        .filter(pl.col("followed_at") <= known_by)
        .sort("followed_at", "exposure_id")
        .unique("user_id", keep="first", maintain_order=True)
        .select("user_id", *_CELL, "followed_at")
    )


def _cells(
    plan: Plan, rows: pl.DataFrame, fans: pl.DataFrame, orders: pl.DataFrame, projected: pl.DataFrame
) -> pl.DataFrame:
    """Promised beside realised, per segment x placement, cells that only one side has included."""
    promised = plan.allocation.group_by(_CELL, maintain_order=True).agg(
        pl.col("spend_cny").sum().alias("promised_spend_cny"),
        pl.col("impressions").sum().alias("promised_impressions"),
        pl.col("new_fans").sum().alias("promised_fans"),
        pl.col("new_fan_gmv_cny").sum().alias("promised_gmv_cny"),
    )
    paid = rows.filter(pl.col("placement") != "none").group_by(_CELL).agg(
        pl.col("cost_cny").sum().alias("realised_spend_cny"),
        pl.col("impressions").sum().cast(pl.Float64).alias("realised_impressions"),
    )  # fmt: skip
    won = fans.group_by(_CELL).agg(pl.len().cast(pl.Float64).alias("realised_fans"))
    sold = orders.group_by(_CELL).agg(pl.col("net_cny").sum().alias("realised_gmv_cny"))
    joined = promised.join(paid, on=_CELL, how="full", coalesce=True)
    for frame in (won, sold, projected):
        joined = joined.join(frame, on=_CELL, how="left")
    cells = joined.with_columns(pl.selectors.numeric().fill_null(0.0)).sort(
        "promised_spend_cny", "realised_spend_cny", *_CELL, descending=[True, True, False, False]
    )
    fans_or_null = pl.when(pl.col("realised_fans") > 0).then(pl.col("realised_fans"))
    return cells.with_columns(cost_per_fan_cny=pl.col("realised_spend_cny") / fans_or_null)


def _reasons(cells: pl.DataFrame) -> pl.DataFrame:
    """Splits projected - promised GMV into spend, price (impressions per yuan), hazard and value per fan."""

    def factors(side: str, gmv: str) -> list[np.ndarray]:
        chain = [cells[f"{side}_{c}"].to_numpy() for c in ("spend_cny", "impressions", "fans")]
        chain = [np.maximum(c, 1e-9) for c in (*chain, cells[gmv].to_numpy())]
        return [chain[0], chain[1] / chain[0], chain[2] / chain[1], chain[3] / chain[2]]

    promised, realised = factors("promised", "promised_gmv_cny"), factors("realised", "projected_gmv_cny")
    before, after = np.prod(promised, axis=0), np.prod(realised, axis=0)
    change = np.log(after / before)
    weight = np.where(np.abs(change) > 1e-12, (after - before) / np.where(change == 0, 1.0, change), after)
    return cells.with_columns(
        pl.Series(f"because_{name}_cny", weight * np.log(r / p))
        for name, p, r in zip(_FACTORS, promised, realised, strict=True)
    )


def _totals(plan: Plan, cells: pl.DataFrame) -> dict[str, dict[str, Any]]:
    fans, gmv = plan.expected.get("new_fans"), plan.expected.get("new_fan_gmv_cny")
    table = {
        "spend_cny": (plan.spend_cny, None, None, "realised_spend_cny", None),
        "new_fans": (*_said(fans), "realised_fans", None),
        "new_fan_gmv_cny": (*_said(gmv), "realised_gmv_cny", "projected_gmv_cny"),
    }
    totals = {}
    for name, (value, low, high, column, final) in table.items():
        realised = float(cells[column].sum())
        projected = None if final is None else float(cells[final].sum())
        outcome = realised if projected is None else projected
        within = None if low is None or high is None else bool(low <= outcome <= high)
        totals[name] = {
            "promised": value, "low": low, "high": high,
            "realised": realised, "projected": projected, "within": within,
        }  # fmt: skip
    return totals


def _said(interval: Any) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if interval is None else (interval.value, interval.low, interval.high)


def _notes(
    plan: Plan,
    rows: pl.DataFrame,
    fans: pl.DataFrame,
    *,
    known_by: datetime,
    horizon_days: int,
    maturity: float,
) -> tuple[str, ...]:
    notes = []
    young = fans.filter(pl.col("followed_at") > known_by - timedelta(days=horizon_days)).height
    if young:
        notes.append(
            f"{young:,} of {fans.height:,} new fans are younger than {horizon_days} days: "
            f"{100 * maturity:.0f} % of the projected GMV is observed, the rest is projected from older fans"
        )
    outside = rows.filter((pl.col("segment") == OUTSIDE) & (pl.col("placement") != "none"))
    if outside.height:
        cost = float(outside["cost_cny"].sum())
        notes.append(f"{outside.height:,} exposures ({cost:,.0f} yuan) went to people outside the plan")
    notes.append(_organic_note(rows, fans))
    if plan.claims.get("kind") != "causal":
        notes.append(
            "the plan's claim was observational, so a difference may also be an effect that was never caused"
        )
    return tuple(notes)


def _organic_note(rows: pl.DataFrame, fans: pl.DataFrame) -> str:
    held_out = rows.filter(pl.col("placement") == "none")
    if held_out.is_empty():
        return "no held-out rows in the campaign: realised fans include those who would have followed anyway"
    rate = held_out["followed"].fill_null(False).mean()
    shown = rows.filter(pl.col("placement") != "none").height
    organic = float(rate) * shown if isinstance(rate, float) else 0.0
    return (
        f"about {min(organic, fans.height):,.0f} of the {fans.height:,} new fans would have followed anyway "
        f"(rate of {held_out.height:,} held-out rows)"
    )
