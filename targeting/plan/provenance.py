"""Where a plan comes from: what it was made of, by which versions, and what may be claimed for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

# What shapes a plan, in plan.json; a run in MLflow names a few more.
PACKAGES = ("fan-targeting", "cvxpy", "highspy", "lightgbm", "numpy", "polars")


NO_DIFFERENCE = (
    "no difference found: nothing in the logs tells whom to prefer, so everybody is one segment and the "
    "money is divided between the placements alone"
)
"""Said where people could be told apart by their number, and nothing is gained by it."""


@dataclass(frozen=True)
class Provenance:
    """Where a plan comes from, and what may be claimed for it.

    Attributes:
        claims: {kind: causal | observational, why}.
        model_uri: the registered model, or None.
        fingerprints: input name -> content hash.
        versions: package -> version.
        rejected_rows: input rows quarantined on the way.
        unknown: figures that the curves cannot speak of (`impressions`, `new_fans`, `new_fan_gmv_cny`): they
            are null.
        warnings: what was left out, folded or assumed on the way, one line each.
        programmes: the platform's support: a line for each verdict with its reason, and for each board;
            programmes_in: the same in other languages.
    """

    claims: Mapping[str, str]
    model_uri: str | None = None
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    rejected_rows: int = 0
    unknown: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    programmes: tuple[str, ...] = ()
    programmes_in: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """package -> installed version; one that is not installed as a distribution is left out."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
