"""What channels bring when the only outcome is a total per date: a media mix regression that says its limits.

A merchant without logs and without attribution has a series of dates: what was spent per channel, what was
sold in all. With f_j the spend of channel j after carry-over and saturation,

    sales_t = trend + season + controls + sum_j beta_j f_j(t) + noise
    a_j(t) = (1 - alpha_j) spend_j(t) + alpha_j a_j(t - 1)            geometric carry-over (adstock)
    f_j(t) = a_j(t) / (a_j(t) + h_j)                                  saturation (Hill, slope 1: concave)

    return of j = beta_j sum_t f_j(t) / sum_t spend_j(t)              sales per yuan spent (ROAS)

Nothing says which carry-over, saturation, trend or season is right, so they are averaged by how well they
explain the sales (BIC weights, a Gibbs sampler over grids), and the noise may be correlated in time
(Newey-West). That is the interval `roas`, enough if nothing else moved spend and sales together. Spend
follows demand, and demand is never wholly seen: `with_hidden` is the interval that a hidden cause as strong
as the strongest seen demand driver (trend, season, a control) could make of it (`models.confounding`). It is
the one to quote, with that condition: against a stronger cause nothing but randomised spend helps. Where it
reaches down to nothing the verdict is that these data cannot tell.

Sources: Jin, Wang, Sun, Chan & Koehler, "Bayesian methods for media mix modeling with carryover and shape
effects", Google 2017; Raftery, "Bayesian model selection in social research", Sociological Methodology 25,
1995 (BIC weights); Newey & West, Econometrica 55, 1987; Chan & Perry, "Challenges and opportunities in media
mix modeling", Google 2017 (why observed spend misleads). Must not import mlflow, lightgbm, targeting or
pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np

from models.confounding import HiddenCause, adjusted_error, benchmark, bias_bound, robustness_value
from models.errors import DataError
from models.judging.heterogeneity import Interval
from models.media_shapes import Design, Shapes, choose_shapes, demand_groups

LOW, HIGH = 10.0, 90.0
"""Percentiles of the 80 % intervals."""
MIN_DATES = 40
# Level, trend (2), season (6), weekday (6), and two dates left over to judge by.
SHAPE_COLUMNS = 17
DRAWS = 1000


@dataclass(frozen=True)
class ChannelReturn:
    """What a channel brings per yuan, as far as these data can tell.

    Attributes:
        channel: Its name.
        spend_cny: All of it.
        roas: Sales per yuan and the 80 % interval if no cause was hidden.
        with_hidden: The same if one as strong as `like` was; the interval to quote.
        like: The seen demand driver that could mislead most about this channel.
        robustness: Share of what is left unexplained in spend and sales alike that a hidden cause would have
            to explain to bring the return to 0, median over shapes, 0..1.
        hidden: What one as strong as `like` would explain of them, median over shapes.
        known: Whether `with_hidden` stays on one side of 0.
    """

    channel: str
    spend_cny: float
    roas: Interval
    with_hidden: Interval
    like: str
    robustness: float
    hidden: HiddenCause
    known: bool

    def __str__(self) -> str:
        """The verdict, in words."""
        seen, wide = self.roas, self.with_hidden
        reach = f"{wide.low:.1f} to {wide.high:.1f}"
        if not np.isfinite(wide.high - wide.low):
            reach = "anything"
        verdict = (
            f"it brings something, unless a hidden cause is stronger than the {self.like};"
            " how much only randomised spend can tell"
            if self.known
            else "the data cannot tell whether it brings anything, randomise the spend"
        )
        return (
            f"{self.channel}: {seen.value:.1f} per yuan"
            f" ({seen.low:.1f} to {seen.high:.1f} if no cause is hidden);"
            f" a hidden cause of spend and sales as strong as the {self.like} could make it {reach},"
            f" one that explains {100 * self.robustness:.0f} % of what is left of both could make it 0:"
            f" {verdict}"
        )


@dataclass(frozen=True)
class MediaReturns:
    """The channels of one merchant.

    Attributes:
        channels: In the order given.
        explained: Share of the sales' variance that the regression explains, 0..1.
        claims: Always `observational`.
        why: What the intervals rest on.
    """

    channels: tuple[ChannelReturn, ...]
    explained: float
    claims: str
    why: str

    def __str__(self) -> str:
        """A line per channel and what they rest on."""
        return "\n".join([*map(str, self.channels), f"{self.claims}: {self.why}"])


def media_returns(
    *,
    dates: Sequence[date],
    sales_cny: np.ndarray,
    spend_cny: Mapping[str, np.ndarray],
    controls: Mapping[str, np.ndarray] | None = None,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> MediaReturns:
    """The return of each channel from totals per date.

    Args:
        dates: Evenly spaced (days or weeks), rising, (n,).
        sales_cny: Sales of everything, (n,).
        spend_cny: Channel -> spend, >= 0, (n,).
        controls: Name -> what else a merchant knows of the demand (holidays, prices), (n,).
        rng: Draws shapes and noise.
        draws: Number of draws.

    Raises:
        DataError: Fewer than `MIN_DATES` dates, uneven dates, wrong lengths, or a channel that never varies.
    """
    sales = np.asarray(sales_cny, dtype=float)
    spend = {name: np.asarray(values, dtype=float) for name, values in spend_cny.items()}
    known = {name: np.asarray(values, dtype=float) for name, values in (controls or {}).items()}
    _check(dates, sales, {**spend, **known}, tuple(spend))
    groups = demand_groups(dates, known)
    drawn = choose_shapes(sales, spend=spend, groups=groups, rng=rng, draws=draws)
    fits = {shapes: _Fit.of(sales, drawn.design(shapes)) for shapes in dict.fromkeys(drawn.shapes)}
    channels = tuple(
        _returns(name, number, spend[name], fits=fits, shapes=drawn.shapes, rng=rng)
        for number, name in enumerate(spend)
    )
    explained = float(np.mean([fits[shapes].explained for shapes in drawn.shapes]))
    why = (
        f"totals of {len(sales)} dates, no randomised spend; averaged over {len(fits)} shapes of carry-over,"
        f" saturation, trend and season, which explain {100 * explained:.0f} % of the sales"
    )
    return MediaReturns(channels, explained, "observational", why)


@dataclass(frozen=True)
class _Fit:
    """One regression: what is needed of it per channel, in yuan of sales per yuan of spend times spend."""

    beta: np.ndarray
    total: np.ndarray
    error: np.ndarray
    robust_error: np.ndarray
    df: int
    explained: float
    causes: tuple[tuple[tuple[str, HiddenCause], ...], ...]

    @classmethod
    def of(cls, sales: np.ndarray, design: Design) -> _Fit:
        x = np.column_stack([design.media, *design.demand.values()])
        n = x.shape[0]
        inverse = np.linalg.pinv(x.T @ x)
        coefficients = inverse @ (x.T @ sales)
        residual = sales - x @ coefficients
        df = n - int(np.linalg.matrix_rank(x))
        variance = float(residual @ residual) / df
        k = design.media.shape[1]
        causes = tuple(
            tuple((name, _benchmark(sales, design, j, name)) for name in design.drivers) for j in range(k)
        )
        robust = _newey_west(x, residual, inverse) * n / df
        total = float(((sales - sales.mean()) ** 2).sum())
        return cls(
            beta=coefficients[:k],
            total=design.media.sum(axis=0),
            error=np.sqrt(variance * np.diag(inverse)[:k]),
            robust_error=np.sqrt(np.maximum(np.diag(robust)[:k], variance * np.diag(inverse)[:k])),
            df=df,
            explained=1 - float(residual @ residual) / total if total > 0 else 0.0,
            causes=causes,
        )


def _returns(
    name: str,
    number: int,
    spend: np.ndarray,
    *,
    fits: Mapping[Shapes, _Fit],
    shapes: Sequence[Shapes],
    rng: np.random.Generator,
) -> ChannelReturn:
    """Draws of one channel's return, without and with a hidden cause."""
    spent = float(spend.sum())
    likes, robust, causes = [], [], []
    point, seen, low, high = (np.empty(len(shapes)) for _ in range(4))
    for row, one in enumerate(shapes):
        fit = fits[one]
        scale, error = fit.total[number] / spent, float(fit.error[number])
        like, cause = max(
            fit.causes[number], key=lambda c: bias_bound(standard_error=error, df=fit.df, cause=c[1])
        )
        bias = bias_bound(standard_error=error, df=fit.df, cause=cause)
        # time correlation widens the error by the same factor whether or not the cause is seen
        widen = float(fit.robust_error[number]) / error
        noise = rng.standard_normal()
        left = adjusted_error(standard_error=error, df=fit.df, cause=cause) * widen
        point[row] = scale * fit.beta[number]
        seen[row] = scale * (fit.beta[number] + noise * fit.robust_error[number])
        low[row] = scale * (fit.beta[number] - bias + noise * left)
        high[row] = scale * (fit.beta[number] + bias + noise * left)
        likes.append(like)
        robust.append(robustness_value(t=float(fit.beta[number]) / error, df=fit.df))
        causes.append((cause.of_treatment, cause.of_outcome))
    value = float(point.mean())
    narrow = Interval(value, *map(float, np.percentile(seen, [LOW, HIGH])))
    # a hidden cause may also be absent: the interval never shrinks below the one without
    wide = Interval(
        value, min(float(np.quantile(low, LOW / 100, method="lower")), narrow.low),
        max(float(np.quantile(high, HIGH / 100, method="higher")), narrow.high),
    )  # fmt: skip
    return ChannelReturn(
        channel=name,
        spend_cny=spent,
        roas=narrow,
        with_hidden=wide,
        like=max(dict.fromkeys(likes), key=likes.count),
        robustness=float(np.median(robust)),
        hidden=HiddenCause(*(float(m) for m in np.median(causes, axis=0))),
        known=wide.low > 0 or wide.high < 0,
    )


