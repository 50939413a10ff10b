"""Reading what merchants export, and never leaving half an output behind."""

import os
import random
import resource
import subprocess
import sys

import polars as pl
import pytest

from models.errors import DataError
from pipelines import store as disk

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
        ("a,b\n1,2\n4,5\n\n,\n\n", [("1", "2"), ("4", "5")]),
        ("a,b\n1,2,3\n,,\n\n", [("1", "2", "3")]),
        ("a,b\n", []),
    ],
)
def test_odd_lines_keep_their_place(tmp_path, text, rows):
    path = tmp_path / "t.csv"
    path.write_text(text)
    assert disk.read_table(path).rows() == rows


def test_a_header_over_two_lines(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('a,"花费\n(元)"\n1,2\n')
    assert disk.read_table(path).to_dicts() == [{"a": "1", "花费\n(元)": "2"}]


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
        ("t.doc", b"PK", "unknown extension '.doc'"),
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
    with pytest.raises(DataError, match=r"b.parquet: column 'x' holds values of type List\(Int64\)"):
        disk.read_table(tmp_path)
    disk.write_table(FRAME, tmp_path / "c.csv")
    with pytest.raises(DataError, match="both CSV and Parquet"):
        disk.read_table(tmp_path)


@pytest.mark.parametrize("name", ["users.PARQUET", "users.Csv", "users.CSV", "users.Parquet"])
def test_extensions_in_any_case(tmp_path, name):
    disk.write_table(FRAME, tmp_path / name)
    assert disk.has_table(tmp_path, "users")
    assert disk.find_table(tmp_path, "users") == tmp_path / name
    assert disk.read_table(tmp_path / name).height == FRAME.height
    assert disk.is_parquet(tmp_path / name) == name.lower().endswith("parquet")
    (tmp_path / "folder").mkdir()
    disk.write_table(FRAME, tmp_path / "folder" / name)
    assert disk.read_table(tmp_path / "folder").height == FRAME.height


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
    assert disk.read_curves(tmp_path / "curves.csv").good["placement"].to_list() == ["video", "video"]
    write_curves(tmp_path / "curves.csv", value="nan")
    with pytest.raises(DataError, match=r"row 2: value: expected a finite number \(1 bad rows in all\)"):
        disk.read_curves(tmp_path / "curves.csv")


def test_delivery_gives_good_and_quarantined_rows(tmp_path):
    path = tmp_path / "delivery.csv"
    path.write_bytes(
        "日期,人群,投放位置,花费(厘),涨粉数\n20201111,A,直播,1500,2\n20201111,A,直播,-1,2\n".encode("gbk")
    )
    report = disk.read_conformed(path, "delivery")
    assert report.good["cost_cny"].to_list() == [1.5]
    assert report.rejected["row"].to_list() == [2]


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
