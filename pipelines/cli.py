"""The `targeting` command: options and nothing else; each command calls one job (DESIGN 3.4).

Jobs are imported inside their command, so that `targeting --help` answers at once. It must not compute.
"""

from __future__ import annotations

import gc
import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer

from models.escaping.media import for_terminal
from pipelines import cli_judging, cli_launch
from pipelines.cli_options import (
    Campaign,
    Config,
    Data,
    DryRun,
    Engine,
    Json,
    Lang,
    Language,
    Out,
    Store,
    done,
    end_whole,
    planned,
)
from pipelines.progress import progress
from pipelines.shell import emit, execute, spoken

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Whom to show, where, with how much money, so that the new fans buy most - with a certificate.",
    epilog="Start with: targeting demo --out demo",
)


@app.callback()
def whole(lang: Language = Lang.en) -> None:
    """Take `--lang` into the help; it is heard before (see `shell.execute`), wherever it stands."""


@app.command(epilog="Example: targeting demo --out demo")
def demo(
    out: Annotated[Path, typer.Option(help="Directory for the simulated data and the plan.")] = Path("demo"),
    config: Config = None,
    tracking_uri: Store = None,
    json: Json = False,
) -> None:
    """Everything below on the simulated jewellery merchant: data, model, plan and report."""
    from pipelines.jobs.demo import run_demo

    with progress("demo") as tell:
        result = run_demo(
            out=out, config=config, tracking_uri=tracking_uri, language=spoken().language, tell=tell
        )
    planned(result, result.plan, json, "demo_written")


