"""A randomised e-mail experiment (MineThatData, 2008) through `targeting run`, judged on unseen customers.

    python examples/hillstrom/run.py ../shared/data/hillstrom/hillstrom.csv --out hillstrom

Half of the customers become a data directory; the plan made from them, as a policy (which e-mail, if any, for
whom), is valued on the other half by inverse propensity weighting, beside policies that need no model.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

HERE = Path(__file__).parent
ARMS = {"Mens E-Mail": "mens_email", "Womens E-Mail": "womens_email", "No E-Mail": "none"}
RIVAL = "all mens_email"  # the best policy that needs no model
PROPENSITY = 1 / 3
COST_CNY = 0.05
START, SEND_DAYS = datetime(2008, 4, 1), 10
FEATURES = ("recency", "history", "mens", "womens", "zip_code", "newbie", "channel")


def read_customers(path: Path) -> pl.DataFrame:
    """The experiment with a customer number, the arm's name and the half it belongs to (even or odd rows)."""
    return pl.read_csv(path, infer_schema_length=None).with_row_index("number").with_columns(
        user_id=pl.format("c{}", "number"),
        arm=pl.col("segment").replace_strict(ARMS),
        half=pl.col("number") % 2,
    )  # fmt: skip


def write_tables(customers: pl.DataFrame, folder: Path) -> None:
    """Write the three tables; e-mails leave over ten days, a visit comes within the hour."""
    folder.mkdir(parents=True, exist_ok=True)
    # The data name no days: half of the customers get the first, a quarter the second, and so on, by their
    # number, so that the logs show days of very different spend at the one price of an e-mail.
    uniform = (pl.col("number").cast(pl.Int64) * 7919 % 10_007 + 1) / 10_008
    day = (-uniform.log(2)).floor().cast(pl.Int64).clip(0, SEND_DAYS - 1)
    sent_at = pl.lit(START) + pl.duration(days=day, hours=9)
    mailed, visited = pl.col("arm") != "none", pl.col("visit") == 1
    users = customers.select("user_id", *FEATURES, snapshot_at=pl.lit(START), is_fan=pl.lit(False))
    exposures = customers.select(
        exposure_id=pl.format("e{}", "number"),
        user_id="user_id",
        campaign_id=pl.lit("experiment"),
        placement="arm",
        exposed_at=sent_at,
        impressions=mailed.cast(pl.Int64),
        cost_cny=mailed * COST_CNY,
        entered_live=pl.lit(None, dtype=pl.Boolean),
        followed=visited,
        followed_at=pl.when(visited).then(sent_at + timedelta(hours=1)),
        randomized=pl.lit(True),
        propensity=pl.lit(PROPENSITY),
    )
    orders = customers.filter(pl.col("spend") > 0).select(
        order_id=pl.format("o{}", "number"),
        user_id="user_id",
        ordered_at=sent_at + timedelta(hours=2),
        gmv_cny=pl.col("spend").cast(pl.Float64),
        refund_cny=pl.lit(0.0),
        product_id=pl.lit(None, dtype=pl.String),
    )
    for name, table in {"users": users, "exposures": exposures, "orders": orders}.items():
        table.write_parquet(folder / f"{name}.parquet")


def policy_shares(allocation: pl.DataFrame, segments: pl.DataFrame) -> pl.DataFrame:
    """Per segment, the plan's probability of each arm: impressions per user, never above one e-mail each."""
    sizes = segments.group_by("segment").len("users")
    wide = (
        allocation.join(sizes, on="segment")
        .with_columns(share=pl.col("impressions") / pl.col("users"))
        .pivot(on="placement", index="segment", values="share", aggregate_function="sum")
        .fill_null(0.0)
    )
    mails = [arm for arm in ARMS.values() if arm != "none"]
    total = pl.max_horizontal(pl.sum_horizontal(mails), 1.0)
    return wide.select("segment", *[pl.col(arm) / total for arm in mails]).with_columns(
        none=1.0 - pl.sum_horizontal(mails)
    )


def value(customers: pl.DataFrame, probability: pl.Expr) -> pl.DataFrame:
    """Each customer's share in the inverse-propensity value of a policy: visits, and net = spend less cost.

    Args:
        customers: arm, visit, spend of the held-out half.
        probability: the policy's probability of the arm that the customer was given.
    """
    return customers.select(
        visits=probability / PROPENSITY * pl.col("visit"),
        net=probability / PROPENSITY * (pl.col("spend") - COST_CNY * (pl.col("arm") != "none")),
    )


def mean_and_error(values: pl.Series) -> tuple[float, float]:
    """The mean and its standard error."""
    return values.mean(), values.std() / math.sqrt(len(values))


def main() -> None:
    """Prepare the data, run the product, print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", type=Path)
    parser.add_argument("--out", type=Path, default=Path("hillstrom"))
    arguments = parser.parse_args()
    customers = read_customers(arguments.csv)
    learned, held_out = customers.filter(pl.col("half") == 0), customers.filter(pl.col("half") == 1)
    write_tables(learned, arguments.out / "data")
    write_tables(held_out, arguments.out / "held_out")
    plan = arguments.out / "plan"
    command = ["run", "--data", arguments.out / "data", "--campaign", HERE / "brief.yaml"]
    targeting(*command, "--config", HERE / "settings.yaml", "--out", plan)

    import json

    import targeting as tg

    planner = tg.Planner.load(json.loads((plan / "plan.json").read_text())["model_uri"])
    audience = planner.audience(pl.read_parquet(arguments.out / "held_out" / "users.parquet"))
    shares = policy_shares(pl.read_csv(plan / "allocation.csv"), pl.read_parquet(plan / "segments.parquet"))
    judged = held_out.drop("segment").join(audience.segments, on="user_id").join(shares, on="segment")
    chosen = pl.coalesce(*[pl.when(pl.col("arm") == arm).then(pl.col(arm)) for arm in ARMS.values()])
    policies = {"the plan": chosen} | {
        f"all {arm}": (pl.col("arm") == arm).cast(pl.Float64) for arm in ARMS.values()
    }
    worth = {name: value(judged, probability) for name, probability in policies.items()}
    print(f"{'policy, on the held-out half':30}{'visits':>9}{'spend - cost':>14}{'std error':>11}", end="")
    print(f"{'less ' + RIVAL:>20}{'std error':>11}")
    for name, own in worth.items():
        net, error = mean_and_error(own["net"])
        # The same customers judge both policies, so their difference is known better than either.
        apart, its_error = mean_and_error(own["net"] - worth[RIVAL]["net"])
        print(f"{name:30}{own['visits'].mean():9.4f}{net:14.4f}{error:11.4f}{apart:20.4f}{its_error:11.4f}")


def targeting(*arguments: object) -> None:
    """Run the command line, as a user would."""
    subprocess.run([sys.executable, "-m", "pipelines", *map(str, arguments)], check=True)


if __name__ == "__main__":
    main()
