"""Robyn (Meta's Python port): fit, export the response curves, and ask its own optimiser for a split.

    python examples/bring-your-mmm/from_robyn.py --out out/robyn

In an environment of its own, with R and its package glmnet: README.md has the commands.
"""

from __future__ import annotations

import argparse
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from bridge import Proposal, budgets_cny, export, levels_cny, write_curves, write_proposals
from robyn.allocator.allocator import BudgetAllocator
from robyn.allocator.entities.allocation_params import AllocatorParams
from robyn.allocator.optimizer import fx_objective
from robyn.data.entities.enums import AdstockType, DependentVarType, ProphetSigns, ProphetVariableType
from robyn.data.entities.holidays_data import HolidaysData
from robyn.data.entities.hyperparameters import ChannelHyperparameters, Hyperparameters
from robyn.data.entities.mmmdata import MMMData
from robyn.modeling.entities.modelrun_trials_config import TrialsConfig
from robyn.robyn import Robyn
from shop import HORIZON_WEEKS, Weekly

ITERATIONS = 300
"""Of its search for carry-over and saturation; its own advice is 2,000 in each of 5 trials."""
OUTCOME = "revenue"
"""robynpy 0.3.6 takes no other name: its evaluation looks for this one."""


def fitted(weekly: Weekly, *, out: Path) -> Robyn:
    """One trial of its search, geometric carry-over and Hill saturation in the ranges of its tutorial."""
    channels = list(weekly.spend_cny)
    table = pd.DataFrame(
        {"date": pd.to_datetime(weekly.weeks), OUTCOME: weekly.sales_cny, **weekly.spend_cny}
    )
    spec = MMMData.MMMDataSpec(
        dep_var=OUTCOME,
        dep_var_type=DependentVarType.REVENUE,
        date_var="date",
        paid_media_spends=channels,
        paid_media_vars=channels,
        context_vars=[],
        organic_vars=[],
        window_start=str(weekly.weeks[0]),
        window_end=str(weekly.weeks[-1]),
    )
    ranges = {
        c: ChannelHyperparameters(alphas=[0.5, 3.0], gammas=[0.3, 1.0], thetas=[0.0, 0.6]) for c in channels
    }
    holidays = HolidaysData(
        dt_holidays=pd.DataFrame({"ds": table["date"], "holiday": "none", "country": "CN", "year": 2018}),
        prophet_vars=[ProphetVariableType.TREND, ProphetVariableType.SEASON],
        prophet_signs=[ProphetSigns.DEFAULT, ProphetSigns.DEFAULT],
        prophet_country="CN",
    )
    robyn = Robyn(working_dir=str(out / "robyn"), console_log_level="ERROR", file_log_level="ERROR")
    robyn.initialize(
        mmm_data=MMMData(data=table, mmmdata_spec=spec),
        holidays_data=holidays,
        hyperparameters=Hyperparameters(
            ranges, adstock=AdstockType.GEOMETRIC, lambda_=[0, 1], train_size=[0.5, 0.8]
        ),
    )
    robyn.feature_engineering(display_plots=False)
    robyn.train_models(TrialsConfig(trials=1, iterations=ITERATIONS), cores=2, display_plots=False)
    robyn.evaluate_models({"pareto_fronts": 1, "min_candidates": 1}, display_plots=False)
    return robyn


def best_fit(robyn: Robyn) -> str:
    """The one of its candidates that explains the sales best; which to take it leaves to people."""
    candidates = robyn.pareto_result.result_hyp_param
    known = candidates[candidates["sol_id"].isin(robyn.pareto_result.pareto_solutions)]
    return str(known.loc[known["nrmse"].idxmin(), "sol_id"])


def allocator(robyn: Robyn, weekly: Weekly, budget_cny: float) -> BudgetAllocator:
    """Its allocator after it divided a quarter's budget, each channel from nothing up to the cap."""
    last = {c: spend[-HORIZON_WEEKS:].sum() for c, spend in weekly.spend_cny.items()}
    params = AllocatorParams(
        scenario="max_response",
        total_budget=budget_cny,
        date_range=f"last_{HORIZON_WEEKS}",
        channel_constr_low=[0.0] * len(last),
        channel_constr_up=[weekly.caps_cny()[c] / spend for c, spend in last.items()],
        plots=False,
    )
    return robyn.optimize_budget(params, select_model=best_fit(robyn), display_plots=False)


def sales_cny(found: BudgetAllocator, channel: str, spend_cny: float) -> float:
    """Sales of a quarter with this spend by the function that its allocator maximises, what past spend still
    brings included.
    """
    week = fx_objective(
        x=spend_cny / HORIZON_WEEKS,
        coeff=found.coefs_sorted[channel],
        alpha=found.alphas[f"{channel}_alphas"],
        inflexion=found.inflexions[f"{channel}_gammas"],
        x_hist_carryover=float(np.mean(found.hist_carryover[channel])),
    )
    return HORIZON_WEEKS * float(week)


def fit(weekly: Weekly, out: Path, arguments: argparse.Namespace) -> None:
    """Everything that `compare.py` needs."""
    robyn = fitted(weekly, out=out)
    found, curves = [], {}
    for budget in budgets_cny(weekly):
        allocated = allocator(robyn, weekly, budget)
        best = allocated.dt_optim_out.set_index("channels")
        split = {c: HORIZON_WEEKS * float(best.loc[c, "optmSpendUnit"]) for c in weekly.spend_cny}
        promised = HORIZON_WEEKS * float(best["optmResponseUnit"].sum())
        past = {c: sales_cny(allocated, c, 0.0) for c in weekly.spend_cny}
        found.append(Proposal(budget, split, promised - sum(past.values()), "no status is returned"))
        curves = {
            c: (levels, np.array([sales_cny(allocated, c, x) - past[c] for x in levels]))
            for c, levels in levels_cny(weekly).items()
        }
    write_curves(out / "curves.csv", curves)
    library = f"robynpy {version('robynpy')}"
    write_proposals(out / "proposals.json", library=library, weekly=weekly, proposals=found)


if __name__ == "__main__":
    export("Robyn", fit)
