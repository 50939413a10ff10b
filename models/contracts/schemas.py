"""What a good row of each table is: dataframely schemas, and the words that say what was expected.

The schemas hold for *normalised* frames (after `conform`): ids are String, times naive Asia/Shanghai in
microseconds, money in yuan, probabilities 0..1. `row` is the 1-based data row within the source, by which a
quarantined row is found again. Must not import anything that reads a file, a clock or the environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import dataframely as dy
import polars as pl

Table = Literal["users", "exposures", "orders", "delivery", "curves", "allocation"]
ROW = "row"
CONTROL = "none"
# Column in which a reader leaves what a line has beyond its header; such a line is shifted and cannot be
# trusted.
SURPLUS = "__surplus__"
# What a reader leaves there of a line with a quote that nobody closes.
OPEN_QUOTE = "\0open quote"
FOLLOW_WINDOW_HOURS = 24
# A refund may exceed what was paid by shipping and compensation (clipped to gmv_cny with a warning); beyond
# twice the payment it is a wrong unit or a wrong row.
REFUND_LIMIT = 2.0
NAME_LETTERS = 1000
"""Of a name or an id; a longer one is a cell that swallowed others, and costs a minute where it is drawn."""


class Numbered(dy.Schema):
    """A table whose rows know where they came from."""

    row = dy.UInt32()


class Users(Numbered):
    """One row per person in the platform's public traffic; further columns are features."""

    user_id = dy.String(min_length=1, max_length=NAME_LETTERS)
    snapshot_at = dy.Datetime(time_unit="us")
    is_fan = dy.Bool()


class Exposures(Numbered):
    """One row per user x campaign x placement x day."""

    exposure_id = dy.String(min_length=1, max_length=NAME_LETTERS)
    user_id = dy.String(min_length=1, max_length=NAME_LETTERS)
    campaign_id = dy.String(min_length=1, max_length=NAME_LETTERS)
    placement = dy.String(min_length=1, max_length=NAME_LETTERS)
    exposed_at = dy.Datetime(time_unit="us")
    impressions = dy.Int64(min=0)
    cost_cny = dy.Float64(min=0)
    entered_live = dy.Bool(nullable=True)
    followed = dy.Bool()
    followed_at = dy.Datetime(time_unit="us", nullable=True)
    randomized = dy.Bool()
    propensity = dy.Float64(min_exclusive=0, max=1, nullable=True)

    @dy.rule()
    def shown_or_held_out(cls) -> pl.Expr:
        """Impressions are 0 exactly for the held-out rows."""
        return (pl.col("placement") == CONTROL) == (pl.col("impressions") == 0)

    @dy.rule()
    def control_is_free(cls) -> pl.Expr:
        """Nobody is charged for not showing."""
        return (pl.col("placement") != CONTROL) | ~(pl.col("cost_cny") > 0)

    @dy.rule()
    def followed_within_window(cls) -> pl.Expr:
        """followed_at belongs to a follow within 24 h of the first impression.

        Where followed_at knows days only (every one is midnight), the day of the impression is early enough:
        refusing those followers would bias every hazard down.
        """
        exposed, followed = pl.col("exposed_at"), pl.col("followed_at")
        days_only = (followed == followed.dt.truncate("1d")).all() & (followed.count() > 1)
        earliest = pl.when(days_only).then(exposed.dt.truncate("1d")).otherwise(exposed)
        return followed.is_between(earliest, exposed + pl.duration(hours=FOLLOW_WINDOW_HOURS))

    @dy.rule()
    def followed_at_of_a_follow(cls) -> pl.Expr:
        """A row that did not follow has no time of following."""
        return pl.col("followed") | pl.col("followed_at").is_null()


class Orders(Numbered):
    """One row per paid order."""

    order_id = dy.String(min_length=1, max_length=NAME_LETTERS)
    user_id = dy.String(min_length=1, max_length=NAME_LETTERS)
    ordered_at = dy.Datetime(time_unit="us")
    gmv_cny = dy.Float64(min_exclusive=0)
    refund_cny = dy.Float64(min=0)
    product_id = dy.String(nullable=True, max_length=NAME_LETTERS)

    @dy.rule()
    def refund_plausible(cls) -> pl.Expr:
        """A refund of more than twice the payment is a wrong unit or row."""
        return pl.col("refund_cny") <= REFUND_LIMIT * pl.col("gmv_cny")


