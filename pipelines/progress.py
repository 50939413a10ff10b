"""What a terminal sees of a long job: its step, how much of it is done, and how long the rest may take.

How much is done is counted where the job counts ("window 2 of 5"). Elsewhere it is the share of the whole
that usually lies before a step: seconds of the demo's merchant, 40,000 people, on two cores. A job of another
size divides its time otherwise, so the time left is said with "about". In a pipe nothing is said, unless a
scheduler asks for lines of JSON (`TARGETING_LOG=json`): then every step, its end and an error are one each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

from models.escaping.media import for_terminal
from pipelines.shell import Tell, log_line, logs_json, quiet, silent

_RUN = {
    "reading": 0.0,
    "learning from the logs": 0.07,
    "comparing with the champion": 0.81,
    "scoring and segmenting": 0.83,
    "dividing the budget": 0.86,
    "registering the model": 0.88,
    "writing the report": 0.92,
}
USUAL: Mapping[str, Mapping[str, float | None]] = MappingProxyType(
    {
        "demo": _RUN,
        "run": _RUN,
        "train": {
            "reading": 0.0,
            "learning from the logs": 0.05,
            "comparing with the champion": 0.55,
            "registering the model": 0.95,
        },
        "plan": {"reading": 0.0, "segmenting": 0.31, "dividing the budget": 0.40, "writing the report": 0.46},
        "score": dict.fromkeys(("loading the model", "users", "writing")),
        "assign": dict.fromkeys(
            (
                "fingerprinting the scores",
                "dealing people to parts",
                "making offers",
                "finding the prices",
                "writing",
            )
        ),
        "evaluate": dict.fromkeys(("reading", "comparing", "looking for drift")),
        "replay": dict.fromkeys(("reading the run", "reading the input")) | _RUN,
        "export": dict.fromkeys(("reading", "making units", "writing")),
        "products": dict.fromkeys(("reading", "rating", "planning for the set")),
    }
)
"""Share of a command's time before each of its steps; None where that hangs on the input alone."""
_COUNTED = re.compile(r"([\d,]+) of ([\d,]+)")
_TOLD_FROM = 0.04
"""Share done from which the time left is guessed: before it, starting up is most of what was seen."""


def share_before(command: str, stage: str) -> float | None:
    """Share of a command's time that lies before a stage; None where nobody can tell.

    >>> share_before("run", "writing the report"), share_before("backtest", "window 3 of 5, from 2020-10-24")
    (0.92, 0.4)
    """
    if counted := _COUNTED.search(stage):
        now, of = (int(figure.replace(",", "")) for figure in counted.groups())
        return (now - 1) / of if 1 <= now <= of else None
    return USUAL.get(command, {}).get(stage)


def _listed(command: str, stage: str) -> list[bool]:
    """Which of a command's steps it is; figures may follow its name."""
    return [stage == step or stage.startswith(f"{step} ") for step in USUAL.get(command, {})]


def step_of(command: str, stage: str) -> str:
    """`step 2 of 7`; nothing for a command whose steps are not listed.

    >>> step_of("run", "learning from the logs"), step_of("score", "users 1 to 9 of 20"), step_of("app", "x")
    ('step 2 of 7', 'step 2 of 3', '')
    """
    steps = _listed(command, stage)
    return f"step {steps.index(True) + 1} of {len(steps)}" if any(steps) else ""


class _Left(ProgressColumn):
    """Share done and time left, from how long the finished steps took."""

    def render(self, task: Task) -> Text:
        before, at, elapsed = task.fields["before"], task.fields["at"], task.elapsed
        if before is None or before < _TOLD_FROM or elapsed is None:
            return Text("")
        whole = max(at / before, elapsed)
        left = round(whole - elapsed)
        return Text(f"{elapsed / whole:.0%}, about {left // 60}:{left % 60:02d} left")


@contextmanager
def progress(command: str) -> Iterator[Tell]:
    """A listener that shows the step on a terminal, logs it as JSON where asked, and is silent elsewhere.

    While it is open, only stderr is written to.
    """
    console = Console(stderr=True)
    with quiet(1):
        if logs_json():
            log_line("started", job=command)
            yield lambda stage: log_line("step", job=command, step=stage)
            log_line("done", job=command)
            return
        if not console.is_terminal:
            yield silent
            return
        told = TextColumn("{task.description} {task.fields[step]}", markup=False)
        with Progress(
            SpinnerColumn(), told, TimeElapsedColumn(), _Left(), console=console, transient=True
        ) as bar:
            task = bar.add_task(command, step="", before=None, at=0.0)

            def tell(stage: str) -> None:
                bar.update(
                    task,
                    description=f"{command}: {for_terminal(stage)}",
                    step=step_of(command, stage),
                    before=share_before(command, stage),
                    at=bar.tasks[0].elapsed or 0.0,
                )

            yield tell
