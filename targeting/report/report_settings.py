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
        frontier_budgets: other budgets tried, as shares of the plan's.
        frontier_seconds: for each of them; a report must not take longer than its plan.
        frontier_gap: upper_bound / value - 1 that is enough for a line on a chart.
        most_cells: beyond it the many small solves behind frontier and experiments are left out.
        experiments: cells suggested for an experiment.
        extrapolated: cells beyond the logs that are named.
        money_rows: segments in the chart of money; the rest are summed into one bar.
    """

    panels: tuple[int, int] = (6, 9)
    rows: int = 60
    idle_rows: int = 6
    frontier_budgets: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
    frontier_seconds: float = 3.0
    frontier_gap: float = 1e-3
    most_cells: int = 400
    experiments: int = 3
    extrapolated: int = 4
    money_rows: int = 14


SETTINGS = ReportSettings()
