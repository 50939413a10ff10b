"""HiGHS without its banner.

HiGHS 1.16 prints a banner when a process makes its first solver, before any option can be set. A library must
not write on the caller's standard output (a command's `--json`, a worker's protocol), so the first solver is
made under a lock while file descriptor 1 points to the null device; later ones touch no descriptor.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from highspy import Highs

_lock = threading.Lock()
_made = False


def quiet(**options: float | str | bool) -> Highs:
    """A solver that prints nothing, on one thread, with HiGHS's own options by name."""
    from highspy import Highs

    _first()
    solver = Highs()
    for name, value in {"output_flag": False, "threads": 1, **options}.items():
        solver.setOptionValue(name, value)
    return solver


def _first() -> None:
    global _made
    with _lock:
        if _made:
            return
        from highspy import Highs

        try:
            kept = os.dup(1)
        except OSError:  # standard output is closed: nothing can be written there
            Highs()
        else:
            null = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(null, 1)
                Highs()  # flushes its banner itself
            finally:
                os.dup2(kept, 1)
                os.close(kept)
                os.close(null)
        _made = True
