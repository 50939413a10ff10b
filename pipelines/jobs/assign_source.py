"""What `assign` makes its offers of: scores with options and prices, or a table of offers.

It reads what it must know beforehand, a plan's prices among it, and no table as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from models.errors import CampaignError
from pipelines.config.briefs import Brief
from pipelines.config.job_settings import AssignSettings
from pipelines.store import find_table, has_table, is_parquet, part_files
from pipelines.store.people_parts import scan
from pipelines.store.plans import read_plan
from pipelines.store.scores import SCORES_MANIFEST, as_scores
from pipelines.store.streams import sound_parts
from targeting.assignment.limits import KINDS, Limit, columns_of, parse_limits
from targeting.assignment.offers import Layout
from targeting.assignment.options import Options, offers_of_scores, refuse_wrong_options
from targeting.campaign import Campaign


@dataclass(frozen=True)
class Source:
    """The rows that offers are made of, and how.

    Attributes:
        table: of scores, or of offers.
        files: of it that can be read.
        missing: by file that cannot be read, why.
        options, price_cny: of an impression; None where the table has offers.
        campaign: the brief.
        limits: beside the budget.
        start: prices of a plan's limits by name, to begin from.
        warnings: what had to be assumed.
    """

    table: Path
    files: tuple[Path, ...]
    missing: Mapping[str, str]
    options: Options | None
    price_cny: Mapping[str, float] | None
    campaign: Campaign
    limits: tuple[Limit, ...]
    start: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def offers(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The offers of a part of the table."""
        if self.options is None or self.price_cny is None:
            return rows
        scores = as_scores(rows, source=str(self.table))
        return offers_of_scores(
            scores, options=self.options, price_cny=self.price_cny, campaign=self.campaign
        )

    def layout(self, rows: pl.DataFrame) -> Layout:
        """What a part of the table says about all of it."""
        return Layout.of(rows, columns_of(self.limits))


def source_of(scores: Path, brief: Brief, plan: Path | None, settings: AssignSettings) -> Source:
    """What offers are made of.

    Args:
        scores: directory of `targeting score`, or one with a table `offers`.
        brief: the brief.
        plan: directory of a plan, for what it pays for an impression and the prices of its limits.
        settings: of the job.

    Raises:
        CampaignError: a constraint of the brief is no sum over people, or an option cannot be carried out.
        DataError: there is no table, or it has no scores for an option.
    """
    campaign = brief.campaign
    others = [c for c in campaign.constraints if not isinstance(c, KINDS)]
    if others:
        raise CampaignError(
            f"{brief.path}: constraint '{others[0].name}' ({others[0].kind}) is about the cells of a plan,"
            " not about people one by one; leave it out of the brief for `assign`"
        )
    limits = parse_limits(campaign.constraints)
    decided = None if plan is None else read_plan(plan)
    start = {} if decided is None else dict(decided.shadow_prices)
    if has_table(scores, "offers"):
        table = find_table(scores, "offers")
        return Source(table, *_readable(table), None, None, campaign, limits, start)
    table = find_table(scores, "scores")
    files, missing = _readable(table)
    price = dict(settings.price_cny)
    warnings: tuple[str, ...] = ()
    if decided is None:
        listed = ", ".join(f"{place} {yuan:g}" for place, yuan in price.items())
        warnings = (f"an impression is taken to cost what the settings say ({listed} yuan): put your own",)
    else:
        price |= _paid(decided.allocation)
    known = scan(files).select(pl.col("placement").unique().sort()).collect()["placement"].to_list()
    refuse_wrong_options(settings.options, known=known, price_cny=price, campaign=campaign, source=str(table))
    return Source(table, files, missing, settings.options, price, campaign, limits, start, warnings)


def _readable(table: Path) -> tuple[tuple[Path, ...], Mapping[str, str]]:
    """The parts of a table that can be read, and why others cannot; of scores that came with a manifest all
    are needed: a part that is damaged is made again by `score`, which takes over the others.
    """
    if not is_parquet(table) or (table.parent / SCORES_MANIFEST).exists():
        return tuple(part_files(table)), {}
    files, missing = sound_parts(table)
    return tuple(files), missing


def _paid(allocation: pl.DataFrame) -> dict[str, float]:
    """Yuan an impression by placement, where the plan buys any."""
    by = allocation.group_by("placement").agg(pl.col("spend_cny", "impressions").sum())
    bought = by.filter((pl.col("spend_cny") > 0) & (pl.col("impressions") > 0))
    return dict(bought.select("placement", pl.col("spend_cny") / pl.col("impressions")).iter_rows())
