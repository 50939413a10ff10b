"""How two models fared on the same rows. In: paired gains with intervals. Out: a verdict, in words too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from models.judging.bootstrap import Interval

Worth = Literal["gmv", "fans"]
Outcome = Literal["better", "worse", "undecided"]


@dataclass(frozen=True)
class ModelComparison:
    """How the challenger fared.

    Attributes:
        since: First moment of the held-out rows.
        rows: Held-out rows.
        follows: Follows on them.
        randomized: Whether they are randomised rows only.
        worth: What the ranking was judged by: `gmv` or `fans`.
        champion: log_likelihood and ranking of the champion.
        challenger: The same of the challenger.
        likelihood: Gain in log-likelihood per row.
        ranking: Gain in ranking.
        outcome: `better`, `worse` or `undecided`.
    """

    since: datetime
    rows: int
    follows: int
    randomized: bool
    worth: Worth
    champion: dict[str, float]
    challenger: dict[str, float]
    likelihood: Interval
    ranking: Interval
    outcome: Outcome

    def table(self) -> list[dict[str, Any]]:
        """One row per question: champion, challenger, gain, low, high."""
        pairs = {"log_likelihood": self.likelihood, "ranking": self.ranking}
        return [
            {
                "question": name,
                "champion": self.champion[name],
                "challenger": self.challenger[name],
                "gain": gain.value,
                "low": gain.low,
                "high": gain.high,
            }
            for name, gain in pairs.items()
        ]

    def __str__(self) -> str:
        """One sentence."""
        kind = "randomised" if self.randomized else "logged"
        return (
            f"{self.outcome} on {self.rows:,} {kind} rows since {self.since:%Y-%m-%d}:"
            f" log-likelihood {self.likelihood.value:+.2g} a row"
            f" (95 %: {self.likelihood.low:+.2g} to {self.likelihood.high:+.2g}),"
            f" ranking of {self.worth} {self.ranking.value:+.3f}"
            f" ({self.ranking.low:+.3f} to {self.ranking.high:+.3f})"
        )


def outcome_of(likelihood: Interval, ranking: Interval) -> Outcome:
    """Better when one interval lies above 0 and the other does not lie below, and the other way round."""
    if max(likelihood.low, ranking.low) > 0 and min(likelihood.high, ranking.high) >= 0:
        return "better"
    if min(likelihood.high, ranking.high) < 0 and max(likelihood.low, ranking.low) <= 0:
        return "worse"
    return "undecided"
