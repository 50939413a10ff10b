"""A social-ad report through `targeting plan --delivery`: where the same money would buy more conversions.

    python examples/kag/run.py ../shared/data/kag/KAG_conversion_data.csv --out kag

Segments are age x gender. The report names no dates: it is the sum of one period, in which all of its ads ran
side by side. That period is the one "day" of the delivery report and the one day that is planned again, so
there is one point a segment; how fast returns diminish is what the eight of them tell together. Impressions
are left out: their price hardly changes, and what falls with spend is conversions per impression.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl

HERE = Path(__file__).parent


def delivery(path: Path) -> pl.DataFrame:
    """The report in the contract's words: one row per segment, dated by the period's first day."""
    return (
        pl.read_csv(path, infer_schema_length=None)
        .select(
            date=pl.lit(date(2017, 8, 17)),
            segment=pl.format("{} {}", "age", "gender"),
            placement=pl.lit("feed"),
            cost_cny="Spent",
            new_fans="Approved_Conversion",
        )
        .group_by("date", "segment", "placement")
        .sum()
        .sort("date", "segment")
    )


def main() -> None:
    """Write the delivery report, plan, and print the money before and after."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", type=Path)
    parser.add_argument("--out", type=Path, default=Path("kag"))
    arguments = parser.parse_args()
    report = delivery(arguments.csv)
    arguments.out.mkdir(parents=True, exist_ok=True)
    report.write_csv(arguments.out / "delivery.csv")
    command = ["plan", "--campaign", HERE / "brief.yaml", "--delivery", arguments.out / "delivery.csv"]
    subprocess.run(
        [sys.executable, "-m", "pipelines", *map(str, command), "--out", str(arguments.out / "plan")],
        check=True,
    )
    planned = pl.read_csv(arguments.out / "plan" / "allocation.csv")
    table = (
        report.group_by("segment")
        .agg(spent=pl.sum("cost_cny"), conversions=pl.sum("new_fans"))
        .join(planned.select("segment", planned="spend_cny"), on="segment", how="left")
        .with_columns(
            cost_per_conversion=pl.col("spent") / pl.col("conversions"),
            spent_share=pl.col("spent") / pl.sum("spent"),
            planned_share=pl.col("planned") / pl.sum("planned"),
        )
        .sort("cost_per_conversion")
    )
    with pl.Config(
        tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True, float_precision=3, tbl_cols=-1
    ):
        print(table)


if __name__ == "__main__":
    main()
