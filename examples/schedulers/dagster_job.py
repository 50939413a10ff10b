"""The night of `night.py` as a Dagster job, a partition a day: `dagster dev -f dagster_job.py`."""

import datetime as dt
import os
import subprocess

from dagster import AssetExecutionContext, AssetKey, DailyPartitionsDefinition, Definitions, asset
from night import ENVIRONMENT, commands

CAMPAIGN = "jewellery-1111"
DAYS = DailyPartitionsDefinition(start_date="2020-11-01")


def _asset(name: str, before: str | None):
    @asset(name=name, partitions_def=DAYS, deps=[AssetKey(before)] if before else [])
    def run(context: AssetExecutionContext) -> None:
        night = dt.date.fromisoformat(context.partition_key)
        command = commands(str(night), CAMPAIGN, before=str(night - dt.timedelta(days=1)))[name]
        subprocess.run(command, check=True, env={**os.environ, **ENVIRONMENT})

    return run


NAMES = [*commands("2020-11-01", CAMPAIGN)]
ASSETS = [_asset(name, before) for name, before in zip(NAMES, [None, *NAMES], strict=False)]
defs = Definitions(assets=ASSETS)
