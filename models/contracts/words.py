"""Text, truth values and the words that mean something: placements, genders, totals, names that look alike.

Must not import anything that reads a file, a clock or the environment.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping

import polars as pl

from models.contracts.cells import BLANKS, Parsed, WrongTypeError, all_good, as_text, is_blank
from models.contracts.schemas import CONTROL
from models.escaping.tables import printable_cells, unprintable_cells

TRUTH: Mapping[str, bool] = {
    **dict.fromkeys(("true", "t", "yes", "y", "1", "1.0", "是", "真", "有"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0", "0.0", "否", "假", "无"), False),
}
_PLACEMENTS = {
    **dict.fromkeys(("video", "short_video", "短视频", "视频", "视频流"), "video"),
    **dict.fromkeys(("live", "live_room", "直播间", "直播", "直播推广"), "live"),
    **dict.fromkeys((CONTROL, "control", "holdout", "无", "对照", "对照组", "空白组", "未投放"), CONTROL),
}
GENDERS = {
    **dict.fromkeys(("m", "male", "man", "男", "男性", "男士"), "m"),
    **dict.fromkeys(("f", "female", "woman", "女", "女性", "女士"), "f"),
}
# Nobody names an audience so; an audience of everybody may well be called by one of the second kind.
_TOTAL = (
    r"^(?:合计|总计|小计|汇总|总和|共计|累计|total|totals|subtotal|sub_total|grand_total|sum)$"
    r"|(?:合计|小计|总计)$"
)
_EVERYBODY = frozenset(
    [
        "全部",
        "全部人群",
        "所有",
        "所有人群",
        "整体",
        "不限",
        "全体",
        "all",
        "overall",
        "everyone",
        "all_segments",
    ]
)
# Excel shows a long number as 9.00001E+17 and saves it so.
_LOST_DIGITS = r"^\d(?:\.\d+)?[eE]\+\d{1,3}$"
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")


def text(column: pl.Series) -> Parsed:
    """Printable text without surrounding blanks; whole numbers as their digits (ids read as floats
    included).
    """
    column = as_text(column)
    if column.dtype.is_float() or column.dtype.is_decimal():
        held = column.cast(pl.Float64).fill_nan(None)
        bad = (held != held.floor()).fill_null(False) | (held.abs() > 2**53).fill_null(False)
        return Parsed(held.set(bad, None).cast(pl.Int64).cast(pl.String), bad)
    if column.dtype.is_integer() or column.dtype == pl.Null:
        return all_good(column.cast(pl.String))
    if column.dtype != pl.String:
        raise WrongTypeError(str(column.dtype))
    stripped = printable_cells(column.str.strip_chars(BLANKS))
    return all_good(stripped.set((stripped == "").fill_null(False), None))


def identifier(column: pl.Series) -> Parsed:
    """Text that names one thing: `123.0` is 123, and 9.00001E+17 is bad.

    pandas turns whole numbers with a gap among them into floats, and writes those; Excel loses the digits of
    long ones, after which a thousand people share one id. One that cannot be printed is bad: made printable,
    two might be one.
    """
    read = text(column)
    ids = read.values.str.replace(r"^(\d+)\.0$", "$1")
    return Parsed(ids, read.bad | ids.str.contains(_LOST_DIGITS).fill_null(False) | unseen(column))


def unseen(column: pl.Series) -> pl.Series:
    """Cells that hold what no eye sees: control characters, line breaks, marks of direction."""
    held = as_text(column)
    if held.dtype != pl.String:
        return pl.repeat(False, len(held), dtype=pl.Boolean, eager=True)
    return unprintable_cells(held.str.strip_chars(BLANKS))


def truth(column: pl.Series) -> Parsed:
    """Boolean from true/false, 1/0, yes/no, 是/否."""
    column = as_text(column)
    if column.dtype == pl.Boolean:
        return all_good(column)
    if column.dtype.is_numeric() or column.dtype == pl.Null:
        numeric = column.cast(pl.Float64).fill_nan(None)
        bad = ~numeric.is_in([0.0, 1.0]).fill_null(True)
        return Parsed((numeric == 1.0).set(bad, None), bad)
    if column.dtype != pl.String:
        raise WrongTypeError(str(column.dtype))
    # Few distinct words: read each once.
    words = column.unique().drop_nulls()
    folded = words.str.strip_chars(BLANKS).str.to_lowercase()
    read = folded.replace_strict(TRUTH, default=None, return_dtype=pl.Boolean)
    wrong = words.filter(read.is_null() & ~is_blank(words))
    values = column.replace_strict(words, read, default=None, return_dtype=pl.Boolean)
    if not len(wrong):
        return all_good(values)
    return Parsed(values, column.is_in(wrong.implode()).fill_null(False))


def placement(values: pl.Series) -> pl.Series:
    """Known words become `video`, `live` or `none`; any other placement keeps its name."""
    return _renamed(values, _PLACEMENTS)


def placement_name(word: str) -> str:
    """One placement as `placement` reads it.

    >>> placement_name("短视频"), placement_name("Live Room"), placement_name("search")
    ('video', 'live', 'search')
    """
    return str(placement(pl.Series([word.strip(BLANKS)]))[0])


def gender(values: pl.Series) -> pl.Series:
    """Known words become `m` or `f`; anything else keeps its text."""
    return _renamed(values, GENDERS)


def _renamed(values: pl.Series, words: Mapping[str, str]) -> pl.Series:
    distinct = values.unique().drop_nulls()
    renamed = [words.get(fold_name(name).replace(" ", "_").replace("-", "_"), name) for name in distinct]
    return _replaced(values, distinct, renamed)


def _replaced(values: pl.Series, distinct: pl.Series, names: list[str]) -> pl.Series:
    """The values by other names; themselves where none is another, as millions of names are 16 bytes each."""
    if values.dtype == pl.String and names == distinct.to_list():
        return values
    return values.replace_strict(distinct, names, default=None, return_dtype=pl.String)


def fold_name(name: str) -> str:
    """A name without what the eye does not see: width, case, blanks, zero-width letters, composed accents,
    and quotes around it.

    >>> fold_name("Ｃａｆｅ\u0301  VIP") == fold_name("café vip\u200b")
    True
    """
    plain = _INVISIBLE.sub("", unicodedata.normalize("NFKC", name)).casefold()
    return " ".join(plain.strip(" \"'“”‘’").split())


def respelt(values: pl.Series, names: Iterable[str]) -> pl.Series:
    """Names that differ from one of `names` only to a machine, as that one spells them; others unchanged."""
    known = {fold_name(name): name for name in names}
    distinct = values.unique().drop_nulls()
    spelt = [known.get(fold_name(name), name) for name in distinct]
    return _replaced(values, distinct, spelt)


def one_spelling(values: pl.Series) -> tuple[pl.Series, dict[str, list[str]]]:
    """Names in their most frequent spelling, and the other spellings of each name that has several."""
    counts = values.drop_nulls().value_counts(sort=False, name="rows")
    ranked = counts.sort(["rows", values.name], descending=[True, False])[values.name].to_list()
    spellings: dict[str, list[str]] = {}
    for name in ranked:
        spellings.setdefault(fold_name(name), []).append(name)
    several = {first: others for first, *others in spellings.values() if others}
    return (respelt(values, ranked[::-1]) if several else values), several


def is_total(values: pl.Series) -> pl.Series:
    """Cells that say that their row adds up others: 合计, 总计, Total."""
    # Ids are many: only those that might are looked at one by one.
    maybe = values.filter(values.str.contains(r"(?i)[计总]|汇|total|sum").fill_null(False))
    return _among(values, maybe, lambda name: re.search(_TOTAL, name.replace(" ", "_")) is not None)


def is_everybody(values: pl.Series) -> pl.Series:
    """Cells that name either everybody as one audience or the sum of the others: 全部, All."""
    return _among(values, values, lambda name: name.replace(" ", "_") in _EVERYBODY)


def _among(values: pl.Series, names: pl.Series, test: Callable[[str], bool]) -> pl.Series:
    """Which cells are one of the names that pass a test after folding."""
    found = [name for name in names.unique().drop_nulls() if test(fold_name(name))]
    return values.is_in(pl.Series(found, dtype=pl.String).implode()).fill_null(False)
