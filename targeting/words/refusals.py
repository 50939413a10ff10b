"""An error in the reader's language."""

from __future__ import annotations

import re

from models.errors import InfeasibleError, TargetingError
from targeting.words.catalogue import Words

_BUDGET = "total"


def refused(w: Words, error: TargetingError) -> str:
    """Why it cannot be: a conflict of rules in whole sentences, else the error's kind and what it says."""
    if w.language == "en":
        return str(error)
    if isinstance(error, InfeasibleError) and error.conflict:
        return _conflict(w, error)
    kind = next(name for name in (cls.__name__ for cls in type(error).__mro__) if name in w.error_kinds)
    return w.error_kinds[kind].format(said=w.told_fault(str(error)))


def _conflict(w: Words, error: InfeasibleError) -> str:
    def named(name: str) -> str:
        return w.rule_names["total"] if name == _BUDGET else f"“{name}”"

    def told(name: str, amount: float) -> str:
        """The amount in its unit: the error says which limits are in yuan."""
        of = "raise the budget" if name == _BUDGET else re.escape(f"'{name}' give way")
        in_yuan = re.search(rf"{of} by \S+ CNY(?=,|$)", str(error))
        return w.yuan(amount) if in_yuan else f"{amount:,.6g}"

    remedies = [
        w.desk_remedy.format(name=named(name), amount=told(name, amount))
        for name, amount in error.relaxation.items()
    ]
    relax = w.desk_relax.format(remedies=w.or_.join(remedies)) if remedies else ""
    return w.desk_conflict.format(names=w.comma.join(map(named, error.conflict)), relax=relax)
