"""Whether a plan's scores rank people by what showing adds, and what further money adds along that ranking.

On the rows where a coin chose between a placement and nothing: Qini with its interval, and the cost curve at
a few shares of the money with its band (`models.judging.heterogeneity`). Frames in, frames out. It must not
import the optimiser or the planner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from models.judging.cost_curve import cost_curve_band
from models.judging.heterogeneity import Heterogeneity, heterogeneity
from models.judging.settings import JUDGING
from targeting.evaluation.evaluation_settings import SETTINGS
from targeting.evaluation.randomised_rows import NOBODY, score_column

QINI = {
    "placement": pl.String, "outcome": pl.String, "qini": pl.Float64, "qini_low": pl.Float64,
    "qini_high": pl.Float64, "advantage": pl.Float64, "effect": pl.Float64, "effect_low": pl.Float64,
    "effect_high": pl.Float64, "p_value": pl.Float64, "verdict": pl.String,
}  # fmt: skip
COST = {
    "placement": pl.String, "outcome": pl.String, "cost_share": pl.Float64, "cost_cny": pl.Float64,
    "gain": pl.Float64, "gain_low": pl.Float64, "gain_high": pl.Float64,
}  # fmt: skip
_OUTCOMES = (("new_fans", "follow"), ("new_fan_gmv_cny", "worth"))


@dataclass(frozen=True)
class Rankings:
    """The plan's rankings against a coin.

    Attributes:
        qini: `QINI`, one row per placement x outcome where enough happened.
        cost: `COST`, some rows for each of them: what a share of the money for everybody adds when it goes to
            the best ranked first, as if all judged rows were people to be shown; 95 %.
    """

    qini: pl.DataFrame
    cost: pl.DataFrame


def rankings(
    randomised: pl.DataFrame, placements: tuple[str, ...], *, weight: np.ndarray, rng: np.random.Generator
) -> Rankings:
    """Judge the scores of each placement by each outcome, where enough happened.

    Args:
        randomised: Randomised rows with outcomes and scores (`targeting.evaluation.randomised_rows`).
        placements: Which.
        weight: Inverse propensity of each row, (n,).
        rng: Resamples.
    """
    qini, cost = [], []
    for name in placements:
        mine = randomised["placement"].is_in([name, NOBODY]).to_numpy()
        judged = randomised.filter(mine)
        shown = (judged["placement"] == name).to_numpy()
        for outcome, kind in _OUTCOMES:
            score = score_column(name, kind)
            enough = min(shown.sum(), (~shown).sum()) >= JUDGING.arm_rows
            if (
                score not in randomised.columns
                or not enough
                or (judged[outcome] > 0).sum() < SETTINGS.least_events
            ):
                continue
            rows = {
                "outcome": judged[outcome].clip(lower_bound=0.0).to_numpy(),
                "score": judged[score].to_numpy(),
                "treated": shown,
                "weight": weight[mine],
                "cluster": judged["user_id"].rank("dense").to_numpy(),
            }
            found = heterogeneity(**rows, rng=rng)
            qini.append({"placement": name, "outcome": outcome, **_flat(found)})
            band = cost_curve_band(**rows, cost_cny=judged["cost_cny"].to_numpy(), rng=rng)
            cost += [
                (name, outcome, share, cny, gain.value, gain.low, gain.high) for share, cny, gain in band
            ]
    return Rankings(pl.DataFrame(qini, schema=QINI), pl.DataFrame(cost, schema=COST, orient="row"))


def _flat(found: Heterogeneity) -> dict[str, object]:
    """The columns of `QINI` after placement and outcome."""
    return {
        "qini": found.qini.value,
        "qini_low": found.qini.low,
        "qini_high": found.qini.high,
        "advantage": found.advantage.value,
        "effect": found.effect.value,
        "effect_low": found.effect.low,
        "effect_high": found.effect.high,
        "p_value": found.p_value,
        "verdict": found.verdict,
    }


def sentences(found: Rankings) -> tuple[str, ...]:
    """The verdict on each ranking, and what the first half of the money adds along it."""
    said = []
    for row in found.qini.iter_rows(named=True):
        said.append(
            f"ranking in {row['placement']} by {row['outcome']}: {row['verdict']}, Qini {row['qini']:.3f}"
            f" (95 %: {row['qini_low']:.3f} to {row['qini_high']:.3f})"
        )
        if row["verdict"] != "heterogeneity found":
            continue
        mine = found.cost.filter(
            (pl.col("placement") == row["placement"]) & (pl.col("outcome") == row["outcome"])
        )
        half = mine.filter(pl.col("cost_share") == 0.5).to_dicts()
        whole = mine.filter(pl.col("cost_share") == 1.0).to_dicts()
        if half and whole:
            said.append(
                f"half of the money ({half[0]['cost_cny']:,.0f} yuan) on the best ranked in"
                f" {row['placement']} adds {half[0]['gain']:,.4g} {row['outcome']}"
                f" (95 %: {half[0]['gain_low']:,.4g} to {half[0]['gain_high']:,.4g}),"
                f" all of it {whole[0]['gain']:,.4g}"
            )
    return tuple(said)
