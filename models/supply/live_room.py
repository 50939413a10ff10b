"""How many the live room holds. In: days of live impressions and entries. Out: places a day, and their doubt.

A room with R places lets the share phi(A / R) = (1 - exp(-A / R)) / (A / R) of A arrivals of a day in. An
arrival is an impression that would end in the room if it were empty; its rate is what `enter` says of the
person, times a level c that the days tell. On day d rows of n impressions enter with 1 - exp(-n e c phi_d):

    log entries_d = log sum(1 - exp(-n e c phi(X_d / rho))) + drift t_d + noise,   X_d = sum n e,   R = c rho,

the noise having variance 1 / entries + tau^2. For each rho the level is profiled, then level and drift are
integrated out; rho (even on a log scale, by the busiest day: `span`) and tau stand on grids. "No limit"
and "a limit" have equal odds before and are weighed by the evidence. A log whose days are alike tells only
that the room is not full at once: the draws then hold rooms from the busiest day up, and a busier plan is
less sure for it. Rates that were learned at the load of the past are those of an empty room times `opened`.

It must not import anything above `models`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from models.arrays import FloatArray, IntArray
from models.saturation import saturation
from models.stored import Array, Limit
from models.supply.settings import ROOM

_MANY = 1e12  # so many rows of next to nothing: counts of visits that do not saturate


@dataclass(frozen=True)
class LiveRoom:
    """What the days say of the room.

    Attributes:
        places: R, arrivals a day; inf where no limit was found.
        level: c, arrivals an entry that the rate of entering expects.
        opened: share of the logged arrivals that got in: logged rates over those of an empty room.
        busiest: arrivals of the busiest logged day.
        likely: posterior probability of a limit.
        places_draws, level_draws, opened_draws: (n_draws,) the same, drawn together.
    """

    places: Limit
    level: float
    opened: float
    busiest: float
    likely: float
    places_draws: Array
    level_draws: Array
    opened_draws: Array

    @property
    def found(self) -> bool:
        """Whether a limit was found."""
        return bool(np.isfinite(self.places))


@dataclass(frozen=True)
class RoomDays:
    """Live days, rows of one day and like size together.

    Attributes:
        day: (n_groups,) index of the day.
        rows: (n_groups,) how many; size: (n_groups,) impressions times rate of entering of each.
        entries: (n_days,) rows that entered.
        number: (n_days,) of the calendar.
    """

    day: IntArray
    rows: FloatArray
    size: FloatArray
    entries: FloatArray
    number: FloatArray

    @property
    def arrivals(self) -> FloatArray:
        """(n_days,) X: entries that the rate of entering expects, each impression for itself."""
        return np.bincount(self.day, self.rows * self.size, len(self.entries)).astype(float)

    def expected(self, rate: FloatArray) -> FloatArray:
        """(n_days,) entries where every rate of day d is multiplied by rate (n_days,)."""
        some = -np.expm1(-self.size * rate[self.day])
        return np.bincount(self.day, self.rows * some, len(self.entries)).astype(float)


def days_of_log(exposures: pl.DataFrame, scores: pl.DataFrame) -> RoomDays | None:
    """Days of the placements with a live step; None where entries are not logged.

    Args:
        exposures: of an event log.
        scores: user_id, placement, p_enter of everybody.
    """
    known = scores.filter(pl.col("p_enter").is_not_null()).select("user_id", "placement", "p_enter")
    size = pl.col("impressions") * pl.col("p_enter").clip(1e-12)
    grouped = (
        exposures.lazy()
        .filter((pl.col("impressions") > 0) & pl.col("entered_live").is_not_null())
        .select("user_id", "placement", "impressions", "exposed_at", "entered_live")
        .join(known.lazy(), on=["user_id", "placement"], how="inner", maintain_order="left")
        .select(pl.col("exposed_at").dt.date().alias("date"), size.alias("size"), "entered_live")
        .collect()  # in one order and at once: parts summed apart differ from run to run
        .group_by("date", (pl.col("size").log() / ROOM.bin).floor().alias("bin"))
        .agg(pl.len().alias("rows"), pl.col("size").mean(), pl.col("entered_live").sum().alias("entries"))
        .sort("date", "bin")
    )
    return _days(grouped)


def days_of_report(daily: pl.DataFrame, entry: pl.DataFrame) -> RoomDays | None:
    """Days of a console's report.

    Args:
        daily: date, segment, placement, impressions, live_entries.
        entry: segment, placement, entry: entries an impression.
    """
    counted = (
        daily.join(entry.filter(pl.col("entry") > 0), on=["segment", "placement"], how="inner")
        .filter((pl.col("impressions") > 0) & pl.col("live_entries").is_not_null())
        .group_by("date")
        .agg(
            (pl.col("impressions") * pl.col("entry")).sum().alias("all"), entries=pl.col("live_entries").sum()
        )
        .select("date", pl.lit(_MANY).alias("rows"), (pl.col("all") / _MANY).alias("size"), "entries")
        .sort("date")
    )
    return _days(counted)


def _days(grouped: pl.DataFrame) -> RoomDays | None:
    if grouped.is_empty() or not grouped["entries"].sum() > 0:
        return None
    day = grouped["date"].rank("dense").to_numpy().astype(np.int64) - 1
    number = grouped["date"].unique(maintain_order=True).cast(pl.Int32).to_numpy().astype(float)
    return RoomDays(
        day=day,
        rows=grouped["rows"].cast(pl.Float64).to_numpy(),
        size=grouped["size"].to_numpy(),
        entries=np.bincount(day, grouped["entries"].cast(pl.Float64).to_numpy()).astype(float),
        number=number,
    )


def fit_room(days: RoomDays | None, *, rng: np.random.Generator, n_draws: int = 200) -> LiveRoom | None:
    """The room's places; None where nothing tells (no entries, or fewer than `days` days).

    Args:
        days: what was shown and who entered.
        n_draws: joint draws.
    """
    if days is None or len(days.entries) < ROOM.days:
        return None
    x = days.arrivals
    low, high = ROOM.span
    rho = np.append(x.max() * np.geomspace(low, high, ROOM.grid), np.inf)
    levels, fits = zip(*(_fitted(days, saturation(x / r)) for r in rho), strict=True)
    log_odds = np.array(fits) - np.append(np.full(len(rho) - 1, np.log(len(rho) - 1)), 0.0)
    weight = np.exp(log_odds - log_odds.max())
    weight /= weight.sum()
    likely = float(weight[:-1].sum())
    drawn = rng.choice(len(rho), n_draws, p=weight)
    jitter = np.exp(rng.uniform(-0.5, 0.5, n_draws) * np.log(high / low) / (ROOM.grid - 1))
    rho_drawn = rho[drawn] * jitter
    mean, sd = (np.array([one[i] for one in levels]) for i in (0, 1))
    level_drawn = np.exp(mean[drawn] + sd[drawn] * rng.normal(size=n_draws))
    best, level = np.inf, 1.0
    if likely >= ROOM.certainty:
        best = float(np.exp(weight[:-1] @ np.log(rho[:-1]) / likely))
        level = float(np.exp(weight[:-1] @ mean[:-1] / likely))
    return LiveRoom(
        places=level * best,
        level=level,
        opened=_opened(x, best),
        busiest=level * float(x.max()),
        likely=likely,
        places_draws=level_drawn * rho_drawn,
        level_draws=level_drawn,
        opened_draws=np.array([_opened(x, r) for r in rho_drawn]),
    )


def _opened(x: FloatArray, rho: float) -> float:
    return float(x @ saturation(x / rho) / x.sum())


def _fitted(days: RoomDays, share: FloatArray) -> tuple[tuple[float, float], float]:
    """Log level (mean, sd) and log evidence where the room let in share (n_days,) of the arrivals."""
    log_level, entries = 0.0, days.entries
    for _ in range(ROOM.steps):
        due = days.expected(np.exp(log_level) * share)
        log_level += float(np.log((entries.sum() + 0.5) / (due.sum() + 0.5)))
    due = days.expected(np.exp(log_level) * share)
    off = np.log((entries + 0.5) / (due + 0.5))
    span = max(float(np.ptp(days.number)), 1.0)
    design = np.column_stack([np.ones_like(off), (days.number - days.number.mean()) / span])
    prior = np.array([0.0, ROOM.drift_sd**-2])
    found = []
    for tau in ROOM.taus:
        spread = 1.0 / (due + 0.5) + tau**2
        gram = design.T @ (design / spread[:, None]) + np.diag(prior)
        moved = np.linalg.solve(gram, design.T @ (off / spread))
        squares = float((off**2 / spread).sum() - moved @ gram @ moved)
        fit = -0.5 * (squares + np.log(spread).sum() + np.linalg.slogdet(gram)[1])
        found.append((fit, moved[0], float(np.linalg.inv(gram)[0, 0])))
    fits, centres, variances = (np.array(column) for column in zip(*found, strict=True))
    weight = np.exp(fits - fits.max())
    evidence = float(fits.max() + np.log(weight.mean()))
    weight /= weight.sum()
    centre = float(weight @ centres)
    variance = float(weight @ (variances + (centres - centre) ** 2))
    return (log_level + centre, float(np.sqrt(variance))), evidence
