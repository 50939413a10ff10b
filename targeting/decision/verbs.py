"""The decision as a thing one can read, compare, question, save and load back.

A `Plan` is a `DecidedPlan` whose verbs are this room's functions. cvxpy is never imported here. `files()`
gives frames and text, the pipelines write them; `load` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from models.errors import CampaignError, DataError
from targeting.plan import loosening, packages, person_offers, questions, saved, usual_plans
from targeting.plan.budgets import Budgets, budgets_of
from targeting.plan.decided import DecidedPlan
from targeting.plan.folder import Reader, read_folder
from targeting.printing import Whole, printed, whole
from targeting.report import plots
from targeting.report.page import notebook, render
from targeting.report.tables import translated
from targeting.report.verdict import certificate, headline
from targeting.words import words_in


@dataclass(frozen=True, repr=False)
class Plan(DecidedPlan):
    """A decided plan, to be read, compared, questioned and saved; the fields are those of `DecidedPlan`."""

    violations = questions.violations
    price = questions.price
    prices = whole(loosening.prices)
    why = questions.why
    frontier = whole(questions.frontier)
    scenarios = whole(questions.scenarios)
    experiments = whole(questions.experiments)
    budgets = budgets_of
    compare = whole(usual_plans.compare)
    offers = person_offers.offers_of
    packages = packages.packages_of
    to_html = render
    plot = plots.plot
    plot_frontier = plots.plot_frontier
    plot_curves = plots.plot_curves
    _repr_html_ = notebook

    def __post_init__(self) -> None:
        """The allocation shows itself whole."""
        object.__setattr__(self, "allocation", Whole(self.allocation))

    @classmethod
    def load(cls, folder: Path | str, *, read: Reader = Path.read_bytes) -> Plan:
        """The plan in a directory that `targeting plan` or `targeting run` wrote.

        Args:
            folder: the directory.
            read: the bytes of one of its files.

        Raises:
            DataError: no such directory, or a file in it is missing, damaged or edited.
        """
        files = read_folder(Path(folder), read)
        try:
            return cls(**vars(saved.read_back(files)))
        except (DataError, CampaignError) as error:  # it names the file; where that is, only we know
            raise DataError(f"{folder}/{error}") from error

    def files(
        self, *, html: bool = True, language: str = "en", budgets: Budgets | None = None
    ) -> dict[str, pl.DataFrame | str]:
        """Everything DESIGN 3.3 asks for, by file name: frames and text, for the pipelines to write
        atomically.

        `market.json` (the fitted market) comes on top, so that a saved plan can be loaded and asked again,
        and for a reader of another language than English `allocation.<language>.csv`, headers and all.

        Args:
            html: with the report.
            language: of the report, `en` or `zh`.
            budgets: the plan's other budgets, where they are known already.
        """
        report = {"report.html": render(self, language, budgets=budgets)} if html else {}
        return saved.files_of(self) | translated(self, language) | report

    def __str__(self) -> str:
        """A readable table with the totals above it."""
        shown = self.allocation.filter(pl.col("spend_cny") > 0).sort("spend_cny", descending=True)
        columns = ("segment", "placement", "spend_cny", "new_fans", "new_fan_gmv_cny", "marginal_gmv_per_cny")
        words = words_in("en")
        said = f"{headline(self, words)} {certificate(self, words)}"
        return f"{said}\n{printed(shown.select(columns))}"

    __repr__ = __str__


def plan_from_files(files: Mapping[str, pl.DataFrame | str]) -> Plan:
    """A plan from the files that `Plan.files` gave: `plan.json`, `allocation.csv`, `market.json` and, where
    present, `curves.csv`, `segments.parquet`, `segment_summary.csv`, `scores.parquet`.

    Raises:
        DataError: a file is missing or is not what `Plan.files` writes.
    """
    return Plan(**vars(saved.read_back(files)))
