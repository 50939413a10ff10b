"""Reading what merchants export, and never leaving half an output behind."""

import os
import random
import resource
import signal
import subprocess
import sys
import time

import polars as pl
import pytest

from models.errors import DataError
from pipelines import store as disk
from pipelines.store import atomic

FRAME = pl.DataFrame({"用户ID": ["甲", "b,c"], "x": ["1", None]})
TEXT = '用户ID,x\n甲,1\n"b,c",\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_csv_in_every_encoding_and_line_end(tmp_path, encoding, ending):
    path = tmp_path / "t.csv"
    path.write_bytes(TEXT.replace("\n", ending).encode(encoding))
    frame = disk.read_table(path)
    assert [name.lstrip("\ufeff") for name in frame.columns] == FRAME.columns
    assert frame.rows() == FRAME.rows()


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
def test_csv_with_every_separator(tmp_path, separator):
    path = tmp_path / "t.csv"
    path.write_text(f"a{separator}b\n1{separator}2\n")
    assert disk.read_table(path).to_dicts() == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a,b\n1,2,3\n4,5\n", [("1", "2", "3"), ("4", "5", None)]),
        ("a,b\n1\n4,5\n", [("1", None), ("4", "5")]),
        ('a,b\n1,5" disc\n4,5\n', [("1", '5" disc'), ("4", "5")]),
        ("a,b\n1,2,\n4,5,\n", [("1", "2"), ("4", "5")]),
        ('a,b\n1,"x\ny"\n', [("1", "x\ny")]),
        ("a,b\n1,2\n\n4,5\n", [("1", "2"), (None, None), ("4", "5")]),
        ("a,b\n", []),
    ],
)
def test_odd_lines_keep_their_place(tmp_path, text, rows):
    path = tmp_path / "t.csv"
    path.write_text(text)
    assert disk.read_table(path).rows() == rows


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "the file is empty"),
        ("t.csv", b" \n \n", "the file is empty"),
        ("t.csv", b"\nx,y\n1,2\n", "the first line is empty"),
        ("t.csv", b"PK\x03\x04\x00\x00", "not a text file"),
        ("t.csv", b"a,b\x07\n1,2\n", "not a text file"),
        ("t.csv", b"a,b\n\xff\xfe\xfa\x81\x20", "neither UTF-8 nor GBK"),
        ("t.csv", b"\xff\xfea\x00\x00\xd8b\x00", "cannot be read as utf-16"),
        ("t.csv", b"a,b,a\n1,2,3\n", "column 'a' appears twice"),
        ("t.parquet", b"", "the file is empty"),
        ("t.parquet", b"a,b\n1,2\n", "not a Parquet file"),
        ("t.parquet", b"PAR1 and then nothing", "corrupt Parquet"),
        ("t.xlsx", b"PK", "unknown extension '.xlsx'"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        disk.read_table(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_damaged_parquet_is_always_a_data_error_or_data(tmp_path):
    path = tmp_path / "t.parquet"
    pl.DataFrame({"a": range(500), "b": [str(i) for i in range(500)]}).write_parquet(path)
    whole, rng = path.read_bytes(), random.Random(0)
    refused = 0
    for attempt in range(60):
        damaged = bytearray(whole[: rng.randrange(len(whole))] if attempt % 2 else whole)
        for _ in range(5):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged)
        try:
            disk.read_table(path)
        except DataError:
            refused += 1
    assert refused > 40


def test_parquet_under_another_name_is_recognised(tmp_path):
    FRAME.write_parquet(tmp_path / "t.csv")
    assert disk.read_table(tmp_path / "t.csv").equals(FRAME)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_folder_of_parts(tmp_path, suffix):
    folder = tmp_path / "users"
    (folder / "later").mkdir(parents=True)
    disk.write_table(FRAME, folder / f"part-0.{suffix}")
    disk.write_table(FRAME.select("x", "用户ID"), folder / "later" / f"part-1.{suffix}")
    (folder / "_SUCCESS").touch()
    (folder / f".part-0.{suffix}.crc").write_bytes(b"\0")
    raw = disk.read_raw(folder)
    assert raw.frame.height == 4
    assert raw.frame.columns == ["x", "用户ID"]
    assert raw.parts == ((str(folder / f"later/part-1.{suffix}"), 2), (str(folder / f"part-0.{suffix}"), 2))


def test_folder_names_hold_columns(tmp_path):
    for name in ("placement=video", "placement=%E7%9B%B4%E6%92%AD", "placement=__HIVE_DEFAULT_PARTITION__"):
        (tmp_path / name).mkdir()
        disk.write_table(FRAME[:1], tmp_path / name / "part.parquet")
    assert sorted(disk.read_table(tmp_path)["placement"].to_list(), key=str) == [None, "video", "直播"]


def test_parts_that_do_not_fit_together(tmp_path):
    with pytest.raises(DataError, match="no part files"):
        disk.read_table(tmp_path)
    disk.write_table(FRAME, tmp_path / "a.parquet")
    disk.write_table(FRAME.rename({"x": "y"}), tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"b.parquet: columns differ from a.parquet \('x', 'y'\)"):
        disk.read_table(tmp_path)
    disk.write_table(FRAME.with_columns(x=pl.Series([[1], [2]])), tmp_path / "b.parquet")
    with pytest.raises(DataError, match="different types"):
        disk.read_table(tmp_path)
    disk.write_table(FRAME, tmp_path / "c.csv")
    with pytest.raises(DataError, match="both CSV and Parquet"):
        disk.read_table(tmp_path)


def test_tables_are_found_by_their_stem(tmp_path):
    with pytest.raises(DataError, match="no such directory"):
        disk.find_table(tmp_path / "nowhere", "users")
    with pytest.raises(DataError, match=r"table users is missing; .* found: nothing"):
        disk.find_table(tmp_path, "users")
    disk.write_table(FRAME, tmp_path / "users.csv")
    assert disk.find_table(tmp_path, "users") == tmp_path / "users.csv"
    disk.write_table(FRAME, tmp_path / "users.parquet")
    with pytest.raises(DataError, match=r"table users is there twice \(users.parquet and users.csv\)"):
        disk.find_table(tmp_path, "users")
    with pytest.raises(DataError, match="no such file"):
        disk.read_table(tmp_path / "nothing.csv")


def test_written_tables_come_back(tmp_path):
    for name in ("t.csv", "t.tsv", "t.parquet"):
        disk.write_table(FRAME, tmp_path / name)
        assert disk.read_table(tmp_path / name).equals(FRAME)
        assert disk.fingerprint(tmp_path / name) == disk.fingerprint(FRAME)
    assert sorted(os.listdir(tmp_path)) == ["t.csv", "t.parquet", "t.tsv"]
    with pytest.raises(DataError, match="unknown extension"):
        disk.write_table(FRAME, tmp_path / "t.xlsx")
    with pytest.raises(DataError, match="cannot be written"):
        disk.write_table(FRAME, tmp_path / "no" / "t.csv")


def write_curves(path, value="5"):
    path.write_text(f"segment,placement,spend_cny,value\ns,短视频,0,0\ns,短视频,10,{value}\n")


def test_curves_are_used_whole_or_not_at_all(tmp_path):
    write_curves(tmp_path / "curves.csv")
    assert disk.read_curves(tmp_path / "curves.csv")["placement"].to_list() == ["video", "video"]
    write_curves(tmp_path / "curves.csv", value="nan")
    with pytest.raises(DataError, match=r"row 2: value: expected a finite number \(1 bad rows in all\)"):
        disk.read_curves(tmp_path / "curves.csv")


def test_delivery_gives_good_and_quarantined_rows(tmp_path):
    path = tmp_path / "delivery.csv"
    path.write_bytes(
        "日期,人群,投放位置,花费(厘),涨粉数\n20201111,A,直播,1500,2\n20201111,A,直播,-1,2\n".encode("gbk")
    )
    good, rejected = disk.read_delivery(path)
    assert good["cost_cny"].to_list() == [1.5]
    assert rejected["row"].to_list() == [2]


def test_users_to_score_come_from_a_file_a_folder_or_a_data_directory(tmp_path):
    users = pl.DataFrame({"user_id": ["a"], "snapshot_at": ["2020-11-11"], "is_fan": ["0"]})
    disk.write_table(users, tmp_path / "users.csv")
    (tmp_path / "parts").mkdir()
    disk.write_table(users, tmp_path / "parts" / "p.csv")
    for path in (tmp_path, tmp_path / "users.csv", tmp_path / "parts"):
        assert disk.read_users(path).good["user_id"].to_list() == ["a"]


def test_scores_are_checked(tmp_path):
    scores = pl.DataFrame(
        {
            "user_id": ["1"],
            "placement": ["live"],
            "p_follow": [0.1],
            "gmv_per_fan_cny": [3],
            "p_precise": [0.5],
        }
    )
    with pytest.raises(DataError, match=r"no scores\.parquet"):
        disk.read_scores(tmp_path)
    disk.write_table(scores, tmp_path / "scores.parquet")
    with pytest.raises(DataError, match=r"'eligible'.*of table scores missing"):
        disk.read_scores(tmp_path)
    disk.write_table(scores.with_columns(eligible=True), tmp_path / "scores.parquet")
    assert disk.read_scores(tmp_path)["gmv_per_fan_cny"].to_list() == [3.0]
    assert disk.read_scores(tmp_path / "scores.parquet").height == 1
    disk.write_table(scores.with_columns(eligible=pl.lit("maybe")), tmp_path / "scores.parquet")
    with pytest.raises(DataError, match="another type"):
        disk.read_scores(tmp_path)


# --- output directories ---


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
        monkeypatch.setattr(atomic, "_exchange", lambda one, other: False)
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
    with pytest.raises(DataError, match="choose another output directory"):
        disk.check_writable(tmp_path / place)
    assert os.listdir(tmp_path) == ["file"]


def test_a_check_before_the_work_leaves_nothing(tmp_path):
    disk.check_writable(tmp_path / "deep" / "out", shown="out")
    assert os.listdir(tmp_path / "deep") == []


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
        living = [name for name in os.listdir(tmp_path) if name.startswith(".out.new-")]
        write_out(out, "while the other one writes")
        assert [name for name in os.listdir(tmp_path) if name.startswith(".out.new-")] == living
        process.send_signal(signal.SIGKILL)
    assert (out / "a.txt").read_text() == "while the other one writes"
    assert len(os.listdir(tmp_path)) == 3
    write_out(out, "new")
    assert (out / "a.txt").read_text() == "new"
    assert sorted(os.listdir(tmp_path)) == ["other", "out"]


def test_a_crash_between_the_two_renames_is_mended(tmp_path, monkeypatch):
    out = tmp_path / "out"
    write_out(out, "old")
    monkeypatch.setattr(atomic, "_exchange", lambda one, other: False)
    rename = os.rename

    def crash(source, target):
        if str(target) == str(out):
            raise SystemExit("killed here")
        rename(source, target)

    monkeypatch.setattr(atomic.os, "rename", crash)
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


# --- size ---

READER = """
import resource, sys
from pipelines.store import read_conformed
table = read_conformed(sys.argv[1], "exposures")
print(table.good.height, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
def test_a_csv_of_200_mb_in_less_than_3_gb(tmp_path, encoding):
    rows = 2_000_000
    path = tmp_path / "exposures.csv"
    number = pl.int_range(rows, eager=True)
    pl.DataFrame(
        {
            "exposure_id": "e" + number.cast(pl.String).str.zfill(9),
            "user_id": "u" + (number % 200_000).cast(pl.String),
            "campaign_id": pl.repeat("double-eleven", rows, eager=True),
            "placement": pl.repeat("直播间", rows, eager=True),
            "exposed_at": pl.repeat("2020-11-11T09:00:00.000000", rows, eager=True),
            "impressions": pl.repeat("1", rows, eager=True),
            "cost_cny": (number % 1000) / 1000,
            "entered_live": pl.repeat("true", rows, eager=True),
            "followed": pl.repeat("false", rows, eager=True),
            "randomized": pl.repeat("true", rows, eager=True),
            "propensity": pl.repeat("0.123456789012", rows, eager=True),
        }
    ).write_csv(path)
    if encoding != "utf-8":
        path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))
    assert path.stat().st_size > 190e6
    done = subprocess.run(
        [sys.executable, "-c", READER, str(path)], capture_output=True, text=True, check=True
    )
    height, peak_mb = map(int, done.stdout.split())
    assert height == rows
    assert peak_mb < 3000
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >= peak_mb
