"""The one error tree, sorted by remedy: each class says who can mend it.

Every message is one line: what is wrong, where (file, row, column or key), what was
expected, what to do; passwords in it are masked. The shell turns `exit_code` into the process's exit status.
"""

from __future__ import annotations

from collections.abc import Mapping

from models.escaping.media import without_secrets


class TargetingError(Exception):
    """Base of every error this project raises on purpose."""

    exit_code = 4

    def __init__(self, message: str) -> None:
        super().__init__(without_secrets(message))


class DataError(TargetingError):
    """The input data is wrong: fix the file, row or column that the message names."""

    exit_code = 1


class CampaignError(TargetingError):
    """The brief or a job's settings are wrong: fix the key that the message names."""

    exit_code = 1


class InfeasibleError(TargetingError):
    """No plan satisfies every constraint: relax one of those that the message names.

    Attributes:
        conflict: Names, as in the brief, of a minimal set of constraints that cannot hold together (a larger
            one where time was up: the message says so).
        relaxation: Smallest change of each limit (its own unit) that would make the set feasible.
    """

    exit_code = 3

    def __init__(
        self,
        message: str,
        *,
        conflict: tuple[str, ...] = (),
        relaxation: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(message)
        self.conflict = conflict
        self.relaxation = dict(relaxation or {})


class UndecidedError(InfeasibleError):
    """Within the time limit no plan was found, and none was proven impossible: give it more time."""


class SolverError(TargetingError):
    """The optimiser failed or returned what its own check refuses: a fault of ours, please report it."""

    exit_code = 4
