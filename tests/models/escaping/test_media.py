"""Each medium's function on every hostile name: nothing is left that the medium would obey."""

import json
import re

import polars as pl
import pytest
from hostile_names import HOSTILE
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name, _validate_param_name

from models.contracts.values import text
from models.escaping import media
from models.escaping.tables import for_cells, from_cells, printable_cells, unprintable_cells

anything = pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(HOSTILE)


@anything
def test_html_holds_no_tag_and_closes_no_quote(name):
    assert not set("<>\"'") & set(str(media.for_html(name)))


def test_markup_of_ours_is_escaped_once():
    assert str(media.for_html(media.for_html("<b>"))) == "&lt;b&gt;"


@anything
def test_markdown_has_every_mark_escaped(name):
    shown = re.sub(r"\\[!-/:-@\[-`{-~]", "", media.for_markdown(name))
    assert not re.search(r"[!-/:-@\[-`{-~]", shown)
    assert "\n" not in shown


@anything
def test_a_terminal_gets_nothing_that_it_obeys(name):
    shown = media.for_terminal(name)
    assert media.is_printable(shown)
    told = json.dumps(name, ensure_ascii=False)
    assert json.loads(media.for_terminal(told)) == name


@anything
def test_a_chart_gets_printable_text_in_every_place(name):
    spec = media.for_chart({"title": name, "datasets": {"d": [{"segment": name, "x": 1.5}]}, "sort": [name]})
    for shown in (spec["title"], spec["datasets"]["d"][0]["segment"], spec["sort"][0]):
        assert media.is_printable(shown)
    assert spec["datasets"]["d"][0]["x"] == 1.5


def test_a_chart_is_given_no_text_that_takes_long_to_draw_and_none_for_another():
    long = "x" * 70_000
    shown = media.for_chart([long + "1", long + "2", "short"])
    assert len(shown[0]) < 1100
    assert len(set(shown)) == 3


@given(TEXTS)
def test_a_cell_is_no_formula_and_comes_back(name):
    cell = media.for_cell(name)
    assert not re.match(r"\s*[=+\-@＝＋－＠]", cell)
    assert media.from_cell(cell) == media.printable(name)


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_columns_do_as_single_texts_do(names):
    frame = pl.DataFrame({"=name": names, "number": [-1.5] * len(names)})
    cells = for_cells(frame)
    assert cells.columns == ["'=name", "number"]
    assert cells["'=name"].to_list() == list(map(media.for_cell, names))
    assert cells["number"].to_list() == frame["number"].to_list()
    assert from_cells(cells)["=name"].to_list() == list(map(media.printable, names))
    assert printable_cells(frame["=name"]).to_list() == list(map(media.printable, names))
    assert unprintable_cells(frame["=name"]).to_list() == [not media.is_printable(name) for name in names]


def test_columns_whose_names_would_meet_keep_them():
    frame = pl.DataFrame({"=a": ["x"], "'=a": ["'=y"]})
    assert from_cells(frame).to_dict(as_series=False) == {"=a": ["x"], "'=a": ["=y"]}


@given(TEXTS)
def test_keys_are_what_mlflow_takes(name):
    key = media.for_key(name)
    _validate_param_name(key)
    _validate_metric_name(key)
    assert len(key.encode()) <= media.KEY_LENGTH
    assert ".." not in key.split("/")


def test_keys_of_long_names_and_odd_paths_stay_apart():
    names = ["a//b", "a/b", "a/./b", "/a/b", "x" * 400, "x" * 401]
    assert len({media.for_key(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ann:s3cret@db:5432/x",
        "https://s3cret@host/a",
        "mysql://ann:s3cret/with@signs#@db/x",
        "http://host/x?token=s3cret&y=1",
        "HTTP://ann:s3cret@host",
        "http://h/?password=s3cret",
    ],
)
def test_no_password_is_told(address):
    told = media.without_secrets(f"tracking store {address}: cannot be used ({address})")
    assert "s3cret" not in told
    assert "cannot be used" in told


def test_addresses_without_secrets_stay():
    for address in ("sqlite:////tmp/a@b/mlflow.db", "models:/new-fan-gmv@champion", "http://host:5000/x"):
        assert media.without_secrets(address) == address


def test_the_door_makes_cells_printable():
    read = text(pl.Series(["women\n25", "a\x1b[2Jb", "last\ufffe", " plain ", None])).values
    assert read.to_list() == ["women 25", "a\ufffd[2Jb", "last\ufffd", "plain", None]
