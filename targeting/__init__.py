"""What we decide: campaigns, segments, certified allocation, plans and reports.

Everything public is one attribute away (`tg.Planner`, `tg.allocate`, ...) but loaded on first use (PEP 562):
`import targeting` takes 20 ms and no library, whoever only wants `tg.allocate` never loads LightGBM or MLflow
(`python -m benchmarks.startup`). The same names stand twice: for the interpreter in `_EXPORTS`, for type
checkers and editors in the block above it; a test holds the two together. Imports from `models` only.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.errors import CampaignError as CampaignError
    from models.errors import DataError as DataError
    from models.errors import InfeasibleError as InfeasibleError
    from models.errors import SolverError as SolverError
    from models.errors import TargetingError as TargetingError
    from targeting.assignment import Assignment as Assignment
    from targeting.assignment import assign as assign
    from targeting.audience import Audience as Audience
    from targeting.campaign import Campaign as Campaign
    from targeting.campaign import parse_campaign as parse_campaign
    from targeting.decision.delivery_plan import plan_delivery as plan_delivery
    from targeting.decision.supplied_curves import allocate as allocate
    from targeting.decision.verbs import Plan as Plan
    from targeting.decision.verbs import plan_from_files as plan_from_files
    from targeting.evaluation import evaluate_campaign as evaluate_campaign
    from targeting.evaluation import evaluate_delivery as evaluate_delivery
    from targeting.evaluation.walk_forward import backtest as backtest
    from targeting.planner import Planner as Planner
    from targeting.products import choose_products as choose_products
    from targeting.products import rate_products as rate_products
    from targeting.world import simulate as simulate

_EXPORTS = {
    "Assignment": "targeting.assignment",
    "Audience": "targeting.audience",
    "Campaign": "targeting.campaign",
    "CampaignError": "models.errors",
    "DataError": "models.errors",
    "InfeasibleError": "models.errors",
    "Plan": "targeting.decision.verbs",
    "Planner": "targeting.planner",
    "SolverError": "models.errors",
    "TargetingError": "models.errors",
    "allocate": "targeting.decision.supplied_curves",
    "assign": "targeting.assignment",
    "choose_products": "targeting.products",
    "backtest": "targeting.evaluation.walk_forward",
    "evaluate_campaign": "targeting.evaluation",
    "evaluate_delivery": "targeting.evaluation",
    "parse_campaign": "targeting.campaign",
    "plan_delivery": "targeting.decision.delivery_plan",
    "plan_from_files": "targeting.decision.verbs",
    "rate_products": "targeting.products",
    "simulate": "targeting.world",
}

__all__ = sorted(_EXPORTS)


def __getattr__(name: str) -> Any:
    """Load an exported name on first use."""
    if name not in _EXPORTS:
        raise AttributeError(f"module 'targeting' has no attribute {name!r}")
    value = getattr(import_module(_EXPORTS[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
