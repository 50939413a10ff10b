"""What the report shows of how much. It imports nothing of ours."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReportSettings:
    """Sizes of the page; none changes a number on it. All are chosen, for a page that is read in minutes.

    Attributes:
        panels: response curves shown (at least, at most): the funded cells, then the best unfunded ones.
        rows: funded cells in the table.
        idle_rows: cells without money in the list beneath.
        most_cells: beyond it the many small solves behind frontier and experiments are left out.
        experiments: cells suggested for an experiment.
        extrapolated: cells beyond the logs that are named.
        notebook_rows: funded units that a notebook shows.
        least_old_cny: former spend that is worth a line in the table where the plan spends nothing.
        rule_precision: share of those a condition reaches that must belong to the segment, or a list is
            advised.
    """

    panels: tuple[int, int] = (6, 9)
    rows: int = 60
    idle_rows: int = 6
    most_cells: int = 400
    experiments: int = 3
    extrapolated: int = 4
    notebook_rows: int = 20
    least_old_cny: float = 1.0
    rule_precision: float = 0.5


SETTINGS = ReportSettings()