class Delivery(Numbered):
    """One row of an advertising console's report."""

    date = dy.Date()
    hour = dy.Int64(min=0, max=23, nullable=True)
    campaign_id = dy.String(nullable=True, max_length=NAME_LETTERS)
    segment = dy.String(min_length=1, max_length=NAME_LETTERS)
    placement = dy.String(min_length=1, max_length=NAME_LETTERS)
    cost_cny = dy.Float64(min=0)
    impressions = dy.Int64(min=0, nullable=True)
    reach = dy.Int64(min=0, nullable=True)
    live_entries = dy.Float64(min=0, nullable=True)
    new_fans = dy.Float64(min=0, nullable=True)
    orders = dy.Float64(min=0, nullable=True)
    gmv_cny = dy.Float64(min=0, nullable=True)
    randomized = dy.Bool(nullable=True)

    @dy.rule()
    def has_an_outcome(cls) -> pl.Expr:
        """A row without any outcome says nothing about what money bought."""
        return pl.any_horizontal(pl.col(*OUTCOMES).is_not_null())


class Allocation(Numbered):
    """Money of each cell of a plan: the last plan of a brief."""

    campaign_id = dy.String(nullable=True, max_length=NAME_LETTERS)
    segment = dy.String(min_length=1, max_length=NAME_LETTERS)
    placement = dy.String(min_length=1, max_length=NAME_LETTERS)
    slot = dy.Int64(min=0, nullable=True)
    spend_cny = dy.Float64(min=0)


class CurvePoints(Numbered):
    """A response curve as points; value is 0 at no spend unless a point says otherwise."""

    campaign_id = dy.String(nullable=True, max_length=NAME_LETTERS)
    merchant_id = dy.String(nullable=True, max_length=NAME_LETTERS)
    segment = dy.String(min_length=1, max_length=NAME_LETTERS)
    placement = dy.String(min_length=1, max_length=NAME_LETTERS)
    slot = dy.Int64(min=0, nullable=True)
    spend_cny = dy.Float64(min=0)
    value = dy.Float64()


class CurveParameters(Numbered):
    """A response curve by its parameters (Hill unless `family` says otherwise)."""

    campaign_id = dy.String(nullable=True, max_length=NAME_LETTERS)
    merchant_id = dy.String(nullable=True, max_length=NAME_LETTERS)
    segment = dy.String(min_length=1, max_length=NAME_LETTERS)
    placement = dy.String(min_length=1, max_length=NAME_LETTERS)
    slot = dy.Int64(min=0, nullable=True)
    family = dy.String(nullable=True, max_length=NAME_LETTERS)
    top = dy.Float64(min=0)
    half_spend_cny = dy.Float64(min_exclusive=0)
    slope = dy.Float64(min_exclusive=0, nullable=True)

    @dy.rule()
    def slope_where_needed(cls) -> pl.Expr:
        """Families with a shape parameter need it."""
        return pl.col("slope").is_not_null() | pl.col("family").is_in(SHAPELESS_FAMILIES)

    @dy.rule()
    def family_known(cls) -> pl.Expr:
        """The family is one we can evaluate."""
        return pl.col("family").is_in(PARAMETRIC_FAMILIES)


OUTCOMES = ("impressions", "live_entries", "new_fans", "orders", "gmv_cny")
PARAMETRIC_FAMILIES = ("hill", "log", "power", "expsat", "logistic", "lomax")
SHAPELESS_FAMILIES = ("log", "expsat")


