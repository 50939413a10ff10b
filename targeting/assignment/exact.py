"""The one exact program: whole numbers of people by offer, within the limits, by HiGHS's branch and bound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.supply.curves import FloatArray
from targeting.assignment.effort import EFFORT
from targeting.assignment.quiet import quiet


@dataclass(frozen=True)
class ExactProgram:
    """max gain . x  s.t.  lower <= use . x <= upper,  sum_j x_j <= size of the crowd,  x whole.

    Attributes:
        gain, open: (n_placements, n_crowds). use: (n_rows, n_placements, n_crowds).
        size: (n_crowds,). lower, upper, unit: (n_rows,). money: of an average offer.
        most: at least what the crowds can be worth together.
    """

    gain: FloatArray
    use: FloatArray
    open: NDArray[np.bool_]
    size: FloatArray
    lower: FloatArray
    upper: FloatArray
    money: float
    unit: FloatArray
    most: float

    def solve(
        self, start: FloatArray | None, *, target: float, shrink: float
    ) -> tuple[FloatArray | None, float]:
        """Whole counts, and the least that `most` is above any others. HiGHS holds limits to a tolerance."""
        import highspy
        from scipy.sparse import csc_array, vstack

        place, crowd = np.nonzero(self.open)
        n, d, crowds = len(place), len(self.unit), len(self.size)
        once = csc_array((np.ones(n), (crowd, np.arange(n))), shape=(crowds, n))
        rows = vstack([csc_array(self.use[:, place, crowd] / self.unit[:, None]), once], format="csc")
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = n, d + crowds
        lp.col_cost_, lp.offset_ = -self.gain[place, crowd] / self.money, self.most / self.money
        lp.col_lower_, lp.col_upper_ = np.zeros(n), self.size[crowd]
        lp.row_lower_ = np.concatenate([self.lower / self.unit + shrink, np.full(crowds, -np.inf)])
        lp.row_upper_ = np.concatenate([self.upper / self.unit - shrink, self.size])
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = rows.indptr, rows.indices, rows.data
        lp.integrality_ = [highspy.HighsVarType.kInteger] * n
        solver = quiet(
            mip_rel_gap=0.0, mip_abs_gap=1e-9, objective_target=target / self.money,
            mip_max_nodes=EFFORT.nodes // crowds + 1,
            mip_feasibility_tolerance=EFFORT.feasible, primal_feasibility_tolerance=EFFORT.feasible,
        )  # fmt: skip
        solver.passModel(lp)
        if start is not None:
            known = highspy.HighsSolution()
            known.col_value = start[place, crowd].tolist()
            solver.setSolution(known)
        solver.run()
        info = solver.getInfo()
        if info.primal_solution_status != 2:
            return None, np.inf
        counts = np.zeros(self.gain.shape)
        counts[place, crowd] = np.round(np.array(solver.getSolution().col_value))
        return counts, info.mip_dual_bound * self.money
