"""The commands that look back: what a campaign did, what past plans would have earned, a run made again.

Options and nothing else, as in `cli`, which adds them to its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli_options import Campaign, Config, Data, Json, Out, PlanDir, Store, judged, planned
from pipelines.progress import progress

app = typer.Typer()


@app.command(epilog="Example: targeting evaluate --data data --plan plan")
def evaluate(
    data: Data,
    plan: PlanDir,
    trained_on: Annotated[
        Path | None, typer.Option(help="Data directory the plan's model learned from: looks for drift.")
    ] = None,
    later: Annotated[
        list[Path] | None,
        typer.Option(help="Users table (or data directory) of a later snapshot, for retention; repeatable."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Directory for the page, the JSON and the tables; replaced as a whole."),
    ] = None,
    config: Config = None,
    tracking_uri: Store = None,
    json: Json = False,
) -> None:
    """What a finished campaign really did, against what was promised, by user logs or a delivery report."""
    from pipelines.jobs.evaluate import run_evaluate

    with progress("evaluate") as tell:
        result = run_evaluate(
            data=data,
            plan=plan,
            trained_on=trained_on,
            later=later or (),
            out=out,
            config=config,
            tracking_uri=tracking_uri,
            tell=tell,
        )
    judged(result, json, run_id=result.run_id, out=result.out)


@app.command(epilog="Example: targeting backtest --data data --campaign data/campaign.yaml")
def backtest(
    data: Data, campaign: Campaign, config: Config = None, tracking_uri: Store = None, json: Json = False
) -> None:
    """What plans made on past days would have earned on the days after, judged by randomised rows."""
    from pipelines.jobs.backtest import run_backtest

    with progress("backtest") as tell:
        result = run_backtest(
            data=data, campaign=campaign, config=config, tracking_uri=tracking_uri, tell=tell
        )
    judged(result, json, run_id=result.run_id)


@app.command(epilog="Example: targeting replay 0f3c... --out again")
def replay(
    run_id: Annotated[str, typer.Argument(help="MLflow run id printed by `plan` or `run`.")],
    out: Out,
    tracking_uri: Store = None,
    json: Json = False,
) -> None:
    """Do a logged run again from what it recorded, and compare the two plans to the last li."""
    from pipelines.jobs.replay import run_replay

    with progress("replay") as tell:
        result = run_replay(run_id=run_id, out=out, tracking_uri=tracking_uri, tell=tell)
    planned(result, result.plan, json, "plan_again", run=run_id, where=result.out)
