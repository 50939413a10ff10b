"""The platform's support: each programme with its verdict and why, and boards within reach."""

from __future__ import annotations

from targeting.plan.decided import DecidedPlan
from targeting.report.section import Reader, Section
from targeting.words import Words


def section(plan: DecidedPlan, reader: Reader) -> Section | None:
    """A line each; nothing where no programmes were looked at."""
    told = lines(plan, reader.words)
    return Section("programmes", {"lines": told}) if told else None


def lines(plan: DecidedPlan, w: Words) -> tuple[str, ...]:
    """Verdicts and boards, one sentence each."""
    said = plan.provenance
    return said.programmes_in.get(w.language, said.programmes)
