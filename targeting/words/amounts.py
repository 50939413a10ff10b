"""Amounts, counts, shares and intervals as people say them."""

from __future__ import annotations

from typing import Protocol

UNKNOWN = "–"


class Range(Protocol):
    """Anything with a low and a high end; None where there is no interval."""

    @property
    def low(self) -> float | None:
        """10 % of the cases are below."""

    @property
    def high(self) -> float | None:
        """10 % of the cases are above."""


class Amounts:
    """Numbers in English."""

    between = "{low} to {high}"
    percent = "{} %"
    interval = "80 % interval {range}"
    no_interval = "no interval: the curves came without uncertainty"
    # 0, 800, 2k, 1.5m: vega's own SI format writes "0k" and mixes prefixes.
    axis_figures = (
        "abs(datum.value) >= 1e6 ? format(datum.value / 1e6, '~g') + 'm' : "
        "abs(datum.value) >= 1e3 ? format(datum.value / 1e3, '~g') + 'k' : format(datum.value, '~g')"
    )

    def yuan(self, amount: float | None) -> str:
        """A readable amount: ¥1,234 below a million, ¥1.23 million above; an en dash where unknown.

        >>> Amounts().yuan(1234.4), Amounts().yuan(2_345_678), Amounts().yuan(-12), Amounts().yuan(0.1234)
        ('¥1,234', '¥2.35 million', '−¥12', '¥0.12')
        """
        if amount is None:
            return UNKNOWN
        size, sign = abs(amount), "−" if amount <= -0.005 else ""
        if size >= 1e6:
            return f"{sign}¥{size / 1e6:,.2f} million"
        return f"{sign}¥{size:,.0f}" if size >= 10 or size == 0 else f"{sign}¥{size:,.2f}"

    def difference(self, amount: float | None, *, money: bool) -> str:
        """A difference with its sign.

        >>> Amounts().difference(12.0, money=True), Amounts().difference(-3.0, money=False)
        ('+¥12', '−3.0')
        """
        if amount is None:
            return UNKNOWN
        size = abs(amount)
        if size < 0.005:
            return "±0"
        sign = "−" if amount < 0 else "+"
        return sign + (self.yuan(size) if money else self.count(size))

    def count(self, number: float | None) -> str:
        """A number of people: whole above ten, one decimal below; an en dash where unknown."""
        if number is None:
            return UNKNOWN
        return f"{number:,.0f}" if abs(number) >= 10 or number == 0 else f"{number:,.1f}"

    def share(self, part: float) -> str:
        """A percentage with a decimal where it matters.

        >>> Amounts().share(0.123), Amounts().share(0.004), Amounts().share(1.0)
        ('12 %', '0.4 %', '100 %')
        """
        return self.percent.format(
            f"{100 * part:.0f}" if part == 0 or abs(part) >= 0.0995 else f"{100 * part:.1f}"
        )

    def span(self, interval: Range | None, *, money: bool) -> str:
        """`¥5 to ¥9`; nothing where there is no interval."""
        if interval is None or interval.low is None or interval.high is None:
            return ""
        show = self.yuan if money else self.count
        return self.from_to(show(interval.low), show(interval.high))

    def from_to(self, low: str, high: str) -> str:
        """Two amounts as a range."""
        return self.between.format(low=low, high=high)

    def range_of(self, interval: Range, *, money: bool) -> str:
        """The 80 % interval in words, or why there is none."""
        span = self.span(interval, money=money)
        return self.interval.format(range=span) if span else self.no_interval


class AmountsZh(Amounts):
    """Numbers in Chinese: yuan after the figure, 万 above ten thousand."""

    between = "{low} 至 {high}"
    percent = "{}%"
    interval = "80% 区间：{range}"
    no_interval = "无区间：曲线未附带不确定性"
    axis_figures = (
        "abs(datum.value) >= 1e4 ? format(datum.value / 1e4, '~g') + '万' : format(datum.value, '~g')"
    )

    def yuan(self, amount: float | None) -> str:
        """A readable amount.

        >>> AmountsZh().yuan(1234.4), AmountsZh().yuan(-2_345_678), AmountsZh().yuan(0.1234)
        ('1,234 元', '−234.57 万元', '0.12 元')
        """
        if amount is None:
            return UNKNOWN
        size, sign = abs(amount), "−" if amount <= -0.005 else ""
        if size >= 1e5:
            return f"{sign}{size / 1e4:,.2f} 万元"
        return f"{sign}{size:,.0f} 元" if size >= 10 or size == 0 else f"{sign}{size:,.2f} 元"

    def from_to(self, low: str, high: str) -> str:
        """Two amounts as a range; a unit that both have is said once.

        >>> AmountsZh().from_to("150 元", "1,056 元"), AmountsZh().from_to("9,000 元", "12.00 万元")
        ('150 至 1,056 元', '9,000 元 至 12.00 万元')
        """
        figure, _, unit = low.partition(" ")
        return super().from_to(figure if unit == high.partition(" ")[2] else low, high)

    def count(self, number: float | None) -> str:
        """A number of people."""
        if number is not None and abs(number) >= 1e5:
            return f"{number / 1e4:,.2f} 万"
        return super().count(number)
