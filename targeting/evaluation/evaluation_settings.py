"""Every tuning number of the evaluation, in one place. It imports nothing of ours.

*Derived* follows from arithmetic, *chosen* is a judgement that no command of the project has measured.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EvaluationSettings:
    """From how much on something is said; none of them moves a figure that is said but `level_orders`.

    Attributes:
        least_rows: randomised rows below which nothing is estimated from them. Chosen.
        least_events: rows with an outcome below which a ranking is not judged and a value is called a hint.
            Derived: the standard error of 10 events is a third of them.
        calibration_groups: groups of predictions at most. Chosen: deciles.
        events_each: expected events in each group at least. Derived: a standard error of a fifth.
        level_orders: orders that a cell's own level of GMV must outweigh: with as many it is half its own,
            half that of all cells. Chosen.
        least_spend_cny: a cell that got less says nothing about its curve. Chosen.
        page_rows: rows of a table on the page.
    """

    least_rows: int = 200
    least_events: int = 10
    calibration_groups: int = 10
    events_each: float = 20.0
    level_orders: float = 10.0
    least_spend_cny: float = 1.0
    page_rows: int = 40


SETTINGS = EvaluationSettings()