def _benchmark(sales: np.ndarray, design: Design, j: int, name: str) -> HiddenCause:
    """A hidden cause as strong as the demand driver `name`, for channel j."""
    group = design.demand[name]
    others = [columns for other, columns in design.demand.items() if other != name]
    channels = np.delete(design.media, j, axis=1)
    treatment = design.media[:, j]
    rest = np.column_stack([channels, *others])
    return benchmark(
        treatment_share=_partial_share(treatment, group, rest),
        outcome_share=_partial_share(sales, group, np.column_stack([rest, treatment])),
    )


def _partial_share(target: np.ndarray, group: np.ndarray, rest: np.ndarray) -> float:
    """Partial R2 of a group of columns with `target`, given `rest`, 0..1."""
    before, after = _left(target, rest), _left(target, np.column_stack([rest, group]))
    return max(0.0, 1 - after / before) if before > 0 else 0.0


def _left(target: np.ndarray, columns: np.ndarray) -> float:
    residual = target - columns @ np.linalg.lstsq(columns, target, rcond=None)[0]
    return float(residual @ residual)


def _newey_west(x: np.ndarray, residual: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Covariance of coefficients when the noise is correlated over floor(4 (n / 100)^(2/9)) steps."""
    n = x.shape[0]
    lags = int(4 * (n / 100) ** (2 / 9))
    moment = x * residual[:, None]
    middle = moment.T @ moment
    for lag in range(1, lags + 1):
        cross = moment[lag:].T @ moment[:-lag]
        middle += (1 - lag / (lags + 1)) * (cross + cross.T)
    return inverse @ middle @ inverse


def _check(
    dates: Sequence[date], sales: np.ndarray, columns: Mapping[str, np.ndarray], channels: tuple[str, ...]
) -> None:
    n = len(dates)
    if n < MIN_DATES:
        raise DataError(
            f"media: {n} dates, expected at least {MIN_DATES}: fewer say nothing of trend and season"
        )
    steps = {(later - earlier).days for earlier, later in pairwise(dates)}
    if len(steps) != 1 or min(steps) < 1:
        raise DataError(f"media: dates are {sorted(steps)[:4]} days apart, expected even, rising steps")
    for name, values in {"sales_cny": sales, **columns}.items():
        if values.shape != (n,) or not np.isfinite(values).all():
            raise DataError(f"media: {name} has shape {values.shape} or a gap, expected {n} finite numbers")
    if np.ptp(sales) == 0:
        raise DataError("media: sales_cny never varies: it shows no effect of anything")
    if n < len(columns) + SHAPE_COLUMNS:
        raise DataError(
            f"media: {n} dates cannot tell {len(columns)} channels and controls apart beside trend and"
            f" season, expected at least {len(columns) + SHAPE_COLUMNS} dates or fewer columns"
        )
    if not channels:
        raise DataError("media: no channel was given; expected the spend of at least one")
    for name in channels:
        if columns[name].min() < 0 or np.ptp(columns[name]) == 0:
            raise DataError(f"media: spend of {name} is negative or never varies: it shows no effect")
