"""The commands that hand a campaign over: lists of people, and what a console takes.

Options and nothing else, as in `cli`, which adds them to its own.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.cli_options import Campaign, Config, DryRun, Engine, Json, Out, PlanDir, Store, done, end_whole
from pipelines.progress import progress

app = typer.Typer()


@app.command(epilog="Example: targeting assign --scores scores --campaign brief.yaml --out lists --plan plan")
def assign(
    scores: Annotated[
        Path, typer.Option(help="Directory of `targeting score`, or one with a table `offers`.")
    ],
    campaign: Campaign,
    out: Out,
    engine: Annotated[Engine | None, typer.Option(help="Where to run.")] = None,
    plan: Annotated[
        Path | None, typer.Option(help="Plan directory: what an impression costs, and where prices start.")
    ] = None,
    prices: Annotated[
        Path | None, typer.Option(help="assignment.json of before: its prices for people who come later.")
    ] = None,
    config: Config = None,
    tracking_uri: Store = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """People one by one: everybody at most one option, within the budget and every further limit."""
    given: dict[str, Any] = {"scores": scores, "campaign": campaign, "out": out, "plan": plan}
    given |= {"engine": engine.value if engine else None, "prices": prices, "config": config}
    if dry_run:
        from pipelines.jobs.intents import intend_assign

        with progress("assign"):
            intent = intend_assign(**given)
        done(intent, json, f"Would write offers into {intent.out}; nothing was done")
        return
    from pipelines.jobs.assign import run_assign

    with progress("assign") as tell:
        result = run_assign(**given, tracking_uri=tracking_uri, tell=tell)
    done(result, json, f"Offers to {sum(result.chosen.values()):,} people are in {result.out}")
    end_whole(result.missing, "table")


class Format(StrEnum):
    """Whose words a launch sheet is in."""

    kuaishou = "kuaishou"
    oceanengine = "oceanengine"
    csv = "csv"
    xlsx = "xlsx"


@app.command(epilog="Example: targeting export --plan plan --format kuaishou --out launch")
def export(
    plan: PlanDir,
    format: Annotated[Format, typer.Option(help="Columns of a console, or our own.")],
    out: Out,
    config: Config = None,
    tracking_uri: Store = None,
    json: Json = False,
) -> None:
    """What a console takes: units with budgets, schedules, bids and targeting, and lists of people."""
    from pipelines.jobs.export import run_export

    with progress("export") as tell:
        result = run_export(
            plan=plan, form=format.value, out=out, config=config, tracking_uri=tracking_uri, tell=tell
        )
    done(result, json, f"{result.units} units to launch are in {result.out}")


@app.command(epilog="Example: targeting register --plan plan")
def register(
    plan: PlanDir,
    name: Annotated[str, typer.Option(help="Registered model.")] = "campaign-planner",
    tracking_uri: Store = None,
    json: Json = False,
) -> None:
    """A plan's planner in the MLflow registry: a brief and a budget in, allocation and certificate out."""
    from pipelines.jobs.register import run_register

    with progress("register") as tell:
        result = run_register(plan=plan, name=name, tracking_uri=tracking_uri, tell=tell)
    done(result, json, f"Registered {result.model_uri}")


class Counted(StrEnum):
    """What a set of products is chosen for."""

    gmv = "gmv"
    commission = "commission"


@app.command(epilog="Example: targeting products --plan plan --products products.csv --out room")
def products(
    plan: PlanDir,
    products: Annotated[
        Path, typer.Option(help="Table: product_id, price_cny, conversion and what is known.")
    ],
    out: Out,
    orders: Annotated[Path | None, typer.Option(help="Orders: whose taste is what.")] = None,
    promotions: Annotated[Path | None, typer.Option(help="Table: product_id, promoted_on, gmv_cny.")] = None,
    k: Annotated[int, typer.Option(min=1, help="Products in the room.")] = 10,
    counts: Annotated[Counted, typer.Option(help="What the set is chosen for.")] = Counted.gmv,
    most_per_category: Annotated[int | None, typer.Option(min=1, help="For diversity.")] = None,
    tracking_uri: Store = None,
    json: Json = False,
) -> None:
    """What to sell to whom: the TOP board, a set for the room, and the plan for that set."""
    from pipelines.jobs.products import run_products

    with progress("products") as tell:
        result = run_products(
            plan=plan,
            products=products,
            out=out,
            k=k,
            orders=orders,
            promotions=promotions,
            counts=counts.value,
            most_per_category=most_per_category,
            tracking_uri=tracking_uri,
            tell=tell,
        )
    done(result, json, f"{len(result.products)} products for the room are in {result.out}")
