"""PyMC-Marketing: fit, export the response curves, and ask its own optimiser for a split.

    python examples/bring-your-mmm/from_pymc_marketing.py --out out/pymc

In an environment of its own: `pip install pymc-marketing nutpie`.
"""

from __future__ import annotations

import argparse
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from bridge import Proposal, budgets_cny, export, levels_cny, write_curves, write_proposals
from pymc_marketing.mmm import GeometricAdstock, HillSaturation, LogisticSaturation
from pymc_marketing.mmm.multidimensional import MMM, MultiDimensionalBudgetOptimizerWrapper
from shop import HORIZON_WEEKS, Weekly

SATURATIONS = {"logistic": LogisticSaturation, "hill": HillSaturation}
LAGS = 8
"""Weeks over which spend carries over; the model forgets it afterwards."""
DRAWS = 500


def frame(weekly: Weekly) -> pd.DataFrame:
    """The predictors: date, spends, and a trend from 0 to 1."""
    spend = {"date": pd.to_datetime(weekly.weeks), **weekly.spend_cny}
    return pd.DataFrame(spend).assign(trend=np.linspace(0.0, 1.0, len(weekly.weeks)))


def fitted(weekly: Weekly, *, saturation: str, seed: int) -> MMM:
    """The model of the library's introduction: geometric carry-over, one saturation, trend, season."""
    model = MMM(
        date_column="date",
        target_column="sales",
        channel_columns=list(weekly.spend_cny),
        control_columns=["trend"],
        adstock=GeometricAdstock(l_max=LAGS),
        saturation=SATURATIONS[saturation](),
        yearly_seasonality=2,
    )
    known, sales = frame(weekly), pd.Series(weekly.sales_cny, name="sales")
    model.build_model(known, sales)
    model.add_original_scale_contribution_variable(["channel_contribution"])
    model.fit(
        known, sales, chains=2, cores=2, tune=DRAWS, draws=DRAWS, target_accept=0.9, random_seed=seed,
        nuts_sampler="nutpie", progressbar=False,
    )  # fmt: skip
    return model


def curves(model: MMM, weekly: Weekly) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Mean sales that a quarter at each level brings, what carries over afterwards counted too.

    One long future in which a quarter at each level is followed by weeks without spend, until all of it is
    forgotten: what the library's optimiser itself computes for one split, for all levels at once.
    """
    levels, block = levels_cny(weekly), HORIZON_WEEKS + LAGS
    runs = np.arange(block) < HORIZON_WEEKS
    spend = {c: np.outer(x / HORIZON_WEEKS, runs).ravel() for c, x in levels.items()}
    after = pd.Timestamp(weekly.weeks[-1]) + pd.Timedelta(weeks=1)
    dates = pd.date_range(after, periods=len(next(iter(spend.values()))), freq="7D")
    future = pd.DataFrame({"date": dates, **spend, "trend": 1.0})
    name = "channel_contribution_original_scale"
    found = model.sample_posterior_predictive(
        X=future, extend_idata=False, include_last_observations=False, var_names=[name], progressbar=False
    )[name]
    mean = found.mean("sample").transpose("channel", "date")
    sales = {c: mean.sel(channel=c).to_numpy().reshape(-1, block).sum(axis=1) for c in levels}
    return {c: (levels[c], sales[c]) for c in levels}


def proposals(model: MMM, weekly: Weekly) -> list[Proposal]:
    """What its optimiser (SLSQP from an equal split) does with each budget, under the same caps."""
    after = pd.Timestamp(weekly.weeks[-1]) + pd.Timedelta(weeks=1)
    last = after + pd.Timedelta(weeks=HORIZON_WEEKS - 1)
    optimiser = MultiDimensionalBudgetOptimizerWrapper(
        model=model, start_date=str(after.date()), end_date=str(last.date())
    )
    caps = weekly.caps_cny()
    bounds = xr.DataArray(
        [[0.0, cap / HORIZON_WEEKS] for cap in caps.values()],
        dims=("channel", "bound"),
        coords={"channel": list(caps), "bound": ["lower", "upper"]},
    )
    found = []
    for budget in budgets_cny(weekly):
        split, ended = optimiser.optimize_budget(
            budget=budget / HORIZON_WEEKS, budget_bounds=bounds, return_if_fail=True
        )
        quarter = {c: HORIZON_WEEKS * float(split.sel(channel=c)) for c in caps}
        found.append(Proposal(budget, quarter, -float(ended.fun), str(ended.message)))
    return found


def fit(weekly: Weekly, out: Path, arguments: argparse.Namespace) -> None:
    """Everything that `compare.py` needs."""
    model = fitted(weekly, saturation=arguments.saturation, seed=arguments.seed)
    write_curves(out / "curves.csv", curves(model, weekly))
    library = f"PyMC-Marketing {version('pymc-marketing')}, {arguments.saturation}"
    found = proposals(model, weekly)
    write_proposals(out / "proposals.json", library=library, weekly=weekly, proposals=found)


if __name__ == "__main__":
    export(
        "PyMC-Marketing",
        fit,
        lambda parser: parser.add_argument("--saturation", choices=SATURATIONS, default="logistic"),
    )
