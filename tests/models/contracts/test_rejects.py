"""How much of a table may be bad before a job stops instead of learning from the rest."""

import polars as pl
import pytest

from models.contracts import REJECTED, assemble, conform
from models.contracts.quarantine import refuse_many
from models.errors import DataError


def rejected(count, reason="cost_cny: expected a finite number >= 0"):
    rows = [("delivery", "r", row, reason, '{"花费": "abc"}') for row in range(1, count + 1)]
    return pl.DataFrame(rows, schema=REJECTED, orient="row")


@pytest.mark.parametrize(("good", "bad"), [(950, 50), (97, 3), (4, 3), (40, 2), (10, 0)])
def test_few_bad_rows_are_left_out(good, bad):
    refuse_many("r", good, rejected(bad), ceiling=0.05)


@pytest.mark.parametrize(("good", "bad"), [(949, 51), (2, 3), (40, 4), (0, 1), (20, 380)])
def test_many_bad_rows_stop_everything_and_the_first_cell_is_quoted(good, bad):
    told = rf"r: {bad} of {good + bad} rows are bad.*holds 'abc'.*max_rejected_share"
    with pytest.raises(DataError, match=told):
        refuse_many("r", good, rejected(bad), ceiling=0.05)


def test_rows_that_another_row_already_counts_are_not_bad():
    repeats = rejected(10, "row: expected once, repeats an earlier row in every cell, set aside")
    refuse_many("r", 10, repeats, ceiling=0.05)


def test_a_dataset_of_rejects_is_refused_unless_the_ceiling_is_raised(users, exposures, orders):
    many = pl.concat([orders.with_columns(order_id=pl.col("order_id") + str(i)) for i in range(20)])
    spoilt = many.with_columns(
        gmv_cny=pl.when(pl.int_range(pl.len()) < 30).then(-1.0).otherwise(pl.col("gmv_cny"))
    )
    tables = (
        conform(users, "users", source="u"),
        conform(exposures, "exposures", source="e"),
        conform(spoilt, "orders", source="orders.csv"),
    )
    with pytest.raises(DataError, match=r"orders\.csv: 30 of 40 rows are bad, more than 0.05"):
        assemble(*tables)
    assert assemble(*tables, ceiling=0.8).rejected.height >= 30
