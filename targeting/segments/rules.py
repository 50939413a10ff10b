"""Targeting rules: a segment said in the words a platform's campaign form understands.

A platform takes conditions on gender, age, city, interest or device, not our thresholds on scores. For every
segment a beam search finds the conjunction of at most three conditions with the best F1 against membership;
its precision and recall say how much of the segment the form can reach. It must not import scores or
estimators.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from targeting.segments.segment_settings import SETTINGS

NOT_FEATURES = ("user_id", "snapshot_at", "is_fan", "segment", "row")
WHOLE_AUDIENCE = "everyone"
_NEXT = re.compile(r" and (?=\S+ (?:>=|<|=) )")  # a level may hold an "and" of its own
_SAID = re.compile(r"^(?P<column>.+?) (?P<sign>>=|<|=) (?P<level>.+)$", re.S)
RULES = {
    "segment": pl.String, "rule": pl.String, "rule_precision": pl.Float64, "rule_recall": pl.Float64,
}  # fmt: skip


@dataclass(frozen=True)
class Condition:
    """One condition of a rule as it is written: `gender = f`, `age_band = 25-34 or 35-44`, `aov_cny >= 93`.

    Attributes:
        text: the whole of it.
        column, sign, level: its parts; all empty where somebody wrote something else.
    """

    text: str
    column: str = ""
    sign: str = ""
    level: str = ""


def conditions_of(rule: str | None) -> tuple[Condition, ...]:
    """The conditions of a rule; none of no rule and of everyone.

    >>> [c.level for c in conditions_of("interest = toys and games and aov_cny >= 93")]
    ['toys and games', '93']
    """
    if not rule or rule == WHOLE_AUDIENCE:
        return ()
    told = ((part, _SAID.match(part)) for part in _NEXT.split(rule))
    return tuple(
        Condition(part) if said is None else Condition(part, **said.groupdict()) for part, said in told
    )


@dataclass(frozen=True)
class _Condition:
    column: str
    text: str
    mask: NDArray[np.bool_]


def describe_segments(
    users: pl.DataFrame, assignment: pl.DataFrame, *, max_terms: int = SETTINGS.rule_terms
) -> pl.DataFrame:
    """The best short rule of every segment.

    Args:
        users: user_id and features, any types; nulls never match a condition.
        assignment: user_id, segment of the eligible users; rules are judged among these.
        max_terms: most conditions joined by "and".

    Returns:
        segment, rule, rule_precision (share of those the rule picks that are in the segment), rule_recall
        (share of the segment that it picks), in order of first appearance.
    """
    table = assignment.join(users, on="user_id", how="left", maintain_order="left").sort("user_id")
    # No random state needed: users evenly spaced in the order of their ids.
    sample = table.gather_every(max(1, -(-table.height // SETTINGS.rule_users)))
    conditions = _conditions(sample)
    stacked = np.array([c.mask for c in conditions], dtype=np.float32).reshape(-1, sample.height)
    rows = []
    for segment in assignment["segment"].unique(maintain_order=True).to_list():
        inside = (sample["segment"] == segment).to_numpy()
        chosen = _search(conditions, stacked, inside, max_terms)
        precision, recall = _quality(chosen, inside)
        rule = " and ".join(c.text for c in chosen) if chosen else WHOLE_AUDIENCE
        rows.append((segment, rule, precision, recall))
    return pl.DataFrame(rows, schema=RULES, orient="row")


def _conditions(table: pl.DataFrame) -> list[_Condition]:
    found: list[_Condition] = []
    for name in table.columns:
        column = table[name]
        if name in NOT_FEATURES or column.dtype.is_temporal() or column.dtype.is_nested():
            continue
        if column.dtype == pl.Boolean:
            for value, text in ((column, "yes"), (~column, "no")):
                found.append(_Condition(name, f"{name} = {text}", value.fill_null(False).to_numpy()))
        elif column.dtype.is_numeric():
            found.extend(_numeric(name, column))
        else:
            found.extend(_levels(name, column.cast(pl.String)))
    return [c for c in found if c.mask.any() and not c.mask.all()]


def _levels(name: str, column: pl.Series) -> list[_Condition]:
    levels = sorted(column.drop_nulls().unique().to_list())
    if len(levels) > SETTINGS.rule_levels:
        return []
    found = [_Condition(name, f"{name} = {v}", (column == v).fill_null(False).to_numpy()) for v in levels]
    fewest, most = SETTINGS.rule_runs
    if fewest <= len(levels) <= most:  # runs of ordered levels read well: "age_band 25-34 or 35-44"
        for start in range(len(levels)):
            for stop in range(start + 2, min(start + 4, len(levels)) + 1):
                if stop - start < len(levels):
                    run = levels[start:stop]
                    mask = column.is_in(run).fill_null(False).to_numpy()
                    found.append(_Condition(name, f"{name} = {' or '.join(run)}", mask))
    return found


def _numeric(name: str, column: pl.Series) -> list[_Condition]:
    values = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return []
    cuts = np.unique(
        np.quantile(known, np.linspace(0, 1, SETTINGS.rule_cuts + 2)[1:-1], method="closest_observation")
    )
    found = []
    for cut in sorted({float(f"{c:.3g}") for c in cuts}):
        found.append(_Condition(name, f"{name} >= {cut:g}", values >= cut))
        found.append(_Condition(name, f"{name} < {cut:g}", values < cut))
    return found


def _search(
    conditions: list[_Condition], stacked: NDArray[np.float32], inside: NDArray[np.bool_], max_terms: int
) -> list[_Condition]:
    """Beam search for the conjunction with the best F1; the empty rule (everyone) is where it starts."""
    positives = max(int(inside.sum()), 1)
    everyone = 2.0 * positives / (positives + len(inside))
    best: tuple[float, tuple[int, ...]] = (everyone, ())
    beam: list[tuple[float, tuple[int, ...]]] = [best]
    for _ in range(max_terms if conditions else 0):
        grown: dict[tuple[int, ...], float] = {}
        for _, terms in beam:
            held = np.ones(len(inside), dtype=bool)
            for term in terms:
                held &= conditions[term].mask
            picked, hits = stacked @ held.astype(np.float32), stacked @ (held & inside).astype(np.float32)
            f1 = 2.0 * hits / (picked + positives)
            for term in np.argsort(-f1, kind="stable")[: 4 * SETTINGS.rule_beam].tolist():
                if _may_join(conditions, terms, term):
                    grown[tuple(sorted((*terms, term)))] = float(f1[term])
        beam = sorted(
            ((score, terms) for terms, score in grown.items()), key=lambda item: (-item[0], item[1])
        )[: SETTINGS.rule_beam]
        if not beam or beam[0][0] < best[0] + SETTINGS.least_f1_gain:
            break
        best = beam[0]
    return [conditions[i] for i in best[1]]


def _may_join(conditions: list[_Condition], terms: tuple[int, ...], term: int) -> bool:
    """A column may appear twice only as a range (>= with <)."""
    for held in terms:
        if conditions[held].column == conditions[term].column:
            signs = {(">=" in conditions[i].text, "<" in conditions[i].text) for i in (held, term)}
            if signs != {(True, False), (False, True)}:
                return False
    return True


def _quality(chosen: list[_Condition], inside: NDArray[np.bool_]) -> tuple[float, float]:
    held = np.ones(len(inside), dtype=bool)
    for condition in chosen:
        held &= condition.mask
    hits = float((held & inside).sum())
    return hits / max(float(held.sum()), 1.0), hits / max(float(inside.sum()), 1.0)
