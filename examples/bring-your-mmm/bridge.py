"""From a fitted media-mix model to `curves.csv` and the split that its own optimiser proposes.

Shared by the three `from_*.py`, and like them it runs in the environment of a media-mix library: it needs
numpy and nothing of this project. `compare.py` reads what it writes.

A channel is a segment of the contract and all channels share one placement: the library knows the channel and
not the people, so there is nothing else to tell apart.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from shop import Weekly, simulate, write_csv

PLACEMENT = "media"
BUDGET_SHARES = (0.5, 1.0, 1.5)
"""Budgets asked for, in quarters of average spend."""
LEVELS = 101
"""Points of an exported curve. Straight lines between them are what is planned on; column `read` of
compare.py says how far from the library's own word that is.
"""


@dataclass(frozen=True)
class Proposal:
    """What a library's own optimiser says.

    Attributes:
        budget_cny: It was given this much.
        split_cny: It spends this, per channel.
        promised_cny: Sales it expects of that, by its own model.
        message: Its own word on how it ended.
    """

    budget_cny: float
    split_cny: dict[str, float]
    promised_cny: float
    message: str


def budgets_cny(weekly: Weekly) -> list[float]:
    """The budgets that are divided, whole yuan."""
    return [float(round(share * sum(weekly.quarter_cny().values()))) for share in BUDGET_SHARES]


def levels_cny(weekly: Weekly) -> dict[str, np.ndarray]:
    """Spends of a quarter at which a curve is read, from nothing to the cap, (LEVELS,) per channel."""
    return {name: np.linspace(0.0, cap, LEVELS) for name, cap in weekly.caps_cny().items()}


def write_curves(path: Path, curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Points (segment, placement, spend_cny, value) of a curve (spend_cny, sales_cny) per channel."""
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["segment", "placement", "spend_cny", "value"])
        for channel, (spend, value) in curves.items():
            for point in zip(spend, value, strict=True):
                out.writerow([channel, PLACEMENT, *(repr(float(x)) for x in point)])


def write_proposals(path: Path, *, library: str, weekly: Weekly, proposals: list[Proposal]) -> None:
    """What the library proposed and under which caps, as JSON."""
    found = {
        "library": library,
        "caps_cny": weekly.caps_cny(),
        "proposals": [asdict(proposal) for proposal in proposals],
    }
    path.write_text(json.dumps(found, indent=2), encoding="utf-8")


def export(name: str, fit: Callable[[Weekly, Path, argparse.Namespace], None], *options: Callable) -> None:
    """The command line of a `from_*.py`: simulate the shop, fit, and leave everything in --out.

    Args:
        name: the library, for the help.
        fit: writes curves.csv and proposals.json.
        options: each adds an argument of its own to the parser.
    """
    parser = argparse.ArgumentParser(description=f"Fit {name}, export its curves and its own split.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0, help="of the simulated shop and of the fit")
    for option in options:
        option(parser)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    weekly = simulate(arguments.seed)
    write_csv(weekly, arguments.out / "weekly.csv")
    fit(weekly, arguments.out, arguments)
