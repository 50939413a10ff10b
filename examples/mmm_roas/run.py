"""Totals per week and a cause nobody saw: what each channel brings, and whether these data can tell.

    python examples/mmm_roas/run.py ../shared/data/mmm_roas/mmm_roas_data.csv

Reads what a merchant has: the date, the spend of two channels, the sales of everything. The file is a
simulation and also holds what the sales would have been without each channel; that is only used at the end,
to judge the answer.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import polars as pl

from models.media import ChannelReturn, media_returns

WITHOUT = {"x1": "y01", "x2": "y02"}


def true_return(table: pl.DataFrame, channel: str) -> float:
    """Sales that the channel brought per unit of spend, from the counterfactual that no merchant has."""
    return float((table["y"] - table[WITHOUT[channel]]).sum() / table[channel].sum())


def row(found: ChannelReturn, true: float) -> dict[str, object]:
    """One channel beside the truth."""
    return {
        "channel": found.channel,
        "return": found.roas.value,
        "low_80": found.roas.low,
        "high_80": found.roas.high,
        "hidden_low_80": found.with_hidden.low,
        "hidden_high_80": found.with_hidden.high,
        "robustness": found.robustness,
        "like": found.like,
        "true": true,
        "inside_plain": true in found.roas,
        "inside_hidden": true in found.with_hidden,
    }


def main() -> None:
    """Print the verdict per channel, then the truth beside it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", type=Path, nargs="?", default=os.environ.get("MMM_ROAS"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="also write the table, as CSV")
    arguments = parser.parse_args()
    if arguments.csv is None:
        parser.error("name mmm_roas_data.csv, or set MMM_ROAS")
    table = pl.read_csv(arguments.csv, try_parse_dates=True)
    found = media_returns(
        dates=table["date"].to_list(),
        sales_cny=table["y"].to_numpy(),
        spend_cny={name: table[name].to_numpy() for name in WITHOUT},
        rng=np.random.default_rng(arguments.seed),
    )
    print(found)
    judged = pl.DataFrame([row(one, true_return(table, one.channel)) for one in found.channels])
    if arguments.out is not None:
        judged.write_csv(arguments.out)
    with pl.Config(
        tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True, tbl_cols=-1, tbl_width_chars=160,
        float_precision=3,
    ):  # fmt: skip
        print(judged)


if __name__ == "__main__":
    main()
