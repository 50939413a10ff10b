"""Tables read a piece at a time: the same rows, faults and words as of the whole file."""

import polars as pl
import polars.selectors as cs
import pytest

from models.contracts.features import KEYS
from pipelines.store import pieces, read_conformed

HEADS = {
    "users": "user_id,snapshot_at,is_fan,age,gender,colour",
    "exposures": "exposure_id,user_id,campaign_id,placement,exposed_at,impressions,cost_cny,entered_live,"
    "followed,followed_at,randomized,note",
    "orders": "order_id,user_id,ordered_at,gmv_cny,refund_cny",
}
ROWS = {
    "users": [f"u{n},2020-11-0{n % 9 + 1},{('true', 'false')[n % 2]},{n},m,red" for n in range(400)],
    "exposures": [
        f"e{n},u{n % 90},c,{('video', 'live')[n % 2]},2020-11-0{n % 9 + 1} 10:00:00,{n % 3 + 1},0.5,"
        f"{('', 'true')[n % 2]},{('false', 'true')[n % 2]},{('', f'2020-11-0{n % 9 + 1} 11:00:00')[n % 2]},1,"
        for n in range(400)
    ],
    "orders": [f"o{n},u{n % 90},2020-11-0{n % 9 + 1} 10:00:00,{n + 1}.5,{n}" for n in range(400)],
}


def spoilt(table, **rows):
    return table, [rows.get(f"r{at}", row) for at, row in enumerate(ROWS[table])]


def shown(**rows):
    """Exposures with cells changed: `r3={"placement": "Live"}`."""
    names, changed = HEADS["exposures"].split(","), {}
    for at, cells in rows.items():
        held = dict(zip(names, ROWS["exposures"][int(at[1:])].split(","), strict=True))
        changed[at] = ",".join({**held, **cells}.values())
    return spoilt("exposures", **changed)


DAYS_ONLY = {f"r{n}": {"followed_at": f"2020-11-0{n % 9 + 1}"} for n in range(1, 400, 2)}
IN_PIECES = {
    "plain users": ("users", ROWS["users"]),
    "bad users": spoilt(
        "users", r3="u3,never,true,1,m,", r250=",2020-11-01,true,1,,", r399="u9,2020-11-01,maybe,1,,"
    ),
    "infinite features": spoilt(
        "users", r0="u0,2020-11-01,true,inf,,", r300="u300,2020-11-01,true,inf,f,blue"
    ),
    "quotes": spoilt("users", r300='u300,2020-11-01,true,3,"f","light, blue"'),
    "the same person far apart": spoilt("users", r390=ROWS["users"][1], r391="u2,2020-11-01,true,inf,,"),
    "blank lines at the end": ("users", [*ROWS["users"], *[",,,,,"] * 3]),
    "plain exposures": ("exposures", ROWS["exposures"]),
    "bad exposures": shown(
        r3={"exposed_at": "never"}, r200={"placement": "none"}, r201={"impressions": "-1", "followed": "x"}
    ),
    "rooms without entries": shown(r1={"entered_live": ""}, r301={"entered_live": ""}),
    "several spellings": shown(
        r1={"placement": "Push"}, r2={"placement": "push"}, r301={"placement": "push"}
    ),
    "totals": shown(r5={"user_id": "合计"}, r399={"exposure_id": "合计", "user_id": "", "exposed_at": ""}),
    "exposures twice": spoilt(
        "exposures", r50=ROWS["exposures"][7], r390=ROWS["exposures"][7], r391=ROWS["exposures"][390]
    ),
    "restated exposures": shown(r390={"exposure_id": "e8"}, r391={"exposure_id": "e8"}),
    "days without hours": shown(**DAYS_ONLY),
    "plain orders": ("orders", ROWS["orders"]),
    "refunds and repeats": spoilt(
        "orders", r5="o5,u1,2020-11-01,1,1.5", r380=ROWS["orders"][2], r390="o390,u1,2020-11-01,1,1.2"
    ),
}  # fmt: skip
WHOLE = {
    "one word among numbers": spoilt("users", r300="u300,2020-11-01,true,old,f,blue"),
    "a cell over two lines": spoilt("users", r300='u300,2020-11-01,true,3,f,"light\nblue"'),
    "an open quote": spoilt("users", r300='u300,2020-11-01,true,3,f,"light'),
    "too many fields": spoilt("users", r300="u300,2020-11-01,true,3,f,blue,1"),
    "many blank lines at the end": ("users", [*ROWS["users"], *[",,,,,"] * 300]),
    "Windows line ends": ("users", [row + "\r" for row in ROWS["users"]]),
    "no row": ("exposures", []),
    "no good row": ("orders", ["o1,u1,never,1,1"] * 300),
    "days first": spoilt("orders", r1="o1,u1,11/05/2020 10:00,1,0", r380="o380,u1,13/05/2020 10:00,1,0"),
    "a comma for a dot": spoilt(
        "orders", r1='o1,u1,2020-11-01,"123,450",0', r380='o380,u1,2020-11-01,"1234,560",0'
    ),
    "hours of other zones": spoilt("orders", r380="o380,u1,2020-11-01 10:00:00+01:00,1,0"),
    "a date far ahead": spoilt("orders", r380="o380,u1,2042-11-01 10:00:00,1,0"),
    "few days without hours": shown(r1={"followed_at": "2020-11-02"}, r399={"followed_at": "2020-11-04"}),
    "a piece of days without hours": shown(**{at: day for at, day in DAYS_ONLY.items() if int(at[1:]) > 200}),
}  # fmt: skip


def compared(path, table, monkeypatch, *, in_pieces):
    whole = read_conformed(path, table)
    monkeypatch.setattr(pieces, "PIECE_BYTES", 1000)
    if in_pieces:  # a plain file is never held whole
        monkeypatch.setattr(pieces, "read_conformed", None)
    found = pieces.read_checked(path, table)
    assert found.good.columns == whole.good.columns
    kept = KEYS if table == "users" else whole.good.columns
    assert found.good.select(kept).cast({cs.categorical(): pl.String}).equals(whole.good.select(kept))
    assert found.rejected.to_dicts() == whole.rejected.to_dicts()
    assert found.rows.to_list() == whole.rows.to_list()
    assert sorted(found.warnings) == sorted(whole.warnings)
    assert found.odd == whole.odd


@pytest.mark.parametrize("above", ["", "report of November\n"])
@pytest.mark.parametrize("kind", [*IN_PIECES, *WHOLE])
def test_pieces_say_what_the_whole_says(kind, above, tmp_path, monkeypatch):
    table, rows = (IN_PIECES | WHOLE)[kind]
    path = tmp_path / f"{table}.csv"
    path.write_bytes(("\ufeff" + above + "\n".join([HEADS[table], *rows]) + "\n").encode())
    if kind in ("no row", "no good row"):
        with pytest.raises(pieces.DataError) as whole:
            read_conformed(path, table)
        with pytest.raises(pieces.DataError) as found:
            pieces.read_checked(path, table)
        assert str(found.value) == str(whole.value)
    else:
        compared(path, table, monkeypatch, in_pieces=kind in IN_PIECES and not above)


@pytest.mark.parametrize("held", [b"", b"\n\n", b"user_id"])
def test_a_file_of_nothing_is_told(held, tmp_path):
    path = tmp_path / "users.csv"
    path.write_bytes(held)
    with pytest.raises(pieces.DataError, match=r"users\.csv: "):
        pieces.read_checked(path, "users")
