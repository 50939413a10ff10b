"""Everything that is learned of following and buying. In: the log, user features. Out: the two models.

All rates are fitted as logged; then what the coin says of them is asked once, of all together
(`models.rates.coin`): whatever the platform knows of people moves entering, following and buying alike.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.audience.chosen import fit_chosen
from models.audience.follow import fit_logged
from models.audience.funnel import Funnel
from models.audience.value import ValueModel, fit_logged_value
from models.events.event_log import EventLog
from models.rates.coin import coin_shifts
from models.rates.rate import NO_SHIFT
from models.rates.shape import Fitting


@dataclass(frozen=True)
class Learned:
    """Follow hazards and, where a follower has a kept order, what new fans buy."""

    funnel: Funnel
    value: ValueModel | None


def learn(fitting: Fitting, log: EventLog, *, placements: tuple[str, ...], horizon_days: int) -> Learned:
    """Fit both from the events of a log."""
    chosen = fit_chosen(fitting, log)
    follows = fit_logged(fitting, log, placements=placements, chosen=chosen)
    related = [*([] if chosen is None else [chosen]), *(one.follow for one in follows.placements.values())]
    value = fit_logged_value(fitting, log, placements=placements, horizon_days=horizon_days, related=related)
    shifts = coin_shifts({**follows.tossed(), "buy": None if value is None else value.tossed()})
    bought = None if value is None else value.corrected(shifts.get("buy", NO_SHIFT))
    return Learned(follows.corrected(shifts), bought)
