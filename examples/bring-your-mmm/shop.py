"""A shop that knows only weekly totals, simulated: what it spent on four channels and what it sold in all.

    python examples/bring-your-mmm/shop.py weekly.csv

Sales of a week = level + trend + season + noise + what the channels brought, and channel j brings

    top_j a^slope_j / (a^slope_j + half_j^slope_j),  a_t = (1 - carry_j) spend_t + carry_j a_(t - 1)

Money is yuan. Spend is drawn without looking at demand, so that a media-mix model has a fair chance: the
example is about dividing money on curves that somebody else learned, not about learning them. Needs numpy
and nothing else: it also runs in the environments of the media-mix libraries.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

FIRST_WEEK = date(2018, 1, 1)  # a Monday
WEEKS = 156
HORIZON_WEEKS = 13
"""The money of one quarter is divided, each channel's evenly over its weeks."""


@dataclass(frozen=True)
class Channel:
    """What is true of a channel.

    Attributes:
        week_cny: Mean spend of a week in which it runs.
        top_cny: Sales of a week that no amount of spend exceeds.
        half_cny: Weekly spend that brings half of it.
        slope: Of the Hill curve; above 1 small spends bring next to nothing.
        carry: Share of a week's pressure that is left a week later.
    """

    week_cny: float
    top_cny: float
    half_cny: float
    slope: float
    carry: float

    def sales(self, spend_cny: np.ndarray) -> np.ndarray:
        """Sales that weekly spends bring week by week, nothing being spent before, (n_weeks,)."""
        pressure, left = np.zeros(len(spend_cny)), 0.0
        for week, spend in enumerate(spend_cny):
            left = pressure[week] = (1 - self.carry) * spend + self.carry * left
        risen = pressure**self.slope
        return self.top_cny * risen / (risen + self.half_cny**self.slope)


CHANNELS = {
    "video": Channel(week_cny=60e3, top_cny=220e3, half_cny=50e3, slope=1.0, carry=0.3),
    "live": Channel(week_cny=40e3, top_cny=260e3, half_cny=80e3, slope=1.0, carry=0.1),
    "search": Channel(week_cny=15e3, top_cny=60e3, half_cny=12e3, slope=1.0, carry=0.0),
    "kol": Channel(week_cny=40e3, top_cny=180e3, half_cny=50e3, slope=2.5, carry=0.4),
}


@dataclass(frozen=True)
class Weekly:
    """What the shop knows.

    Attributes:
        weeks: First day of each, (n_weeks,).
        spend_cny: Per channel, (n_weeks,).
        sales_cny: Of everything, (n_weeks,).
    """

    weeks: list[date]
    spend_cny: dict[str, np.ndarray]
    sales_cny: np.ndarray

    def quarter_cny(self) -> dict[str, float]:
        """Spend of an average quarter per channel."""
        return {name: float(HORIZON_WEEKS * spend.mean()) for name, spend in self.spend_cny.items()}

    def caps_cny(self) -> dict[str, float]:
        """Most that a plan may spend on a channel in a quarter: twice the average; curves end there."""
        return {name: 2.0 * spend for name, spend in self.quarter_cny().items()}


def simulate(seed: int = 0) -> Weekly:
    """Three years of the shop."""
    rng = np.random.default_rng(seed)
    week = np.arange(WEEKS)
    spend = {}
    for name, channel in CHANNELS.items():
        runs = rng.random(WEEKS) < 0.85
        spend[name] = np.round(channel.week_cny * rng.lognormal(-0.125, 0.5, WEEKS) * runs, 2)
    season = 60e3 * np.sin(2 * np.pi * week / 52) + 30e3 * np.cos(4 * np.pi * week / 52)
    sales = 500e3 + 500.0 * week + season + rng.normal(0.0, 12e3, WEEKS)
    sales += sum(channel.sales(spend[name]) for name, channel in CHANNELS.items())
    weeks = [FIRST_WEEK + timedelta(weeks=int(k)) for k in week]
    return Weekly(weeks, spend, np.round(sales, 2))


def true_sales_cny(split_cny: dict[str, float]) -> float:
    """Sales that a quarter's split really brings, each channel's money spread evenly over the weeks; what it
    still brings after the quarter counts.
    """
    total = 0.0
    for name, spend in split_cny.items():
        weekly = np.full(HORIZON_WEEKS, spend / HORIZON_WEEKS)
        total += float(CHANNELS[name].sales(np.concatenate([weekly, np.zeros(WEEKS)])).sum())
    return total


def write_csv(weekly: Weekly, path: Path) -> None:
    """date, sales_cny and a column per channel."""
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["date", "sales_cny", *weekly.spend_cny])
        out.writerows(zip(weekly.weeks, weekly.sales_cny, *weekly.spend_cny.values(), strict=True))


if __name__ == "__main__":
    write_csv(simulate(), Path(sys.argv[1] if len(sys.argv) > 1 else "weekly.csv"))