@dataclass(frozen=True)
class Contract:
    """How one table is checked.

    Attributes:
        schema: The dataframely schema of its normalised rows.
        optional: Columns that may be missing from the source; they are then null.
        unique: Column whose repeats are quarantined, the first row being kept; None where rows have no id.
        rules: dataframely rule name -> reason, for rules that concern several columns.
        features: Whether unknown columns are features (users) or ignored with one warning.
        keys: Columns that say what a row is about; 合计 in one of them makes the row a total of others.
    """

    schema: type[dy.Schema]
    optional: tuple[str, ...] = ()
    unique: str | None = None
    rules: Mapping[str, str] = field(default_factory=dict)
    features: bool = False
    keys: tuple[str, ...] = ()

    @property
    def columns(self) -> dict[str, dy.Column]:
        """Columns of the contract, without the row number, in order."""
        return {name: column for name, column in self.schema.columns().items() if name != ROW}

    @property
    def required(self) -> tuple[str, ...]:
        """Columns a source must have."""
        return tuple(name for name in self.columns if name not in self.optional)

    def dtype(self, column: str) -> pl.DataType:
        """Polars dtype of a normalised column."""
        return self.columns[column].dtype


CONTRACTS: dict[Table, Contract] = {
    "users": Contract(Users, unique="user_id", features=True),
    "exposures": Contract(
        Exposures,
        optional=("entered_live", "followed_at", "propensity"),
        unique="exposure_id",
        rules={
            "shown_or_held_out": "impressions: expected 0 for placement none and at least 1 for any other",
            "control_is_free": "cost_cny: expected 0 for placement none",
            "followed_within_window": "followed_at: expected a time within 24 h after exposed_at",
            "followed_at_of_a_follow": "followed_at: expected empty where followed is false",
        },
    ),
    "orders": Contract(
        Orders,
        optional=("product_id",),
        unique="order_id",
        rules={"refund_plausible": "refund_cny: expected at most twice gmv_cny (same unit?)"},
    ),
    "delivery": Contract(
        Delivery,
        optional=("hour", "campaign_id", *OUTCOMES, "reach", "randomized"),
        keys=("date", "campaign_id", "segment", "placement"),
        rules={
            "has_an_outcome": f"{OUTCOMES[0]}: expected at least one of {', '.join(OUTCOMES)} to be filled"
        },
    ),
    "allocation": Contract(
        Allocation, optional=("campaign_id", "slot"), keys=("campaign_id", "segment", "placement")
    ),
}
_CURVE_KEYS = ("campaign_id", "merchant_id", "slot")
CURVE_POINTS = Contract(CurvePoints, optional=_CURVE_KEYS)
CURVE_PARAMETERS = Contract(
    CurveParameters,
    optional=(*_CURVE_KEYS, "family", "slope"),
    rules={
        "slope_where_needed": "slope: expected a number > 0 for this family",
        "family_known": f"family: expected one of {', '.join(PARAMETRIC_FAMILIES)}",
    },
)

_TYPE_WORDS: dict[Any, str] = {
    pl.String: "text",
    pl.Boolean: "true or false",
    pl.Int64: "a whole number",
    pl.Float64: "a finite number",
    pl.Date: "a date such as 2020-11-11",
    pl.Datetime: "a time such as 2020-11-11 09:00:00",
}


def expected_of(contract: Contract, column: str) -> str:
    """What a cell of `column` must be, in words: `a finite number > 0 and <= 1 (or empty)`."""
    declared = contract.columns[column]
    words = _TYPE_WORDS[declared.dtype.base_type()]
    if words == "text" and not declared.nullable:
        words = "text, not empty"
    limits = [
        f"{sign} {getattr(declared, key):g}"
        for key, sign in (("min", ">="), ("min_exclusive", ">"), ("max", "<="))
        if isinstance(getattr(declared, key, None), int | float)
    ]
    return (
        words + (" " + " and ".join(limits) if limits else "") + (" (or empty)" if declared.nullable else "")
    )


def reason_of(contract: Contract, rule: str) -> str:
    """The reason to print for a failed dataframely rule such as `cost_cny|min`."""
    if rule in contract.rules:
        return contract.rules[rule]
    column, _, what = rule.partition("|")
    letters = f", at most {NAME_LETTERS} letters" if what == "max_length" else ""
    return f"{column}: expected {expected_of(contract, column)}{letters}"
