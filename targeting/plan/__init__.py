"""The plan: what was decided (`result`), how it is made and checked (`decision`), what it promises.

`baselines` is what the usual ways would do, `saved` and `market_file` read a plan back from its directory.
"""

from targeting.plan.provenance import Provenance
from targeting.plan.result import ALLOCATION_COLUMNS, UNITS, Plan, plan_from_files

__all__ = ["ALLOCATION_COLUMNS", "UNITS", "Plan", "Provenance", "plan_from_files"]
