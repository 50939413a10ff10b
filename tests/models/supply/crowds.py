"""People whom campaigns press: audiences that cut across segments, with the true curve of every segment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

START = date(2020, 10, 1)
PLACEMENTS = ("live", "video")
COUNTED = [
    "date", "campaign_id", "segment", "placement", "cost_cny", "impressions", "reached", "pairs", "crowd",
]  # fmt: skip


def auction(x):
    """Cost of the share x of the impressions where rivals bid lognormally: the cheapest first."""
    grid = np.linspace(0.0, 0.995, 400)
    z = np.sqrt(2.0) * _erfinv(2.0 * grid - 1.0 + 1e-9)
    bids = np.exp(0.8 * z)
    paid = np.concatenate([[0.0], np.cumsum(0.5 * (bids[1:] + bids[:-1]) * np.diff(grid))])
    return np.interp(x, grid, paid)


def _erfinv(y):
    from scipy.special import erfinv

    return erfinv(np.clip(y, -1 + 1e-9, 1 - 1e-9))


# Yuan for the share x of what people could be shown, in prices of the first impression.
COSTS = {
    "hill": lambda x: x / (1 - x),
    "log": lambda x: (np.exp(2.0 * x) - 1) / 2.0,
    "capped": lambda x: -np.log1p(-x),
    "steep": lambda x: 0.5 * ((1 - x) ** (-1 / 0.5) - 1),
    "auction": auction,
}


@dataclass(frozen=True)
class Crowd:
    """Logged units, people of each segment, and what money truly buys."""

    daily: pl.DataFrame
    users: dict[str, float]
    segment: np.ndarray
    available: np.ndarray
    price: np.ndarray
    cost: object

    def delivered(self, cells: pl.DataFrame, spend):
        """True impressions a day for `spend` (n_cells,), everybody in the segment at one pressure."""
        grid = np.concatenate([np.linspace(0, 0.9, 500), 1 - np.geomspace(0.1, 1e-4, 500)[1:]])
        if self.cost is COSTS["log"]:
            grid = np.linspace(0, 20, 4000)
        out = []
        for (segment, placement), s in zip(cells.select("segment", "placement").rows(), spend, strict=True):
            j, people = PLACEMENTS.index(placement), self.segment == int(segment[1:])
            paid = (self.available[people, j] * self.price[people, j]).sum() * self.cost(grid)
            out.append(np.interp(s, paid, grid * self.available[people, j].sum()))
        return np.array(out)


def crowd(
    seed, *, cost="hill", people=20_000, days=28, packs=(0.1, 0.2, 0.35), steady=0.3, level=0.15,
    activity=0.6, idle=0.3, favour=0.3, segments=8, price_sd=0.15, day_sd=0.08, unit_sd=0.05, apart=False,
    stable=False,
) -> Crowd:  # fmt: skip
    """Packs are rules on features that also make the segments; some days have bursts of three times more.

    `idle` of the people are not there on a given day; `favour` is how unevenly a campaign presses its own,
    anew each day or (`stable`) the same people every day.
    """
    rng = np.random.default_rng(seed)
    feature = rng.normal(size=(people, 3))
    score = feature @ np.array([1.0, 0.6, 0.0]) + 0.5 * rng.normal(size=people)
    segment = (score.argsort().argsort() * segments) // people
    usual = np.array([0.7, 1.8])
    available = usual * np.exp(activity * rng.normal(size=(people, 2)) + 0.15 * feature[:, [1]])
    price = np.array([0.06, 0.025]) * np.exp(0.2 * feature[:, [0]] + price_sd * rng.normal(size=(people, 2)))
    rows = []
    masks = []
    for k, share in enumerate(packs):
        rank = feature[:, k % 3] if not apart else segment + 0.01 * feature[:, 2]
        masks.append(rank >= np.quantile(rank, 1 - share))
    masks = np.array(masks, dtype=float)
    ever = np.zeros((len(packs), 2, people))
    liked = rng.normal(size=people) if stable else None
    for d in range(days):
        here = rng.random(people) > idle
        for j, placement in enumerate(PLACEMENTS):
            on = rng.random(len(packs)) < 0.8
            on[rng.integers(len(packs))] = True
            x = (
                on
                * level
                * np.exp(steady * rng.normal(size=len(packs)))
                * np.where(rng.random() < 0.1, 3.0, 1.0)
            )
            lean = np.exp(favour * (liked if stable else rng.normal(size=people)) - favour**2 / 2)
            each = masks * x[:, None] * lean
            total = np.minimum(each.sum(axis=0), 0.9)
            shown = rng.poisson(each * available[:, j] * here / (1 - idle))
            unit = price[:, j] * COSTS[cost](np.maximum(total, 1e-6)) / np.maximum(total, 1e-6)
            unit = unit * np.exp(day_sd * rng.normal())
            all_ = shown.sum(axis=0)
            for k in range(len(packs)):
                n = shown[k].astype(float)
                ever[k, j] += n
                paid = n * unit * np.exp(0.1 * rng.normal(size=people)) * np.exp(unit_sd * rng.normal())
                sums = [
                    np.bincount(segment, v, segments)
                    for v in (paid, n, n > 0, n * (n - 1), n * (all_ - 1), n * total * available[:, j].mean())
                ]
                rows += [
                    (START + timedelta(d), f"c{k}", f"s{i}", placement, *(float(v[i]) for v in sums), 0.0)
                    for i in range(segments)
                    if sums[1][i] > 0
                ]
    totals = [
        (f"c{k}", f"s{i}", placement, *(float(v[i]) for v in sums))
        for k in range(len(packs))
        for j, placement in enumerate(PLACEMENTS)
        for sums in [
            [np.bincount(segment, v, segments) for v in (ever[k, j] > 0, ever[k, j] * (ever[k, j] - 1))]
        ]
        for i in range(segments)
    ]
    keys = ["campaign_id", "segment", "placement"]
    whole = pl.DataFrame(totals, schema=[*keys, "ever", "ever_pairs"], orient="row")
    daily = pl.DataFrame(rows, schema=[*COUNTED, "pressed", "randomized_share"], orient="row").join(
        whole, on=keys, how="left", maintain_order="left"
    )
    users = {f"s{i}": float(n) for i, n in enumerate(np.bincount(segment))}
    return Crowd(daily, users, segment, available, price, COSTS[cost])
