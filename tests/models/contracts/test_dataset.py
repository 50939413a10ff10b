"""The tables against each other, frames of other libraries, fingerprints."""

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from models.contracts import Dataset, as_frame, assemble, conform, feature_columns, fingerprint, gather
from models.errors import DataError


def test_unknown_users_are_quarantined_and_counted(users, exposures, orders):
    dataset = gather(users=users.filter(pl.col("user_id") != "c"), exposures=exposures, orders=orders)
    assert dataset.exposures["user_id"].to_list() == ["a", "b", "a"]
    assert dataset.orders["user_id"].to_list() == ["a"]
    assert dataset.rejected.select("table", "row", "reason").rows() == [
        ("exposures", 3, "user_id: expected a user of table users"),
        ("orders", 2, "user_id: expected a user of table users"),
    ]
    assert "exposures: 1 rows of users who are not in users, quarantined" in dataset.warnings


def test_an_unknown_user_keeps_the_row_number_of_its_source(users, exposures, orders):
    bad_first = exposures.with_columns(cost_cny=pl.Series([-1.0, 0.2, 0.0, 0.3]))
    dataset = gather(users=users.filter(pl.col("user_id") != "c"), exposures=bad_first, orders=orders)
    assert dataset.rejected.filter(pl.col("table") == "exposures")["row"].to_list() == [1, 3]


def test_no_exposure_of_a_known_user_is_an_error(users, exposures, orders):
    with pytest.raises(DataError, match=r"exposures: no row's user_id is in users \(first: 'a'\)"):
        gather(users=users.with_columns(user_id="x" + pl.col("user_id")), exposures=exposures, orders=orders)


def test_limits_of_what_can_be_learned_are_said(users, exposures, orders):
    video = exposures.filter(pl.col("placement") == "video").with_columns(randomized=False)
    fans = users.drop("age").with_columns(is_fan=True)
    said = " | ".join(gather(users=fans, exposures=video, orders=orders.clear()).warnings)
    for part in (
        "all shown rows are in placement 'video'",
        "no randomized rows",
        "already a fan",
        "no orders at all",
        "no feature column",
    ):
        assert part in said


def test_the_one_placement_that_was_shown_is_named_beside_held_out_rows(users, exposures, orders):
    dataset = gather(users=users, exposures=exposures.filter(pl.col("placement") != "live"), orders=orders)
    assert "exposures: all shown rows are in placement 'video'; the others cannot be learned" in (
        dataset.warnings
    )


def test_features_are_every_other_column(users, exposures, orders):
    dataset = gather(users=users, exposures=exposures, orders=orders)
    assert dataset.features == feature_columns(dataset.users) == ["age"]
    assert Dataset(dataset.users, dataset.exposures, dataset.orders).rejected.is_empty()


def test_frames_of_other_libraries(users, exposures, orders):
    here = gather(users=users, exposures=exposures, orders=orders)
    for convert in (pl.DataFrame.lazy, pl.DataFrame.to_arrow, pl.DataFrame.to_pandas, pl.DataFrame.to_dict):
        there = gather(users=convert(users), exposures=convert(exposures), orders=convert(orders))
        assert there.fingerprints == here.fingerprints
    assert as_frame(pd.DataFrame({"x": [1.0, None]}))["x"].to_list() == [1.0, None]


@pytest.mark.parametrize("what", [42, "users.csv", [1, 2], {"x": [1, 2], "y": [1]}, pa.chunked_array([[1]])])
def test_what_is_no_frame_is_an_error(what):
    with pytest.raises(DataError, match="frame"):
        as_frame(what)


def test_the_fingerprint_depends_on_content_alone(users):
    frame = conform(users, "users", source="f").good
    print_ = fingerprint(frame)
    assert fingerprint(frame.select(reversed(frame.columns))) == print_
    assert fingerprint(pl.concat([frame[:1], frame[1:]], rechunk=False)) == print_
    assert (
        fingerprint(conform(users.with_columns(pl.all().cast(pl.String)), "users", source="g").good) == print_
    )
    changed = [
        frame[:2],
        frame.rename({"age": "years"}),
        frame.with_columns(age=pl.Series([18.0, 30.0, 0.0])),
        frame.with_columns(user_id=pl.Series(["ab", "", "c"])),
        frame.reverse(),
    ]
    assert len({print_, *map(fingerprint, changed)}) == len(changed) + 1


def test_assemble_is_pure(users, exposures, orders):
    tables = {"users": users, "exposures": exposures, "orders": orders}
    parts = [conform(frame, table, source=table) for table, frame in tables.items()]
    one, two = assemble(*parts), assemble(*parts)
    assert one.fingerprints == two.fingerprints
    assert one.exposures.equals(two.exposures)
