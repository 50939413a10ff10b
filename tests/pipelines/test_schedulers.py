"""The examples for schedulers run commands that this command line has."""

import importlib.util
import sys
from pathlib import Path

import pytest
import typer

from pipelines.cli import app

FOLDER = Path(__file__).parents[2] / "examples" / "schedulers"


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_command_and_option_exists():
    known = typer.main.get_command(app).commands
    for name, (program, command, *words) in (
        loaded("night").commands("2020-11-11", "jewellery-1111", before="2020-11-10").items()
    ):
        options = {option for one in known[command].params for option in one.opts}
        assert (program, command) == ("targeting", name)
        assert {word for word in words if word.startswith("--")} <= options


def test_nights_and_campaigns_share_no_folder():
    nights = [
        loaded("night").commands(date, name) for date in ("2020-11-11", "2020-11-12") for name in ("a", "b")
    ]
    outs = [
        command[command.index("--out") + 1]
        for night in nights
        for command in night.values()
        if "--out" in command
    ]
    assert len(set(outs)) == len(outs) == 12


@pytest.mark.parametrize(("name", "library"), [("airflow_dag", "airflow"), ("dagster_job", "dagster")])
def test_the_file_of_a_scheduler_can_be_read(name, library, monkeypatch):
    """Compiled where the library is absent: too heavy for the locks; loaded where it is there."""
    compile((FOLDER / f"{name}.py").read_text(encoding="utf-8"), name, "exec")
    if importlib.util.find_spec(library):
        monkeypatch.setitem(sys.modules, "night", loaded("night"))
        loaded(name)
