"""What went wrong, and what to do, for a reader of another language than the program's own.

An error is written once, in English, where it is found. It is read back by its phrases (`error_frames`
and beside it); files, columns, keys and numbers stay as they are. An error with a phrase that nobody
translated follows its kind in English, whole: half of a sentence in each language helps nobody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache

from targeting.words import error_faults, error_frames, error_judgements, error_models, error_remedies

_VALUE = r"(?:'[^']*'|\"[^\"]*\"|`[^`]*`|[^\s;,]*[^\s;,:])"
_LISTED = r"(?:'[^']*'|[\w./()*…-]+)"
_SLOTS = {
    "{}": "(.+?)",
    "{n}": rf"({_VALUE})",
    "{k}": "((?:(?!; |: |, expected ).)+?)",
    "{r}": "((?:(?!; ).)+)",
    "{l}": rf"({_LISTED}(?:(?:, | or | and ){_LISTED})*)",
}
_NEUTRAL = re.compile(r"-?[\d.,]*\d|'[^']*'|[^A-Za-z]*[\u4e00-\u9fff][^A-Za-z]*")
"""Numbers, quoted names and Chinese: the same in every language."""
_SEPARATORS = (("; ", "；"), (": ", "："), (", ", "，"))
_MOST_LETTERS = 2000
"""Of an error that is read back; a name in it may be a megabyte long."""


class Errors:
    """English errors: as they are."""

    error_kinds: Mapping[str, str] = {
        "DataError": "{said}",
        "CampaignError": "{said}",
        "InfeasibleError": "{said}",
        "SolverError": "{said}",
    }

    def told_fault(self, text: str) -> str:
        """An error in this language where all its phrases are known, else as it is.

        >>> ErrorsZh().told_fault("brief.yaml: budget_cny: expected a number > 0, got -5")
        'brief.yaml：budget_cny：应为大于 0 的数，实为 -5'
        >>> ErrorsZh().told_fault("policy value: nobody ever wrote this sentence; add it")
        'policy value: nobody ever wrote this sentence; add it'
        """
        return text


class ErrorsZh(Errors):
    """Chinese errors: the kind first, for it says what must be changed."""

    error_kinds: Mapping[str, str] = {
        "DataError": "输入数据有误，请修改数据：{said}",
        "CampaignError": "投放需求或设置有误，请修改：{said}",
        "InfeasibleError": "没有可行的计划，请放宽要求：{said}",
        "SolverError": "程序内部错误，请报告：{said}",
    }

    def told_fault(self, text: str) -> str:
        """An error in Chinese where all its phrases are known, else as it is."""
        return in_chinese(text) or text


def in_chinese(text: str) -> str | None:
    """A text of known phrases in Chinese; None where a phrase is not known."""
    return _read(text, True) if len(text) <= _MOST_LETTERS else None


@cache
def phrases() -> list[tuple[list[str], str, re.Pattern[str], str]]:
    """Fixed words, slots, pattern and Chinese of every phrase, in the order of the files."""
    found = []
    files = (error_models, error_faults, error_remedies, error_frames, error_judgements)
    for line in "".join(file.ZH for file in files).splitlines():
        english, bar, chinese = line.partition(" | ")
        if not bar:
            continue
        parts = re.split(r"(\{[nklr]?\})", english)
        pattern = "".join(_SLOTS.get(part, re.escape(part)) for part in parts)
        slots = "".join(part[1:-1] or "-" for part in parts if part in _SLOTS)
        fixed = [part for part in parts if part and part not in _SLOTS]
        found.append((fixed, slots, re.compile(pattern, re.S), chinese))
    return found


@lru_cache(maxsize=4096)
def _read(text: str, first: bool = False) -> str | None:
    """A phrase, or a row of phrases, in Chinese; None where a part of it is not known.

    Args:
        first: the text begins the error, where its place is named: a file, a table or a key.
    """
    if (said := _phrase(text)) is not None:
        return said
    if _NEUTRAL.fullmatch(text):
        return text
    for separator, mark in _SEPARATORS:
        at = text.find(separator)
        while at >= 0:
            left, right = text[:at], text[at + len(separator) :]
            place = separator == ": " and _is_place(left, first)
            before = _phrase(left) or (left if place or _NEUTRAL.fullmatch(left) else None)
            if before is not None and (after := _read(right, place)) is not None:
                return f"{before}{mark}{after}"
            at = text.find(separator, at + 1)
    return None


def _is_place(text: str, first: bool) -> bool:
    """Whether a text names where it is: a path or a unit at the beginning, or a key: `constraints[2].min`."""
    if re.fullmatch(r"[\w.\[\]-]+", text):
        return True
    return first and ": " not in text and re.search(r"[./\\|]", text) is not None


def _phrase(text: str) -> str | None:
    for fixed, slots, pattern, chinese in phrases():
        if all(words in text for words in fixed) and (found := pattern.fullmatch(text)):
            told = [_held(slot, text) for slot, text in zip(slots, found.groups(), strict=True)]
            if None not in told:
                return _set(chinese, [said for said in told if said is not None])
    return None


def _held(slot: str, text: str) -> str | None:
    """What a slot holds, in Chinese where it is a phrase; None where it must be one and is none."""
    if slot == "l":
        return re.sub(", | or | and ", "、", text)
    if slot in "nr":
        return text
    must = slot == "k" or "; " in text or ": " in f"{text} "
    return _read(text) or (None if must else text)


def _set(chinese: str, told: list[str]) -> str:
    """The slots filled, with a blank between a Chinese and a Latin letter."""
    left = iter(told)

    def fill(found: re.Match[str]) -> str:
        said = told[int(found[1])] if found[1] else next(left)
        before = found.string[: found.start()]
        return (
            f" {said}" if re.search("[\u4e00-\u9fff]$", before) and re.match(r"[\w.`]", said, re.A) else said
        )

    return re.sub(r"\{(\d?)\}", fill, chinese)
