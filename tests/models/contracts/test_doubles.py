"""What a report counts twice is counted once, and told."""

from datetime import date, timedelta

import polars as pl
import pytest

from models.contracts import conform

AMOUNTS = ("cost_cny", "impressions", "new_fans")


def report(days=4, segments=("A", "B", "C"), placements=("video", "live")):
    rows = [
        {
            "date": date(2024, 5, 1) + timedelta(days=d),
            "segment": s,
            "placement": p,
            "cost_cny": 10.0 + 7 * i + 3 * j + d * (i + 1) + 0.01 * d * d,
            "impressions": 100 + 13 * i * (d + 1) + 29 * j,
            "new_fans": float(1 + i * d + j),
        }
        for d in range(days)
        for i, s in enumerate(segments)
        for j, p in enumerate(placements)
    ]
    return pl.DataFrame(rows)


def total_of(frame, axis, name):
    keys = [key for key in ("date", "segment", "placement") if key != axis]
    summed = frame.group_by(keys, maintain_order=True).agg(pl.col(AMOUNTS).sum())
    return summed.with_columns(pl.lit(name).alias(axis)).select(frame.columns)


def once(frame):
    return conform(frame, "delivery", source="r")


@pytest.mark.parametrize("axis", ["segment", "placement"])
@pytest.mark.parametrize("name", ["合计", "总计", " TOTAL ", "全部人群", "All", "不限", "every one of them"])
def test_rows_that_add_up_the_others_are_set_aside(axis, name):
    plain = report()
    mixed = pl.concat([plain, total_of(plain, axis, name)]).sample(fraction=1.0, shuffle=True, seed=1)
    found = once(mixed)
    assert found.good["cost_cny"].sum() == pytest.approx(plain["cost_cny"].sum())
    assert name.strip() not in found.good[axis].unique()
    assert found.rejected["reason"].str.contains(f"{axis}: expected a part, .* set aside").all()
    assert any("set aside" in line for line in found.warnings)


def test_a_total_on_the_date_and_totals_of_totals():
    plain = report().with_columns(pl.col("date").cast(pl.String))
    by_segment = total_of(plain, "segment", "小计")
    last = plain.select(
        pl.lit("总计").alias("date"), pl.lit(None, dtype=pl.String).alias("segment"),
        pl.lit(None, dtype=pl.String).alias("placement"), pl.col(AMOUNTS).sum(),
    )  # fmt: skip
    found = once(pl.concat([plain, by_segment, last]))
    assert found.good.height == plain.height
    assert found.rejected.height == by_segment.height + 1


@pytest.mark.parametrize("name", ["全部人群", "all", "合计"])
def test_an_audience_of_everybody_that_is_no_sum_stays(name):
    alone = report(segments=(name,))
    assert once(alone).good.height == alone.height
    if name != "合计":
        beside = report(segments=(name, "B"))
        assert once(beside).good.height == beside.height


def test_a_report_exported_twice_is_read_once_and_rows_that_differ_are_added_up():
    plain = report().with_columns(ad_id=pl.int_range(pl.len()).cast(pl.String))
    twice = pl.concat([plain, plain])
    found = once(twice)
    assert found.good.equals(once(plain).good)
    assert found.rejected.height == plain.height
    assert any(f"{plain.height} rows repeat an earlier row in every cell" in line for line in found.warnings)
    other_ads = plain.with_columns(ad_id="x" + pl.col("ad_id"))
    assert once(pl.concat([plain, other_ads])).good.height == 2 * plain.height


def test_names_that_look_alike_are_one():
    spelt = ["Café VIP", "cafe\u0301 vip", "Ｃａｆé　VIP", "café\u200b vip ", "CAFÉ  VIP", '"Café VIP']
    named = report(days=6, segments=("Café VIP",), placements=("search",))
    found = once(pl.concat([named.with_columns(segment=pl.Series(spelt)), named[1:2]]))
    assert found.good["segment"].unique().to_list() == ["Café VIP"]
    assert sum("is also written" in line for line in found.warnings) == 1
