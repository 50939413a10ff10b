"""Notes and errors in Chinese: each is still written somewhere, and what is listed is told whole."""

import ast
import os
import re
from pathlib import Path

import pytest

import models
import pipelines
import targeting
from models.contracts.columns import SET_ASIDE
from models.contracts.headers import missing_message
from models.errors import CampaignError
from targeting.campaign import parse_campaign
from targeting.words import refused, words_in
from targeting.words.errors import phrases
from targeting.words.notes import NotesZh

ROOMS = [Path(package.__file__).parent for package in (models, targeting, pipelines)]


def texts_of(tree):
    """Every text of a module as a reader may meet it; a number stands in each gap."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"\{[^{}]*\}", "7", node.value)
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                part.value if isinstance(part, ast.Constant) else "7%" if _is_share(part) else "7"
                for part in node.values
            )


def _is_share(gap):
    spec = gap.format_spec.values if gap.format_spec else []
    return any(isinstance(part, ast.Constant) and part.value.endswith("%") for part in spec)


WRONG = (
    {"budget_cny": -5},
    {"budget_cny": "much"},
    {"budget_cny": float("nan")},
    {"budget": 5},
    {"qqq": 5},
    {"campaign_id": [3]},
    {"days": 1.5},
    {"days": 0},
    {"placements": []},
    {"placements": {"video": 1}},
    {"objective": "fame"},
    {"starts_at": "soon"},
    {"economics": {"gross_margin": 2.0, "fee_rate": 0.1}},
    {"economics": {"gross_margin": 0.5, "fee_rate": 3.0}},
    {"economics": {}},
    {"constraints": [{"kind": "wish"}]},
    {"constraints": 3},
    {"constraints": [{"kind": "risk", "measure": "cvar", "level": 1.0, "floor": 1}]},
    {"constraints": [{"kind": "target", "metric": "roi", "value": 2, "each": 3}]},
)


def of_briefs():
    """What is said of briefs that are wrong in one thing."""
    for wrong in WRONG:
        with pytest.raises(CampaignError) as error:
            parse_campaign({"campaign_id": "c", "budget_cny": 5, **wrong}, "brief.yaml")
        yield str(error.value)


@pytest.fixture(scope="module")
def written():
    tables = ("notes.py", "error_faults.py", "error_frames.py", "error_models.py", "error_remedies.py")
    paths = [path for room in ROOMS for path in room.rglob("*.py") if path.name not in tables]
    texts = [text for path in paths for text in texts_of(ast.parse(path.read_text(encoding="utf-8")))]
    return [*texts, *of_briefs(), missing_message(["cost_cny"], ["a"], source="r.csv", table="delivery")]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_is_wrong_with_a_brief_is_told_in_chinese(wrong):
    with pytest.raises(CampaignError) as error:
        parse_campaign({"campaign_id": "c", "budget_cny": 5, **wrong}, "brief.yaml")
    said = refused(words_in("zh"), error.value)
    assert said.startswith("投放需求或设置有误，请修改：brief.yaml：")
    assert not re.search(r"expected|unknown|required|got", said), said


@pytest.mark.parametrize("pattern", [pattern for pattern, _ in NotesZh.sentences])
def test_what_has_a_translation_is_still_written(written, pattern):
    put_together = [
        "segment 'a', placement 'b': at the money",
        "live 7 rows with 7 follows, video 7 rows",
        "users.csv: ignored unknown column a",
        f"orders.csv: 7 rows are {SET_ASIDE}: why",
        "时段：这些数据里days of the week的差别不超出偶然",
    ]
    counted = [f"x.csv: 7 {text}" for text in written]  # some are written as (count, what)
    assert any(re.search(pattern, text) for text in [*written, *counted, *put_together])


PUT_TOGETHER = """
found nothing (1 such row); 7 good, 1 bad rows (x.csv), row 7, column date
line above the header; [Errno 2]; objective profit needs {gross_margin: ..., fee_rate: ...}
'date'; add or rename them
not known; did you mean "x"? expected one of; does not exist; did you mean "x"?
expected once, repeats an earlier row in every cell, set aside (exported twice?)
"""


def test_no_phrase_is_left_of_an_error_that_is_gone(written):
    everything = "\n".join([*written, *map(os.strerror, range(1, 134)), PUT_TOGETHER])
    longest = {max(fixed, key=len).strip(" ,;:()") for fixed, *_ in phrases()}
    gone = {words for words in longest if words.removesuffix(", set aside") not in everything}
    assert not gone, gone


@pytest.mark.parametrize(
    ("note", "said"),
    [
        (
            "exposures.csv: 3 of 40 rows quarantined; most frequent (2): cost_cny: expected a number",
            "exposures.csv：40 行中有 3 行被隔离；最常见的原因（2 行）：cost_cny：应为数",
        ),
        (
            "users: feature 'age' has 12 NaN or infinite cells; taken as empty",
            "users：特征 'age' 有 12 个非有限数，按空值处理",
        ),
        (
            "starts_at: the campaign starts 100 days after what is known ends (2020-08-03): prices, follow"
            " rates and values are taken as they were; a season or a festival in between is in no number"
            " of this plan",
            "starts_at：投放在已知数据结束（2020-08-03）后 100 天才开始：价格、涨粉率和价值按当时计；"
            "其间的季节或大促不在任何数字里",
        ),
        (
            "slots: days of the week do not differ beyond chance in these data, so equal slots are planned"
            " alike",
            "时段：这些数据里一周各天的差别不超出偶然，各时段同样规划",
        ),
        ("users.csv: ignored unknown columns 备注, a", "users.csv：忽略未知的列 备注, a"),
        (
            "segments: later purchases show 31% of the differences between people that were promised; take"
            " the segments as guesses until more new fans have bought",
            "人群：后来的购买只体现了所承诺差异的 31%；在更多新粉丝购买之前，请把人群当作猜测",
        ),
        ("a note of tomorrow", "a note of tomorrow"),
    ],
)
def test_a_note_is_told_with_its_names_and_numbers(note, said):
    assert NotesZh().told(note) == said
