"""The console's cost guarantee: whether a unit is eligible, and what it may be expected to pay.

A console that bids for a cost per fan pays back what it spent above the target, where the cost was more than
`over_target` times the target, there were enough fans and the advertiser changed little. For spend S, target
T and fans K,

    compensation = S - T K   where   K >= least_conversions  and  S > over_target T K

The fans of a plan are uncertain: K is negative binomial with the plan's mean and the variance of its 80 %
interval on top of chance (Poisson).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from targeting.export.export_rules import Guarantee

_Z80 = 1.2815515655446004  # half an 80 % interval in standard deviations


@dataclass(frozen=True)
class Fans:
    """The fans that a unit is expected to win, with the 80 % interval of the expectation."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Cover:
    """What a guarantee means for a unit.

    Attributes:
        eligible: it may pay at all.
        why: in words.
        chance: that it pays.
        expected_cny: what it pays on average.
    """

    eligible: bool
    why: str
    chance: float
    expected_cny: float


def compensation_cny(rule: Guarantee, *, spend_cny: float, target_cny: float, conversions: float) -> float:
    """What the guarantee pays for what really happened, edits apart."""
    enough = conversions >= rule.least_conversions
    over = spend_cny > rule.over_target * target_cny * conversions
    return spend_cny - target_cny * conversions if enough and over else 0.0


def cover(
    rule: Guarantee, *, spend_cny: float, target_cny: float, fans: Fans, days: int, edits: int
) -> Cover:
    """Eligibility and expected compensation of a unit.

    Args:
        rule: the console's.
        spend_cny: of the unit, over its days.
        target_cny: the cost per fan that was bid.
        fans: expected over its days.
        days: the unit runs; what falls in the rule's window counts.
        edits: planned changes of bid or targeting in the window.
    """
    share = min(rule.window_days / days, 1.0)
    expected, spend = fans.mean * share, spend_cny * share
    if edits > rule.most_edits:
        return Cover(False, f"{edits} planned edits, at most {rule.most_edits} are allowed", 0.0, 0.0)
    if not target_cny > 0 or not expected > 0:
        return Cover(False, "no cost per fan to hold it to", 0.0, 0.0)
    if expected < rule.least_conversions:
        why = f"{expected:.1f} fans expected in {rule.window_days} days, {rule.least_conversions} are needed"
    else:
        why = "enough fans expected"
    odds = _odds(rule, spend=spend, target=target_cny, fans=fans, share=share)
    return Cover(expected >= rule.least_conversions, why, *odds)


def _odds(rule: Guarantee, *, spend: float, target: float, fans: Fans, share: float) -> tuple[float, float]:
    """Chance that the guarantee pays, and its mean."""
    from scipy import stats

    mean = fans.mean * share
    doubt = ((fans.high - fans.low) * share / (2 * _Z80)) ** 2
    most = (
        ceil(spend / (rule.over_target * target)) - 1
    )  # fans of the dearest case that is not paid, less one
    counts = np.arange(rule.least_conversions, max(most, rule.least_conversions - 1) + 1)
    if not len(counts):
        return 0.0, 0.0
    size = mean**2 / doubt if doubt > 0 else np.inf
    if size < 1e8:
        odds = stats.nbinom.pmf(counts, size, size / (size + mean))
    else:
        odds = stats.poisson.pmf(counts, mean)
    return float(odds.sum()), float(odds @ (spend - target * counts))
