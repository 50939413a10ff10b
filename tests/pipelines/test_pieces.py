"""Users read a piece at a time: the same rows, faults and words as of the whole file."""

import pytest

from models.contracts.features import KEYS
from pipelines.store import pieces, read_conformed

HEAD = "user_id,snapshot_at,is_fan,age,gender,colour\n"
ROWS = [f"u{n},2020-11-0{n % 9 + 1},{('true', 'false')[n % 2]},{n},m,red" for n in range(400)]


def spoilt(**rows):
    return [rows.get(f"r{at}", row) for at, row in enumerate(ROWS)]


FILES = {
    "plain": ROWS,
    "bad rows": spoilt(r3="u3,never,true,1,m,", r250=",2020-11-01,true,1,,", r399="u9,2020-11-01,maybe,1,,"),
    "infinite features": spoilt(r0="u0,2020-11-01,true,inf,,", r300="u300,2020-11-01,true,inf,f,blue"),
    "one word among numbers": spoilt(r300="u300,2020-11-01,true,old,f,blue"),
    "quotes": spoilt(r300='u300,2020-11-01,true,3,"f","light, blue"'),
    "a cell over two lines": spoilt(r300='u300,2020-11-01,true,3,f,"light\nblue"'),
    "an open quote": spoilt(r300='u300,2020-11-01,true,3,f,"light'),
    "too many fields": spoilt(r300="u300,2020-11-01,true,3,f,blue,1"),
    "the same person far apart": spoilt(r390=ROWS[1]),
    "blank lines at the end": [*ROWS, *[",,,,,"] * 3],
    "many blank lines at the end": [*ROWS, *[",,,,,"] * 300],
    "Windows line ends": [row + "\r" for row in ROWS],
}  # fmt: skip


@pytest.mark.parametrize("above", ["", "report of November\n"])
@pytest.mark.parametrize("kind", FILES)
def test_pieces_say_what_the_whole_says(kind, above, tmp_path, monkeypatch):
    path = tmp_path / "users.csv"
    path.write_bytes(("\ufeff" + above + HEAD + "\n".join(FILES[kind]) + "\n").encode())
    whole = read_conformed(path, "users")
    monkeypatch.setattr(pieces, "PIECE_BYTES", 1000)
    found = pieces.read_people(path)
    assert found.good.columns == whole.good.columns
    assert found.good.select(KEYS).equals(whole.good.select(KEYS))
    assert found.rejected.equals(whole.rejected)
    assert found.rows.to_list() == whole.rows.to_list()
    assert found.warnings == whole.warnings
    assert found.odd == whole.odd


def test_plain_files_are_read_in_pieces(tmp_path, monkeypatch):
    path = tmp_path / "users.csv"
    path.write_text(HEAD + "\n".join(FILES["bad rows"]))
    monkeypatch.setattr(pieces, "PIECE_BYTES", 1000)
    monkeypatch.setattr(pieces, "read_conformed", None)
    assert pieces.read_people(path).good.height == len(ROWS) - 3
