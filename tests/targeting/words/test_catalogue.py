"""Both languages say everything: same keys, same placeholders, nothing twice."""

import string
from collections import Counter

import pytest

from models.errors import CampaignError
from targeting.allocation.explain.words import REASONS
from targeting.campaign.constraints import KINDS
from targeting.plan.decided import ALLOCATION_COLUMNS, UNITS
from targeting.segments.segment_names import LADDERS
from targeting.words import LANGUAGES, words_in
from targeting.words.catalogue import Words, WordsZh

TOPICS = [kind for kind in Words.__mro__ if kind not in (Words, object)]
TOPICS_ZH = [kind for kind in WordsZh.__mro__ if kind.__name__.endswith("Zh") and kind is not WordsZh]
METHODS = {
    "segment",
    "placement",
    "told",
    "sentences",
    "told_fault",
    "faults",
    "from_to",
    "difference",
    "share",
    "span",
    "range_of",
    "fact",
}  # built of messages alone


def messages(kind):
    """Name -> message of a topic's own class, tables of messages flattened."""
    found = {}
    for name, held in vars(kind).items():
        if name.startswith("__") or name in METHODS:
            continue
        if isinstance(held, str):
            found[name] = held
        elif callable(held):
            found[name] = ""
        else:
            found |= {f"{name}.{key}": text for key, text in held.items()}
    return found


def placeholders(message):
    return Counter(field for _, field, _, _ in string.Formatter().parse(message) if field is not None)


@pytest.mark.parametrize("topic", TOPICS)
def test_chinese_says_all_that_english_says(topic):
    [chinese] = [kind for kind in TOPICS_ZH if kind.__mro__[1] is topic]
    ours, theirs = messages(topic), messages(chinese)
    assert set(theirs) == set(ours)
    if topic.__name__ != "Amounts":  # its axis is a formula
        for name, message in ours.items():
            assert placeholders(theirs[name]) == placeholders(message), name


def test_no_message_is_empty_or_written_twice():
    names = Counter(name for topic in TOPICS for name in vars(topic) if not name.startswith("__"))
    assert [name for name, count in names.items() if count > 1] == []
    for topic in (*TOPICS, *TOPICS_ZH):
        empty = [n for n, m in messages(topic).items() if not m and n not in ("yuan", "count")]
        assert empty == []


def test_chinese_is_chinese():
    """A message without a Chinese letter was forgotten, unless it is all figures and marks."""
    bare = {}
    for topic in TOPICS_ZH:
        for name, message in messages(topic).items():
            words = "".join(text for text, *_ in string.Formatter().parse(message))
            letters = [c for c in words if c.isalpha()]
            if letters and not any(c > "\u2e7f" for c in letters):
                bare[name] = message
    assert set(bare) == {"roi"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_term_of_the_code_is_said(language):
    words = words_in(language)
    assert set(words.reasons) == set(REASONS)
    assert set(words.rule_names) == {kind.model_fields["kind"].annotation.__args__[0] for kind in KINDS} | {
        "total"
    }
    assert set(words.objectives) == set(UNITS)
    assert set(words.columns) >= set(ALLOCATION_COLUMNS)
    assert set(words.steps) == {word for ladder in LADDERS.values() for word in ladder}


def test_english_reasons_are_those_of_the_allocation():
    said = words_in("en").reasons
    for code, text in REASONS.items():
        assert said[code].split()[0] == text.split()[0], code


def test_an_unknown_language_is_refused():
    with pytest.raises(CampaignError, match="expected one of en, zh"):
        words_in("fr")
