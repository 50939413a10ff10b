"""The two languages: all topics in one object each.

A class per topic keeps what belongs together on one screen, both languages of it in one file.
"""

from __future__ import annotations

from collections.abc import Mapping

from models.errors import CampaignError
from targeting.words.amounts import Amounts, AmountsZh
from targeting.words.desk import Desk, DeskZh
from targeting.words.errors import Errors, ErrorsZh
from targeting.words.notes import Notes, NotesZh
from targeting.words.programmes import Programmes, ProgrammesZh
from targeting.words.reasons import Reasons, ReasonsZh
from targeting.words.report import Report, ReportZh
from targeting.words.rules import Rules, RulesZh
from targeting.words.terminal import Terminal, TerminalZh
from targeting.words.terms import Terms, TermsZh
from targeting.words.verdict import Verdict, VerdictZh


class Words(Amounts, Terms, Rules, Reasons, Verdict, Report, Terminal, Desk, Programmes, Errors, Notes):
    """Every message in English."""

    language = "en"


class WordsZh(
    AmountsZh,
    TermsZh,
    RulesZh,
    ReasonsZh,
    VerdictZh,
    ReportZh,
    TerminalZh,
    DeskZh,
    ProgrammesZh,
    ErrorsZh,
    NotesZh,
    Words,
):
    """Every message in Chinese."""

    language = "zh"


LANGUAGES: Mapping[str, Words] = {"en": Words(), "zh": WordsZh()}


def words_in(language: str) -> Words:
    """The messages of a language.

    Raises:
        CampaignError: no such language.

    >>> words_in("zh").yuan(2_345_678)
    '234.57 万元'
    """
    if language not in LANGUAGES:
        raise CampaignError(f"language {language!r} is not spoken: expected one of {', '.join(LANGUAGES)}")
    return LANGUAGES[language]
