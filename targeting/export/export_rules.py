"""What a platform asks of a launch, as data: minimums, guarantee, packs. Values: configs/export.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Minimums:
    """Least daily budgets, in yuan.

    Attributes:
        campaign_day_cny: of a campaign (广告计划). It is a ceiling over its units, so less is lifted to it.
        unit_day_cny: of a unit (广告组). Less cannot be launched.
    """

    campaign_day_cny: float
    unit_day_cny: float


@dataclass(frozen=True)
class Guarantee:
    """A console's cost guarantee (成本保障): who is eligible, and what is paid.

    Attributes:
        over_target: cost per conversion over its target from which on the excess is paid, e.g. 1.2.
        least_conversions: fewest conversions in the window.
        most_edits: most changes of bid or targeting in the window.
        window_days: days from the start that count.
    """

    over_target: float
    least_conversions: int
    most_edits: int
    window_days: int


@dataclass(frozen=True)
class PackRules:
    """How lists of people are handed over.

    Attributes:
        code: `plain`, `sha256` or `md5` of salt + id.
        least_people: a smaller pack is not written: platforms refuse it, and it may point at persons.
        chunk_people: lines of a file.
    """

    code: Literal["plain", "sha256", "md5"]
    least_people: int
    chunk_people: int


@dataclass(frozen=True)
class ExportRules:
    """All of it.

    Attributes:
        minimums: of daily budgets.
        guarantee: of costs.
        packs: of people.
        refund_share: of paid GMV that comes back: consoles count GMV before returns, plans after.
        planned_edits: changes of bid or targeting that are meant to be made in the guarantee's window.
    """

    minimums: Minimums
    guarantee: Guarantee
    packs: PackRules
    refund_share: float
    planned_edits: int
