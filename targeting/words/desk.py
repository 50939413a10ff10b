"""Labels and messages of the planner's page."""

from __future__ import annotations


class Desk:
    """English page."""

    desk_title = "Planner's desk"


class DeskZh(Desk):
    """Chinese page."""

    desk_title = "投放规划台"
