"""Scores against what people will really do: calibration errors by groups of the prediction."""

from __future__ import annotations

import numpy as np
import polars as pl

from targeting.world import World


def calibration(world: World, scores: pl.DataFrame) -> dict[str, float]:
    """Scores against what those who can be shown to on the campaign's day will really do, on average.

    The campaign's day is after all that was learned from: held-out time, with little sampling noise (means of
    thousands of people's own probabilities).
    """
    keys = ["user_id", "placement"]
    both = scores.filter("eligible").join(
        world.truth.individuals().filter("eligible"), on=keys, how="inner", suffix="_true"
    )
    weight = both["p_follow_true"].to_numpy()
    one = np.ones_like(weight)
    found: dict[str, float] = {}
    for name, column, w in (
        ("follow", "p_follow", one),
        ("buy", "p_precise", weight),
        ("gmv", "gmv_per_fan_cny", weight),
    ):
        predicted, true = both[column].to_numpy(), both[f"{column}_true"].to_numpy()
        ece, found[f"decile_{name}"] = deciles(predicted, true, w)
        _, found[f"events_{name}"] = deciles(predicted, true, w, share=predicted * w)
        found[f"total_{name}"] = float(np.average(predicted, weights=w) / np.average(true, weights=w))
        if name != "gmv":
            found[f"ece_{name}"] = ece
    return found


def deciles(
    predicted: np.ndarray, true: np.ndarray, weight: np.ndarray, share: np.ndarray | None = None
) -> tuple[float, float]:
    """(calibration error, predicted/true furthest from 1) over ten groups of the prediction.

    Args:
        predicted, true, weight: (n,).
        share: what is equal in every group, (n,); default: people.
    """
    order = np.argsort(predicted, kind="stable")
    sizes = np.cumsum(np.ones(len(order)) if share is None else share[order])
    cuts = np.searchsorted(sizes, np.arange(1, 10) / 10 * sizes[-1])
    ratios, errors = [], []
    for group in np.split(order, cuts):
        if not weight[group].sum() > 0:
            continue
        p = float(np.average(predicted[group], weights=weight[group]))
        t = float(np.average(true[group], weights=weight[group]))
        ratios.append(p / t)
        errors.append(abs(p - t) * weight[group].sum() / weight.sum())
    return float(sum(errors)), max(ratios, key=lambda r: abs(np.log(max(r, 1e-9))))
