"""The one way a cvxpy program reaches HiGHS: without HiGHS writing on the caller's standard output.

HiGHS 1.16 prints a banner when a process makes its first solver, in the constructor, before any option
(`output_flag`, `log_to_console`) can be set. A library must not write there: a command's `--json`, a
worker's protocol or a notebook would carry it. So the first solver is made here, once per process and under a
lock, while file descriptor 1 points to the null device. What other threads write in that millisecond is lost;
later solves touch no descriptor.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import cvxpy as cp

_lock = threading.Lock()
_made = False


def run_highs(program: cp.Problem, options: Mapping[str, float]) -> None:
    """Solve a cvxpy program with HiGHS in silence; status and values are left on `program`.

    Args:
        program: linear or mixed-integer.
        options: HiGHS's own options by name.

    Raises:
        cvxpy.error.SolverError, ValueError: as `cvxpy.Problem.solve` does.
    """
    _make_first_solver()
    program.solve(solver="HIGHS", highs_options=dict(options))


def _make_first_solver() -> None:
    global _made
    if _made:
        return
    with _lock:
        if _made:
            return
        import highspy

        try:
            kept = os.dup(1)
        except OSError:  # standard output is closed: nothing can be written there
            highspy.Highs()
        else:
            null = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(null, 1)
                highspy.Highs()  # HiGHS flushes its banner itself
            finally:
                os.dup2(kept, 1)
                os.close(kept)
                os.close(null)
        _made = True
