"""The account of a jewellery shop on one festival day, line by line, and what its curves would say.

Known: 3.2 million fans, 80 % of them men who came for the videos; 700,000 new fans in the day; 90 million
yuan of GMV, 10 million of it from the new fans. Everything else is assumed, and printed as assumed.
"""

from __future__ import annotations

import polars as pl

import targeting as tg

FANS, MALE_CONTENT_SHARE = 3_200_000, 0.80
NEW_FANS, GMV_CNY, NEW_FAN_GMV_CNY = 700_000, 90e6, 10e6
MARGIN, FEE = 0.45, 0.05
# Assumed split of the day: (segment, placement, spend, new fans, GMV of a new fan).
DAY = (
    ("men who watch videos", "video", 780_000.0, 520_000, 4.0),
    ("men who watch videos", "live", 120_000.0, 40_000, 8.0),
    ("women 24-50", "video", 150_000.0, 60_000, 30.0),
    ("women 24-50", "live", 350_000.0, 80_000, 72.5),
)
HALF_SPEND = 1.5  # of a curve, over the day's spend: each was bought to two fifths of its top


def account() -> list[str]:
    """The day's arithmetic."""
    kept = MARGIN - FEE
    each = NEW_FAN_GMV_CNY / NEW_FANS
    spend = sum(row[2] for row in DAY)
    return [
        f"content fans: {FANS:,} x {MALE_CONTENT_SHARE:.0%} = {FANS * MALE_CONTENT_SHARE:,.0f}; "
        f"precise fans: {FANS * (1 - MALE_CONTENT_SHARE):,.0f}",
        f"GMV of a new fan: {NEW_FAN_GMV_CNY:,.0f} / {NEW_FANS:,} = {each:.2f} yuan",
        f"share of the day's GMV that is the new fans': {NEW_FAN_GMV_CNY / GMV_CNY:.1%}",
        f"kept of it: {kept:.2f} x {each:.2f} = {kept * each:.2f} yuan, the most that a new fan may cost",
        f"assumed spend {spend:,.0f}: {spend / NEW_FANS:.2f} yuan a fan, ROI {NEW_FAN_GMV_CNY / spend:.2f}, "
        f"profit {kept * NEW_FAN_GMV_CNY - spend:,.0f}",
    ]


def curves() -> pl.DataFrame:
    """A concave curve of GMV through each line of the day."""
    rows = [
        {
            "segment": segment,
            "placement": placement,
            "top": fans * gmv * (1 + HALF_SPEND),
            "half_spend_cny": HALF_SPEND * spend,
            "slope": 1.0,
        }
        for segment, placement, spend, fans, gmv in DAY
    ]
    return pl.DataFrame(rows)


def planned() -> list[str]:
    """The same money on the same curves, split by the optimiser."""
    spend = sum(row[2] for row in DAY)
    plan = tg.allocate(curves(), budget_cny=spend, economics={"gross_margin": MARGIN, "fee_rate": FEE})
    last = pl.DataFrame([row[:3] for row in DAY], schema=["segment", "placement", "spend_cny"], orient="row")
    lines = [
        f"{row['segment']} {row['placement']}: {row['other_spend_cny']:,.0f} -> {row['spend_cny']:,.0f}, "
        f"GMV {row['other_new_fan_gmv_cny']:,.0f} -> {row['new_fan_gmv_cny']:,.0f}"
        for row in plan.compare(last).to_dicts()
    ]
    return [*lines, f"gap to the best possible split: {plan.gap:.0e}"]


if __name__ == "__main__":
    total = sum(row[3] for row in DAY), sum(row[3] * row[4] for row in DAY)
    assert total == (NEW_FANS, NEW_FAN_GMV_CNY), total
    print("\n".join([*account(), "", *planned()]))
