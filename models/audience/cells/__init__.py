"""Do logged outcomes agree with the scores, cell by cell? In: scores, logs. Out: factors and draws.

`follow_counts` and `fan_gmv` lay what was logged beside what was predicted (`tables`), `agreement` fits how
far the two agree, `factors` puts them together.
"""

from models.audience.cells.factors import CellFactors, cell_factors

__all__ = ["CellFactors", "cell_factors"]
