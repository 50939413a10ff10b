"""What went wrong, and what to do, for a reader of another language than the program's own.

An error is written once, in English, where it is found: it names files, columns, keys and numbers, which stay
as they are. Here is how its kind is told, and the phrases that come again and again in it.
"""

from __future__ import annotations

from collections.abc import Mapping

_PHRASES = {
    "no such directory": "没有这个目录",
    "no such file": "没有这个文件",
    "cannot be read": "无法读取",
    "cannot be written": "无法写入",
    "cannot be used": "无法使用",
    "cannot be loaded": "无法载入",
    "is missing": "缺失",
    "are missing": "缺失",
    "is not known": "未知",
    "is empty": "为空",
    "stands twice": "出现两次",
    "needs exactly one of": "必须恰好给出其中一项：",
    "expected one written by": "应为以下命令写出的目录：",
    "expected a directory written by": "应为以下命令写出的目录：",
    "expected a file of": "应为以下命令的文件：",
    "expected a finite number": "应为有限的数",
    "expected a number": "应为数字",
    "expected one of": "应为以下之一：",
    "expected ": "应为 ",
    "plan again, or restore them": "请重新规划，或恢复原文件",
    "restore it, or plan again": "请恢复原文件，或重新规划",
    "train again": "请重新训练",
    "plan again": "请重新规划",
    "rename it": "请改名",
    "take it away": "请删去",
    "relax one of them": "请放宽其中一条",
    "give another one": "请换一个",
    "no plan": "没有计划",
    "column ": "列 ",
    "unknown key": "未知的键",
    "; ": "；",
}


class Errors:
    """English errors: as they are."""

    error_kinds: Mapping[str, str] = {
        "DataError": "{said}",
        "CampaignError": "{said}",
        "InfeasibleError": "{said}",
        "SolverError": "{said}",
    }
    error_phrases: Mapping[str, str] = {phrase: phrase for phrase in _PHRASES}


class ErrorsZh(Errors):
    """Chinese errors: the kind first, for it says what must be changed."""

    error_kinds: Mapping[str, str] = {
        "DataError": "输入数据有误，请修改数据：{said}",
        "CampaignError": "投放需求或设置有误，请修改：{said}",
        "InfeasibleError": "没有可行的计划，请放宽要求：{said}",
        "SolverError": "程序内部错误，请报告：{said}",
    }
    error_phrases: Mapping[str, str] = _PHRASES
