"""Paths that are no files: a pipe or a device (a wait without end), a link to itself, a bomb."""

import os
import shutil
import zipfile
from pathlib import Path

import pytest
import yaml

from models.errors import DataError
from pipelines.cli import app
from pipelines.shell import execute
from pipelines.store import claim, disk, part_files, read_raw, sheets
from tests.fuzz.base import BRIEF

CHECK, CURVES = ["check"], ["--curves", "c.csv", "--out", "o"]
PLAN = ["plan", "--campaign", "brief.yaml", "--out", "o"]
EXPORT = ["export", "--format", "csv", "--out", "o", "--plan", "plan"]
ASSIGN = ["assign", "--campaign", "people.yaml", "--out", "o", "--scores", "scores"]
PLACES = {
    "pipe.csv": [*CHECK, "pipe.csv"],
    "data/users.csv": [*CHECK, "data"],
    "data/orders.parquet": [*CHECK, "data"],
    "pipe.yaml": ["plan", "--campaign", "pipe.yaml", *CURVES],
    "settings.yaml": [*PLAN, "--config", "settings.yaml", "--curves", "c.csv"],
    "c.csv": [*PLAN, "--curves", "c.csv"],
    "r.csv": [*PLAN, "--delivery", "r.csv"],
    "plan/plan.json": EXPORT,
    "plan/.targeting-manifest.json": EXPORT,
    "scores/scores.parquet": ASSIGN,
    "scores/offers.parquet": ASSIGN,
}


@pytest.mark.parametrize("place", PLACES)
def test_a_pipe_is_refused_wherever_an_input_is_named(place, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "brief.yaml").write_text(yaml.safe_dump(BRIEF), encoding="utf-8")
    (tmp_path / "people.yaml").write_text(yaml.safe_dump({**BRIEF, "constraints": []}), encoding="utf-8")
    (tmp_path / place).parent.mkdir(exist_ok=True)
    os.mkfifo(tmp_path / place)
    assert execute(app, PLACES[place]) == 1
    said = capsys.readouterr()
    assert place in said.err + said.out
    assert said.err.count("\n") <= 1


def test_a_device_is_refused(tmp_path, capsys):
    with pytest.raises(DataError, match="is not a file"):
        part_files(Path("/dev/zero"))
    with pytest.raises(OSError, match="is not a file"):
        disk.read(Path("/dev/zero"))
    os.symlink("/dev/zero", tmp_path / "endless.csv")
    assert execute(app, ["check", str(tmp_path / "endless.csv")]) == 1
    assert "is not a file" in capsys.readouterr().err


def test_what_stands_in_the_place_of_the_work_folder_is_taken_away(tmp_path):
    (tmp_path / ".out.targeting").mkdir()
    os.mkfifo(tmp_path / ".out.targeting/work")
    with claim(tmp_path / "out") as target, target.replaced() as folder:
        disk.make(target.work)
        shutil.copy(__file__, folder / "a.txt")
    assert (tmp_path / "out/a.txt").is_file()


def test_a_link_to_itself_is_no_place_for_a_result(tmp_path):
    os.symlink(tmp_path / "loop", tmp_path / "loop")
    with pytest.raises(DataError, match="leads to itself"), claim(tmp_path / "loop"):
        pass


def test_a_path_longer_than_a_system_takes_is_the_users_fault(capsys):
    assert execute(app, ["check", "x" * 5000]) == 1
    assert "File name too long" in capsys.readouterr().err


def test_a_workbook_that_unpacks_to_more_than_any_workbook_holds_is_not_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/worksheets/sheet1.xml", b"x" * 5_000_000)
    monkeypatch.setattr(sheets, "MOST_BYTES", 4_000_000)
    with pytest.raises(DataError, match="once unpacked"):
        read_raw(path)
