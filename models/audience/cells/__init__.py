"""Do logged outcomes agree with the scores, cell by cell? In: scores, logs. Out: factors and draws.

`follow_counts` and `fan_gmv` lay what was logged beside what was predicted (`tables`), `factors` pools the
ratios, `selection` decides how far ranked rows are believed beside randomised ones.
"""

from models.audience.cells.factors import CellFactors, cell_factors

__all__ = ["CellFactors", "cell_factors"]
