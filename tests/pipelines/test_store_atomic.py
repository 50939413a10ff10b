"""Output directories that are old or new, never half, whatever kills the writer."""

import errno
import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import time

import polars as pl
import pytest

from models.errors import DataError
from pipelines import store as disk
from pipelines.store import disk as system


def fail_half_way(out, error, expect=None):
    """A job that dies with `error` after its first file."""
    with disk.atomic_directory(out) as tmp:
        if expect is not None:
            assert (out / "a.txt").read_text() == expect
        (tmp / "a.txt").write_text("half")
        raise error


def write_out(out, text, *more):
    with disk.atomic_directory(out) as tmp:
        for name in ("a.txt", *more):
            (tmp / name).parent.mkdir(exist_ok=True)
            (tmp / name).write_text(text)


@pytest.mark.parametrize("exchange", [True, False])
def test_the_new_directory_replaces_the_old_one_whole(tmp_path, monkeypatch, exchange):
    if not exchange:
        monkeypatch.setattr(system, "exchange", lambda one, other: False)
    out = tmp_path / "deep" / "out"
    write_out(out, "old", "sub/b.txt")
    write_out(out, "new")
    assert sorted(os.listdir(out)) == [disk.MANIFEST, "a.txt"]
    assert (out / "a.txt").read_text() == "new"
    assert os.listdir(tmp_path / "deep") == ["out"]


