"""What a terminal sees of a long job: its step, how much of it is done, and how long the rest may take.

How much is done is counted where the job counts ("window 2 of 5"). Elsewhere, for every command, it is the
share of the whole that usually lies before a step: measured on the demo's merchant, on two cores. A job of
another size divides its time otherwise, so the time left is said with "about". In a pipe nothing is said,
unless a scheduler asks for lines of JSON (`TARGETING_LOG=json`): then every step, its end and an error are
one each.
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
    "learning from the logs": 0.15,
    "comparing with the champion": 0.82,
    "scoring and segmenting": 0.83,
    "dividing the budget": 0.85,
    "registering the model": 0.86,
    "writing the report": 0.93,
}
USUAL: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "demo": _RUN,
        "run": _RUN,
        "train": {
            "reading": 0.0,
            "learning from the logs": 0.19,
            "comparing with the champion": 0.59,
            "registering the model": 0.96,
        },
        "plan": {
            "reading": 0.32,
            "learning the curves and dividing the budget": 0.45,
            "segmenting": 0.54,
            "dividing the budget": 0.57,
            "writing the report": 0.60,
        },
        "score": {
            "loading the model": 0.0,
            "comparing with what is there": 0.45,
            "users": 0.5,
            "writing": 0.97,
        },
        "assign": {
            "fingerprinting the scores": 0.01,
            "dealing people to parts": 0.61,
            "making offers": 0.62,
            "finding the prices": 0.64,
            "writing": 0.98,
        },
        "evaluate": {"reading": 0.0, "comparing": 0.18, "looking for drift": 0.26},
        "replay": {
            "reading the run": 0.0,
            "reading the input": 0.36,
            "learning the curves and dividing the budget": 0.45,
            "segmenting": 0.54,
            "scoring and segmenting": 0.63,
            "dividing the budget": 0.68,
        },
        "export": {"reading": 0.0, "making units": 0.77, "writing": 0.97},
        "register": {"reading": 0.0, "registering": 0.1},
        "products": {"reading": 0.0, "rating": 0.02, "planning for the set": 0.04},
        "backtest": {"reading": 0.0, "window": 0.04},
    }
)
"""Share of a command's time before each of its steps, by `python -m benchmarks.steps`."""
_LEARNT = "learning the curves and dividing the budget"
NOT_OF: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "--data": (_LEARNT,),
        "--delivery": ("segmenting", "dividing the budget"),
        "--curves": (_LEARNT, "segmenting"),
    }
)
"""Steps that a plan from this source does not have."""
_COUNTED = re.compile(r"([\d,]+) of ([\d,]+)")
_TOLD_FROM = 0.04
"""Share done from which the time left is guessed: before it, starting up is most of what was seen."""


def share_before(command: str, stage: str) -> float | None:
    """Share of a command's time that lies before a stage; None where nobody can tell.

    >>> share_before("run", "writing the report"), share_before("backtest", "window 3 of 5, from 2020-10-24")
    (0.93, 0.4)
    """
    listed = next((share for step, share in USUAL.get(command, {}).items() if _is_step(step, stage)), None)
    if counted := _COUNTED.search(stage):
        now, of = (int(figure.replace(",", "")) for figure in counted.groups())
        return (now - 1) / of if 1 < now <= of else listed
    return listed


def _is_step(step: str, stage: str) -> bool:
    """Whether a stage is a step; figures may follow its name."""
    return stage == step or stage.startswith(f"{step} ")


def step_of(command: str, stage: str, source: str = "") -> str:
    """`step 2 of 7`; nothing for a command whose steps are not listed.

    Args:
        command, stage: Which command is in which step.
        source: What a plan is made from, a key of `NOT_OF`.

    >>> step_of("run", "learning from the logs"), step_of("score", "users 1 to 9 of 20"), step_of("app", "x")
    ('step 2 of 7', 'step 3 of 4', '')
    >>> step_of("plan", "writing the report", "--delivery"), step_of("plan", "segmenting", "--data")
    ('step 3 of 3', 'step 2 of 4')
    """
    listed = (step for step in USUAL.get(command, {}) if step not in NOT_OF.get(source, ()))
    steps = [_is_step(step, stage) for step in listed]
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
def progress(command: str, source: str = "") -> Iterator[Tell]:
    """A listener that shows the step on a terminal, logs it as JSON where asked, and is silent elsewhere.

    While it is open, only stderr is written to. `source` as for `step_of`.
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
                    step=step_of(command, stage, source),
                    before=share_before(command, stage),
                    at=bar.tasks[0].elapsed or 0.0,
                )

            yield tell
