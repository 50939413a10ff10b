"""Google Meridian: fit, export the response curves, and ask its own optimiser for a split.

    python examples/bring-your-mmm/from_meridian.py --out out/meridian

In an environment of its own: `pip install google-meridian`.
"""

from __future__ import annotations

import argparse
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from bridge import LEVELS, Proposal, budgets_cny, export, levels_cny, write_curves, write_proposals
from meridian.analysis.analyzer import Analyzer, DataTensors
from meridian.analysis.optimizer import BudgetOptimizer
from meridian.data.data_frame_input_data_builder import DataFrameInputDataBuilder
from meridian.model.model import Meridian
from meridian.model.spec import ModelSpec
from shop import HORIZON_WEEKS, Weekly

LAGS = 8
"""Weeks over which spend carries over (its default); the model forgets it afterwards."""
DRAWS = 500


def frame(weekly: Weekly) -> tuple[pd.DataFrame, list[str]]:
    """The series as it reads them, and which columns are controls: trend and season."""
    week = np.arange(len(weekly.weeks))
    angle = 2 * np.pi * week / 52
    controls = {
        "trend": week / len(week),
        **{f"sin{k}": np.sin(k * angle) for k in (1, 2)},
        **{f"cos{k}": np.cos(k * angle) for k in (1, 2)},
    }
    known = {"time": [str(day) for day in weekly.weeks], "kpi": weekly.sales_cny, "revenue_per_kpi": 1.0}
    return pd.DataFrame({**known, **controls, **weekly.spend_cny}), list(controls)


def fitted(weekly: Weekly, *, seed: int) -> Meridian:
    """A national model with its default priors."""
    table, controls = frame(weekly)
    channels = list(weekly.spend_cny)
    data = (
        DataFrameInputDataBuilder(kpi_type="revenue")
        .with_kpi(table)
        .with_revenue_per_kpi(table)
        .with_controls(table, control_cols=controls)
        .with_media(table, media_cols=channels, media_spend_cols=channels, media_channels=channels)
        .build()
    )
    model = Meridian(input_data=data, model_spec=ModelSpec(max_lag=LAGS, knots=1))
    model.sample_posterior(n_chains=2, n_adapt=DRAWS, n_burnin=DRAWS // 2, n_keep=DRAWS, seed=seed)
    return model


def quarter_ahead(weekly: Weekly) -> DataTensors:
    """An average quarter spread evenly over its weeks, then weeks without spend until it is forgotten."""
    runs = (np.arange(HORIZON_WEEKS + LAGS) < HORIZON_WEEKS) / HORIZON_WEEKS
    spend = np.outer(runs, list(weekly.quarter_cny().values()))[None].astype("float32")
    days = pd.date_range(weekly.weeks[-1], periods=len(runs) + 1, freq="7D")[1:]
    return DataTensors(
        media=spend,
        media_spend=spend,
        revenue_per_kpi=np.ones((1, len(runs)), dtype="float32"),
        time=[str(day.date()) for day in days],
    )


def curves(model: Meridian, weekly: Weekly) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Its response curves: mean incremental sales of the quarter scaled from nothing to the cap."""
    multipliers = np.linspace(0.0, 2.0, LEVELS)
    found = Analyzer(model_context=model.model_context, inference_data=model.inference_data).response_curves(
        new_data=quarter_ahead(weekly), spend_multipliers=multipliers.tolist()
    )
    sales = found["incremental_outcome"].sel(metric="mean")
    return {c: (x, sales.sel(channel=c).to_numpy()) for c, x in levels_cny(weekly).items()}


def proposals(model: Meridian, weekly: Weekly) -> list[Proposal]:
    """What its optimiser (a search over a grid of spends) does with each budget, under the same caps."""
    optimiser = BudgetOptimizer(model)
    quarter, caps = weekly.quarter_cny(), weekly.caps_cny()
    found = []
    for budget in budgets_cny(weekly):
        usual = {c: budget * spend / sum(quarter.values()) for c, spend in quarter.items()}
        best = optimiser.optimize(
            new_data=quarter_ahead(weekly),
            budget=budget,
            spend_constraint_lower=1.0,
            spend_constraint_upper=[caps[c] / usual[c] - 1.0 for c in caps],
        ).optimized_data
        split = {c: float(best["spend"].sel(channel=c)) for c in caps}
        promised = float(best["incremental_outcome"].sel(metric="mean").sum())
        found.append(Proposal(budget, split, promised, "no status is returned"))
    return found


def fit(weekly: Weekly, out: Path, arguments: argparse.Namespace) -> None:
    """Everything that `compare.py` needs."""
    model = fitted(weekly, seed=arguments.seed)
    write_curves(out / "curves.csv", curves(model, weekly))
    library = f"Meridian {version('google-meridian')}"
    found = proposals(model, weekly)
    write_proposals(out / "proposals.json", library=library, weekly=weekly, proposals=found)


if __name__ == "__main__":
    export("Meridian", fit)