def test_a_failure_leaves_the_old_directory(tmp_path):
    write_out(tmp_path / "out", "old")
    with pytest.raises(ZeroDivisionError):
        fail_half_way(tmp_path / "out", ZeroDivisionError())
    assert (tmp_path / "out" / "a.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["out"]


def test_a_failure_leaves_nothing_where_nothing_was(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fail_half_way(tmp_path / "out", KeyboardInterrupt())
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_one_line(tmp_path):
    with (
        pytest.raises(DataError, match="out: cannot be written: No space left"),
        disk.atomic_directory(tmp_path / "out"),
    ):
        raise OSError(28, "No space left on device")
    with pytest.raises(FileNotFoundError), disk.atomic_directory(tmp_path / "out"):
        (tmp_path / "another file").read_text()


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/nowhere/out", "/proc/out"])
def test_a_place_that_cannot_be_written_is_refused_before_any_work(tmp_path, place):
    (tmp_path / "file").write_text("mine")
    with (
        pytest.raises(DataError, match="choose another output directory"),
        disk.atomic_directory(tmp_path / place),
    ):
        pytest.fail("must not start")
    with (
        pytest.raises(DataError, match="choose another output directory"),
        disk.claim(tmp_path / place),
    ):
        pytest.fail("must not start")
    assert os.listdir(tmp_path) == ["file"]


def test_a_claim_without_a_result_leaves_nothing(tmp_path):
    with disk.claim(tmp_path / "deep" / "out"):
        pass
    assert os.listdir(tmp_path / "deep") == []


def test_an_output_that_holds_an_input_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_out(tmp_path / "data", "our own simulated logs")
    for out in ("data", "."):
        with pytest.raises(DataError, match="holds the input data"), disk.claim(out, inputs=("data",)):
            pytest.fail("must not start")
    with disk.claim("data/plan", inputs=("data",)):
        pass


def test_files_of_others_are_never_deleted(tmp_path):
    out = tmp_path / "out"
    write_out(out, "old")
    (out / "notes.docx").write_text("mine")
    with pytest.raises(DataError, match=r"files this program did not write \(notes.docx\)"):
        write_out(out, "new")
    (out / "notes.docx").unlink()
    (out / ".DS_Store").touch()
    with pytest.raises(DataError, match=r"late\.txt"), disk.atomic_directory(out):
        (out / "late.txt").write_text("written while we worked")
    assert sorted(os.listdir(out)) == [".DS_Store", disk.MANIFEST, "a.txt", "late.txt"]
    assert (out / "a.txt").read_text() == "old"


@pytest.mark.parametrize("has_digests", [False, True])
def test_a_forged_manifest_gives_no_right_to_files_of_others(tmp_path, has_digests):
    thesis = tmp_path / "out" / "thesis.docx"
    thesis.parent.mkdir()
    thesis.write_text("years of work")
    held = {"size": 13, "sha256": hashlib.sha256(b"years of work").hexdigest()}
    listed = {"thesis.docx": held} if has_digests else ["thesis.docx"]
    (thesis.parent / disk.MANIFEST).write_text(json.dumps({"files": listed}))
    with pytest.raises(DataError, match=r"files this program did not write \(thesis\.docx\)"):
        write_out(tmp_path / "out", "new")
    assert thesis.read_text() == "years of work"


def test_a_file_that_somebody_edited_is_his(tmp_path):
    write_out(tmp_path / "out", "old")
    (tmp_path / "out" / "a.txt").write_text("mine")
    with pytest.raises(DataError, match=r"\(a\.txt\), or not as they are now; nothing was changed"):
        write_out(tmp_path / "out", "new")
    assert (tmp_path / "out" / "a.txt").read_text() == "mine"


def test_an_output_that_would_be_read_as_a_table_is_refused(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "orders.csv").write_text("order_id\n1\n")
    for out in (data / "users", data / "exposures" / "below", data / "users.parquet"):
        with pytest.raises(
            DataError, match=r"would be read as the table (users|exposures) of the data directory"
        ):
            write_out(out, "new")
    write_out(data / "plan", "new")
    write_out(tmp_path / "users", "no data directory")
    write_out(tmp_path / "users", "nor the second time")


def test_a_foreign_directory_is_refused_and_an_empty_one_is_not(tmp_path):
    for name in "abcde":
        (tmp_path / name).touch()
    (tmp_path / disk.MANIFEST).write_text("not json")
    with pytest.raises(DataError, match=r", \.\.\.\)"):
        write_out(tmp_path, "new")
    (tmp_path / "sub").mkdir()
    write_out(tmp_path / "sub", "new")
    assert (tmp_path / "sub" / "a.txt").read_text() == "new"


def test_a_symbolic_link_keeps_pointing(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write_out(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "a.txt").read_text() == "new"


WRITER = """
import sys, time
from pipelines.store import atomic_directory
with atomic_directory(sys.argv[1]) as tmp:
    (tmp / "a.txt").write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def start_writer(out):
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(out)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "writing\n"
    return process


def test_kill_9_leaves_the_old_directory_and_the_next_run_clears_up(tmp_path):
    out = tmp_path / "out"
    write_out(out, "old")
    with start_writer(out) as process:
        write_out(tmp_path / "other", "x")
        with pytest.raises(DataError, match="out: another targeting job is writing there; wait until"):
            write_out(out, "while the other one writes")
        process.send_signal(signal.SIGKILL)
    assert (out / "a.txt").read_text() == "old"
    assert len(os.listdir(tmp_path)) == 3
    write_out(out, "new")
    assert (out / "a.txt").read_text() == "new"
    assert sorted(os.listdir(tmp_path)) == ["other", "out"]


def test_a_crash_between_the_two_renames_is_mended(tmp_path, monkeypatch):
    out = tmp_path / "out"
    write_out(out, "old")
    monkeypatch.setattr(system, "exchange", lambda one, other: False)
    rename = system.rename

    def crash(source, target):
        if str(target) == str(out):
            raise SystemExit("killed here")
        rename(source, target)

    monkeypatch.setattr(system, "rename", crash)
    with pytest.raises(SystemExit):
        write_out(out, "new")
    assert not out.exists()
    monkeypatch.undo()
    with pytest.raises(ZeroDivisionError):
        fail_half_way(out, ZeroDivisionError(), expect="old")
    assert os.listdir(tmp_path) == ["out"]


def test_a_reader_never_sees_a_half(tmp_path):
    out = tmp_path / "out"
    write_out(out, "0", "b.txt")
    reader = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, os, pathlib\n"
            "seen = set()\n"
            "while '9' not in seen:\n"
            "    folder = os.open(sys.argv[1], os.O_RDONLY)\n"
            "    try:\n"
            "        files = [os.open(n, os.O_RDONLY, dir_fd=folder) for n in ('a.txt', 'b.txt')]\n"
            "        a, b = (os.fdopen(file).read() for file in files)\n"
            "        assert a == b, (a, b)\n"
            "        seen.add(a)\n"
            "    except FileNotFoundError:\n"
            "        pass  # the old directory is being removed; its name is taken already\n"
            "    finally:\n"
            "        os.close(folder)\n",
            str(out),
        ]
    )
    for text in "123456789":
        write_out(out, text, "b.txt")
        time.sleep(0.02)
    assert reader.wait(30) == 0


LOOP = """
import itertools, sys
from pipelines.store import atomic_directory
for number in itertools.count():
    with atomic_directory(sys.argv[1]) as tmp:
        for name in ("a.txt", "b.txt"):
            (tmp / name).write_text(str(number))
    print(number, flush=True)
"""


@pytest.mark.slow
def test_kill_9_at_any_moment_leaves_a_whole_directory(tmp_path):
    out, rng = tmp_path / "out", random.Random(0)
    for _ in range(8):
        with subprocess.Popen([sys.executable, "-c", LOOP, str(out)], stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(rng.uniform(0, 0.03))
            process.send_signal(signal.SIGKILL)
        assert sorted(os.listdir(out)) == [disk.MANIFEST, "a.txt", "b.txt"]
        assert (out / "a.txt").read_text() == (out / "b.txt").read_text()
    with disk.atomic_directory(out):
        pass
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
def test_a_full_disk_is_told_in_the_systems_words(name, tmp_path, monkeypatch):
    class Full(io.RawIOBase):
        def writable(self):
            return True

        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(system, "write", lambda path, fill: fill(Full()))
    with pytest.raises(DataError) as told:
        disk.write_table(pl.DataFrame({"x": range(9)}), tmp_path / name)
    end = "cannot be written: No space left on device; free space or choose another place"
    assert str(told.value) == f"{tmp_path / name}: {end}"


def test_a_write_that_fails_says_where(tmp_path):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as told:
        system.write(tmp_path / "part", full)
    assert told.value.filename == str(tmp_path / "part")
