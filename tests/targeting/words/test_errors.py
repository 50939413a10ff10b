"""Every error that is raised can be read in Chinese: found in the source, filled with made-up values."""

import ast
import re
from pathlib import Path

import pytest

from models.errors import DataError
from targeting.words import refused, words_in

PLACES = ("models", "targeting", "pipelines")
KINDS = {"DataError", "CampaignError", "InfeasibleError", "OutdatedError"}
# Names that are the same in both languages: tables, keys, commands, formats, libraries.
NAMES = re.compile(
    r"`[^`]*`|'[^']*'|\"[^\"]*\"|--[\w-]+|\S*[_./=()<]\S*"
    r"|\b(?:CSV|Parquet|YAML|UTF|GBK|PAR1|Excel|MLflow|MB|Java|Qini|polars|pandas|Arrow|pyspark|streamlit|spark)\b"
    r"|\b(?:users|exposures|orders|delivery|curves|packs|roi|value|shape|slope|segment|placement|propensity)\b"
    r"|\b(?:outcome|score|treated|action|person|none|true|false|level|grants|options|economics|offers|assign)\b"
    r"|\b(?:audience|plan|market|model|promotions|products|packages|merchant|placements|segments|risk|path)\b"
    r"|\b(?:lookalike|scores|budgets|data|replay|request|report|response|viewers|k|allocation|limits|constraints)\b"
    r"|\b(?:kind|each|of|to|objective|evidence|date|Errno|NaN|metric|trees|targeting|intensities|randomized|followed|top)\b",
    re.ASCII,
)


def text_of(node):
    """The message of a raise with 7 for every value; None where it is built elsewhere."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(part.value if isinstance(part, ast.Constant) else "7" for part in parts)
        case ast.BinOp(left=left, right=right):
            texts = text_of(left), text_of(right)
            return None if None in texts else "".join(texts)
    return None


def raised():
    """Message -> where it is raised."""
    found = {}
    for path in (p for place in PLACES for p in sorted(Path(place).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                name = getattr(node.exc.func, "id", "")
                text = text_of(node.exc.args[0]) if name in KINDS and node.exc.args else None
                text = text and re.sub("7(?=[a-z])|(?<=[a-z])7", "", text)  # empty there
                if text and re.search("[A-Za-z]", text):
                    found.setdefault(text, f"{path}:{node.lineno}")
    return found


def english_in(text):
    return re.findall(r"[A-Za-z]{2,}", NAMES.sub(" ", text))


def test_all_that_is_raised_is_said_in_chinese():
    chinese = words_in("zh")
    messages = raised()
    assert len(messages) > 250
    left = {
        text: where
        for text, where in messages.items()
        if (said := chinese.told_fault(text)) == text or english_in(said)
    }
    assert left == {}


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        (
            "/a b/r.csv: required column 'placement' of table delivery missing; found: 日期, 花费;"
            " add or rename it",
            "/a b/r.csv：表 delivery 缺少必需的列 “投放位置”（placement）；现有：日期, 花费；请补上或改名",
        ),
        (
            "x.csv: 3 of 9 rows are bad, more than 0.05 of the table; 3 of them: cost_cny: expected a finite"
            " number >= 0 (first: row 2, which holds 'abc'): mend the file, or raise max_rejected_share to"
            " go on without them",
            "x.csv：9 行中有 3 行有误，超过全表的 0.05；其中 3 行 cost_cny：应为不小于 0 的有限的数"
            "（首见于第 2 行，内容为 'abc'）：请修改文件，或调高 max_rejected_share 略去这些行",
        ),
        (
            "b.yaml: cannot be read ([Errno 2] No such file or directory: '/b.yaml'); give a UTF-8 YAML file",
            "b.yaml：无法读取（没有这个文件或目录）；请给出 UTF-8 的 YAML 文件",
        ),
        (
            'b.yaml: budgt: unknown key; did you mean "budget_cny"? allowed keys: days, budget_cny',
            'b.yaml：budgt：未知的键，是否指 "budget_cny"？可用的键：days, budget_cny',
        ),
    ],
)
def test_an_error_reads_as_a_sentence(english, chinese):
    assert words_in("zh").told_fault(english) == chinese


def test_a_sentence_nobody_translated_stays_whole():
    words = words_in("zh")
    assert refused(words, DataError("x.csv: the moon is full; add it")) == (
        "输入数据有误，请修改数据：x.csv: the moon is full; add it"
    )


def test_a_long_name_takes_no_time():
    text = "x.csv: required column 'date' of table delivery missing; found: " + ", ".join(["a b"] * 600)
    assert words_in("zh").told_fault(text)
