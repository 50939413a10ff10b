"""Every tuning number of the segments, in one place. It imports nothing of ours.

*Derived* follows from arithmetic, *chosen* is a judgement that no command of the project has measured.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SegmentSettings:
    """Tuning numbers of grouping, rules and diagnosis.

    Attributes:
        most_segments: groups at most. Chosen: what a planner can still look at one by one.
        value_goal: share of the user-level plan value at which splitting stops. Chosen: the rest
            is far below the width of a plan's interval.
        least_gain: share of the user-level plan value that a split must add to be a segment. Chosen.
        candidates: thresholds tried per feature and node, quantiles of its values. Chosen: more
            changed the plan value by less than 0.1 %.
        least_kind_lift: mean p_precise of precise fans over that of content fans, or they are not told apart:
            below it "precise" means nothing. Chosen.
        fan_weight: of follows beside GMV in what a split saves, as a share of the GMV's own size: the same
            segments must serve briefs that count fans. Chosen.
        usual_audience: users of a segment at least. Chosen: consoles want a few hundred people.
        smallest_audience, audiences: where everybody together is fewer than `audiences` x `usual_audience`
            the least is that share of them, but never under the smallest. Chosen.
        rule_terms: conditions of a rule at most. Chosen.
        rule_levels: levels of a column beyond which it is no condition. Chosen.
        rule_runs: levels (from, to) of an ordered column whose runs of 2 to 4 are conditions. Chosen.
        rule_cuts: quantiles of a number that are conditions. Chosen: deciles.
        rule_beam: conjunctions kept at each length of the search. Chosen.
        rule_users: users that rules are searched on, evenly spaced by id. Derived: the error of a share of
            20,000 is below 0.4 points.
        least_f1_gain: of a further condition, or the shorter rule is kept. Chosen.
        profile_columns, profile_levels: columns of the diagnosis, and levels of a column, at most. Chosen.
        least_gap: difference of two shares that is worth a sentence. Chosen.
        profile_sentences: at most. Chosen.
        doubtful_gain: share of the promised differences that later outcomes show below which the segments are
            called guesses. Derived: at one half nobody can tell.
        least_days: with held-out people, to set their follows against spend. Derived: a line and its error
            take two.
        least_seeds: of people that others are to be like. Derived: 1/sqrt(30) = 18 %, of one number.
    """

    most_segments: int = 12
    value_goal: float = 0.995
    least_gain: float = 0.001
    candidates: int = 128
    least_kind_lift: float = 1.5
    fan_weight: float = 0.3
    usual_audience: int = 500
    smallest_audience: int = 50
    audiences: int = 15
    rule_terms: int = 3
    rule_levels: int = 30
    rule_runs: tuple[int, int] = (3, 8)
    rule_cuts: int = 9
    rule_beam: int = 4
    rule_users: int = 20_000
    least_f1_gain: float = 0.01
    profile_columns: int = 6
    profile_levels: int = 12
    least_gap: float = 0.05
    profile_sentences: int = 3
    doubtful_gain: float = 0.4
    least_days: int = 4
    least_seeds: int = 30


SETTINGS = SegmentSettings()
