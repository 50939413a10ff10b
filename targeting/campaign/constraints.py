"""The constraints a planner can write (DESIGN 4.3): one strict model per kind, told apart by `kind`.

Exists at the edge of the package: a brief is checked here once, with messages in the planner's words; what
the limits mean for cells is decided in `allocation.compile`. It must not import anything of
`targeting.allocation`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from models.errors import CampaignError
from targeting.campaign.fields import NAME_LENGTH, Money, Number, Selection, Share, Whole, as_text
from targeting.campaign.messages import one_line

Each = Literal["cell", "segment", "placement", "slot", "merchant", "campaign"]


class BaseConstraint(Selection):
    """What every kind has: a name (default `<kind>-<position>`, counted from 1), a selection and `each`."""

    name: Annotated[
        str, BeforeValidator(as_text, json_schema_input_type=str | int), Field(max_length=NAME_LENGTH)
    ] = ""
    each: Each | None = None


def _need_one(model: BaseModel, *keys: str) -> None:
    if all(getattr(model, key) is None for key in keys):
        raise ValueError(f"needs at least one of {', '.join(keys)}")


def _in_order(model: BaseModel, low: str, high: str) -> None:
    lower, upper = getattr(model, low), getattr(model, high)
    if lower is not None and upper is not None and lower > upper:
        raise ValueError(f"{low} {lower:g} is greater than {high} {upper:g}; swap or change them")


class Bounds(BaseConstraint):
    """Spend of the selection, in yuan or as a share of the budget."""

    kind: Literal["bounds"]
    min_cny: Money | None = None
    max_cny: Money | None = None
    min_share: Share | None = None
    max_share: Share | None = None

    @model_validator(mode="after")
    def _check(self) -> Bounds:
        _need_one(self, "min_cny", "max_cny", "min_share", "max_share")
        _in_order(self, "min_cny", "max_cny")
        _in_order(self, "min_share", "max_share")
        return self


class Ratio(BaseConstraint):
    """spend(of) / spend(to) within [min, max]; the outer selection and `each` narrow both sides."""

    kind: Literal["ratio"]
    of: Selection
    to: Selection
    min: Money | None = None
    max: Money | None = None

    @model_validator(mode="after")
    def _check(self) -> Ratio:
        _need_one(self, "min", "max")
        _in_order(self, "min", "max")
        if self.of == self.to:
            raise ValueError("of and to select the same cells, so the ratio is always 1; change one of them")
        return self


class MinIfUsed(BaseConstraint):
    """Spend of each selected cell is 0 or at least `min_cny`."""

    kind: Literal["min_if_used"]
    min_cny: Annotated[Money, Field(gt=0)]
    each: Literal["cell"] | None = None


class MaxActive(BaseConstraint):
    """At most `n` of the selected cells have spend."""

    kind: Literal["max_active"]
    n: Annotated[Whole, Field(ge=1)]


class RoiFloor(BaseConstraint):
    """value / spend of the selection >= min."""

    kind: Literal["roi_floor"]
    min: Annotated[Money, Field(gt=0)]


class MarginalFloor(BaseConstraint):
    """In every selected cell the last yuan spent returned at least `min`."""

    kind: Literal["marginal_floor"]
    min: Annotated[Money, Field(gt=0)]
    each: Literal["cell"] | None = None


class LiveCapacity(BaseConstraint):
    """Expected live entries <= viewers, for each slot apart unless `each` says otherwise."""

    kind: Literal["live_capacity"]
    viewers: Annotated[Number, Field(gt=0)]


class ChangeLimit(BaseConstraint):
    """|spend - last| <= max_cny and <= max_share x last, per cell unless `each` says otherwise."""

    kind: Literal["change_limit"]
    max_share: Money | None = None
    max_cny: Money | None = None

    @model_validator(mode="after")
    def _check(self) -> ChangeLimit:
        _need_one(self, "max_share", "max_cny")
        return self


class FairnessFloor(BaseConstraint):
    """Each merchant gets at least min_share of the total value (`of: grants`: of the impressions)."""

    kind: Literal["fairness_floor"]
    min_share: Share
    of: Literal["value", "grants"] = "value"


class FrequencyCap(BaseConstraint):
    """impressions / reached people of the selection <= impressions."""

    kind: Literal["frequency_cap"]
    impressions: Annotated[Number, Field(gt=1)]


class RiskFloor(BaseConstraint):
    """A floor on the value's lower tail over the curve draws.

    cvar: mean of the worst `level` share of draws >= floor; quantile: the `level` quantile >= floor;
    chance: value >= floor in at least a `level` share of draws. It is about the whole plan: no selection.
    """

    kind: Literal["risk"]
    measure: Literal["cvar", "quantile", "chance"]
    level: Annotated[Number, Field(gt=0, lt=1)]
    floor: Number

    @model_validator(mode="after")
    def _check(self) -> RiskFloor:
        if self.given() or self.each:
            raise ValueError("risk is about the whole plan; take the selection and each away")
        return self


class Target(BaseConstraint):
    """new_fans, new_fan_gmv: the cheapest plan that reaches `value`; roi, marginal_roi: as much as pays that
    back.

    The budget is the ceiling in every case.
    """

    kind: Literal["target"]
    metric: Literal["new_fans", "new_fan_gmv", "roi", "marginal_roi"]
    value: Annotated[Number, Field(gt=0)]


class Trial(BaseConstraint):
    """Spend of cells that were never tried (no money was ever seen there) is at most this.

    Every brief has one, of its key `trial_cny`: a curve there is a guess pooled from other cells.
    """

    kind: Literal["trial"]
    max_cny: Money = 0.0


Constraint = Annotated[
    Bounds
    | Ratio
    | MinIfUsed
    | MaxActive
    | RoiFloor
    | MarginalFloor
    | LiveCapacity
    | ChangeLimit
    | FairnessFloor
    | FrequencyCap
    | RiskFloor
    | Target
    | Trial,
    Field(discriminator="kind"),
]
KINDS: tuple[type[BaseConstraint], ...] = get_args(get_args(Constraint)[0])


def name_by_position(entries: Any) -> Any:
    """Entries without a name get `<kind>-<position>`, counted from 1; the models refuse anything odd."""
    if entries is None:
        return ()
    if not isinstance(entries, (list, tuple)):
        return entries
    named: list[Any] = []
    for position, entry in enumerate(entries, start=1):
        if isinstance(entry, BaseConstraint):
            default = f"{entry.kind}-{position}"  # type: ignore[attr-defined]
            named.append(entry if entry.name else entry.model_copy(update={"name": default}))
        elif isinstance(entry, Mapping) and entry.get("name") is None:
            named.append({**entry, "name": f"{entry.get('kind')}-{position}"})
        else:
            named.append(dict(entry) if isinstance(entry, Mapping) else entry)
    return tuple(named)


TAKEN = {"total": "the budget", "min_ticket_cny": "the smallest ticket", "trial_cny": "the trial money"}


class Parsed(tuple[Any, ...]):
    """Constraints that were read and named already, so that nothing reads them a second time."""


def refuse_duplicate_names(constraints: tuple[BaseConstraint, ...]) -> Parsed:
    """The same constraints; ValueError where two share a name or one takes the budget's name `total`."""
    seen: dict[str, int] = {}
    for position, constraint in enumerate(constraints, start=1):
        if constraint.name in TAKEN:
            raise ValueError(
                f"constraint {position} is called '{constraint.name}', which is {TAKEN[constraint.name]}'s "
                f"name; rename it"
            )
        if constraint.name in seen:
            raise ValueError(
                f"constraints {seen[constraint.name]} and {position} are both called '{constraint.name}'; "
                f"rename one"
            )
        seen[constraint.name] = position
    return Parsed(constraints)


_LIST: TypeAdapter[tuple[Any, ...]] = TypeAdapter(tuple[Constraint, ...], config=ConfigDict(strict=True))


def parse_constraints(entries: Sequence[Any], *, source: str = "campaign") -> Parsed:
    """Constraints from mappings (or models), each with a name; those of a brief are what they are.

    Raises:
        CampaignError: one line naming the entry, the key, what was expected and the nearest known key.
    """
    if isinstance(entries, Parsed):
        return entries
    try:
        return refuse_duplicate_names(_LIST.validate_python(name_by_position(entries)))
    except ValidationError as error:
        raise one_line(error, source=source, models=(BaseConstraint, *KINDS), under="constraints") from None
    except ValueError as error:
        raise CampaignError(f"{source}: constraints: {error}") from None