@app.command(epilog="Example: targeting simulate --out data --world jewellery --users 40000 --seed 7")
def simulate(
    out: Out,
    world: Annotated[str | None, typer.Option(help="Kind of merchant and market.")] = None,
    users: Annotated[int | None, typer.Option(min=1, help="People in the platform's public traffic.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Same seed, same world.")] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Write a simulated merchant's logs and brief, with the truth that no merchant knows beside them."""
    from pipelines.jobs.simulate import run_simulate

    with progress("simulate") as tell:
        result = run_simulate(out=out, config=config, world=world, users=users, seed=seed, tell=tell)
    done(result, json, f"Data directory and campaign.yaml are in {result.out}")


def _in_words(line: str) -> str:
    """A line of `check` in the language of the command, as far as it is said there."""
    w, bare = spoken(), line.lstrip()
    kind, mark, rest = bare.partition(": ")
    heads = {**w.result_keys, "warning": w.facts["warning"], "error": w.fact_error}
    said = f"{heads[kind]}{w.colon}{w.told(rest)}" if mark and kind in heads else w.told(bare)
    return line[: len(line) - len(bare)] + said


@app.command(epilog="Example: targeting check data")
def check(
    data: Annotated[Path, typer.Argument(help="Data directory, or a delivery or curves file.")],
    json: Json = False,
) -> None:
    """Validate a data directory and print what is wrong where; exit 1 when it cannot be used."""
    from pipelines.jobs.check import check as check_input

    with progress("check"):
        report = check_input(data)
    told = "\n".join(for_terminal(_in_words(line)) for line in report.lines())
    emit(report.to_dict() if json else {}, as_json=json, headline=told)
    report.raise_if_unusable()


@app.command(epilog="Example: targeting train --data data")
def train(data: Data, config: Config = None, tracking_uri: Store = None, json: Json = False) -> None:
    """Learn the audience and response models; a new version in the MLflow registry."""
    from pipelines.jobs.train import run_train

    with progress("train") as tell:
        result = run_train(data=data, config=config, tracking_uri=tracking_uri, tell=tell)
    done(result, json, f"Registered {result.model_uri}")


@app.command(epilog="Example: targeting score --data data --model models:/new-fan-gmv@champion --out scores")
def score(
    data: Data,
    model: Annotated[str, typer.Option(help="Model URI, e.g. models:/new-fan-gmv@champion.")],
    out: Out,
    engine: Annotated[Engine | None, typer.Option(help="Where to run.")] = None,
    last: Annotated[
        Path | None,
        typer.Option(
            help="Scores of before, taken over where users are the same; without it those in --out."
        ),
    ] = None,
    config: Config = None,
    tracking_uri: Store = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Score every user for every placement; an interrupted job goes on where it stopped."""
    where = engine.value if engine else None
    given: dict[str, Any] = {"data": data, "model": model, "out": out, "engine": where, "config": config}
    if dry_run:
        from pipelines.jobs.intents import intend_score

        with progress("score"):
            intent = intend_score(**given, tracking_uri=tracking_uri)
        done(intent, json, f"Would write scores into {intent.out}; nothing was done")
        return
    from pipelines.jobs.score import run_score

    with progress("score") as tell:
        result = run_score(**given, last=last, tracking_uri=tracking_uri, tell=tell)
    done(result, json, f"Scores of {result.users:,} users are in {result.out}")
    end_whole(result.missing, "users")


@app.command(epilog="Example: targeting plan --campaign brief.yaml --data data --scores scores --out plan")
def plan(
    campaign: Campaign,
    out: Out,
    data: Annotated[Path | None, typer.Option(help="Data directory; needs --scores.")] = None,
    scores: Annotated[Path | None, typer.Option(help="Directory written by `targeting score`.")] = None,
    delivery: Annotated[Path | None, typer.Option(help="An advertising console's report.")] = None,
    curves: Annotated[Path | None, typer.Option(help="Response curves from outside.")] = None,
    config: Config = None,
    tracking_uri: Store = None,
    json: Json = False,
) -> None:
    """Divide the budget, from exactly one source: --data with --scores, --delivery, or --curves."""
    given = [
        name for name, path in (("--data", data), ("--delivery", delivery), ("--curves", curves)) if path
    ]
    if len(given) != 1 or (data is None) != (scores is None):
        raise typer.BadParameter("give exactly one source: --data with --scores, --delivery, or --curves")
    from pipelines.jobs.plan import Source, run_plan

    source = Source(data=data, scores=scores, delivery=delivery, curves=curves)
    with progress("plan", given[0]) as tell:
        result = run_plan(
            campaign=campaign,
            source=source,
            out=out,
            config=config,
            tracking_uri=tracking_uri,
            language=spoken().language,
            tell=tell,
        )
    planned(result, result, json, "plan_written", where=result.out)


@app.command(epilog="Example: targeting run --data data --campaign brief.yaml --out plan")
def run(
    data: Data,
    campaign: Campaign,
    out: Out,
    config: Config = None,
    tracking_uri: Store = None,
    json: Json = False,
) -> None:
    """Train, score, plan and report in one go."""
    from pipelines.jobs.run import run_all

    with progress("run") as tell:
        result = run_all(
            data=data,
            campaign=campaign,
            out=out,
            config=config,
            tracking_uri=tracking_uri,
            language=spoken().language,
            tell=tell,
        )
    planned(result, result, json, "plan_written", where=result.out)


app.registered_commands.extend(cli_judging.app.registered_commands + cli_launch.app.registered_commands)


@app.command("app", epilog="Example: targeting app --plan demo/plan")
def app_command(
    plan: Annotated[Path | None, typer.Option(help="Plan directory to open.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 8501,
    browser: Annotated[bool, typer.Option(help="Open a browser window.")] = True,
    json: Json = False,
) -> None:
    """Open the planner's page: upload a report, move the budget and the limits, see the plan answer."""
    from pipelines.app.server import serve

    def starting() -> None:
        where = {"url": f"http://localhost:{port}", "plan": str(plan or "")}
        emit(where, as_json=json, headline="Planner's page:")

    raise typer.Exit(serve(plan=plan, port=port, browser=browser, starting=starting))


@app.command(epilog="Example: targeting schema campaign")
def schema(
    name: Annotated[str, typer.Argument(help="campaign, or a job: train, score, plan, run, ...")],
    json: Json = False,
) -> None:
    """JSON Schema of a brief or of a job's settings."""
    from pipelines.config.json_schema import find_schema

    emit(find_schema(name), as_json=True, headline="")


def _in_utf8() -> None:
    """Begin again in UTF-8 where the locale names files otherwise: polars knows no other names of files."""
    if sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.environ.setdefault("PYTHONIOENCODING", sys.stdout.encoding if sys.stdout else "utf-8")
        os.execv(sys.executable, sys.orig_argv)


def main() -> None:
    """Entry point of the `targeting` command."""
    _in_utf8()
    # Importing makes 450,000 lasting objects that Python looks through for garbage again and again: 1.05 of
    # the 7.7 s of `plan --curves` on eight rows, 0.26 s with this threshold.
    gc.set_threshold(100_000)
    for stream in (sys.stdout, sys.stderr):
        # A terminal without Chinese letters must not turn a result, or an error, into an internal error.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(execute(app))


if __name__ == "__main__":
    main()
