"""Where the plan comes from: the solver's word, unusable rows, model, fingerprints, versions."""

from __future__ import annotations

from targeting.plan.decided import DecidedPlan
from targeting.report.section import Reader, Section


def section(plan: DecidedPlan, reader: Reader) -> Section | None:
    """The small print."""
    w, origin = reader.words, plan.provenance
    count = origin.rejected_rows
    rows = (
        w.origin_clean
        if not count
        else w.origin_row
        if count == 1
        else w.origin_rows.format(count=f"{count:,}")
    )
    versions = ", ".join(f"{name} {version}" for name, version in sorted(origin.versions.items()))
    told = [(w.origin_model, origin.model_uri or ""), *sorted(origin.fingerprints.items())]
    told.append((w.origin_versions, versions))
    return Section(
        "origin",
        {
            "said": f"{w.origin_status.format(status=w.statuses[plan.status])} {rows}",
            "warnings": [w.told(line) for line in origin.warnings],
            "facts": [(name, text) for name, text in told if text],
        },
    )
