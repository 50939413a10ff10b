"""Models that somebody made to harm: none is loaded, nothing of them is run."""

import json
import os
import pickle
import re
from pathlib import Path

import pytest

from models import registry
from models.audience.model_files import FORMAT
from models.errors import DataError
from models.sealed_files import SEAL, with_seal
from targeting.planner import Planner
from tests.faults.mutations import make_originals

NAMES = (None, 7, [], {}, "x" * 300_000, "../../../../etc/passwd", "/etc/passwd", "nobody.txt", True)
NUMBERS = ("NaN", "Infinity", "-Infinity", "1e999", "1" * 5000, "[" * 100_000, '"inf"')
TREES = (
    ("left_child=", "left_child=-9 "),
    ("right_child=", "right_child=4000000 "),
    ("split_feature=", "split_feature=9999 "),
    ("num_leaves=", "num_leaves=99999999"),
    ("num_cat=", "num_cat=99999999"),
    ("tree_sizes=", "tree_sizes=-5 "),
    ("max_feature_idx=", "max_feature_idx=999999999"),
    ("leaf_value=", "leaf_value=nan "),
    ("threshold=", "threshold=inf "),
    ("num_class=", "num_class=9"),
    ("num_tree_per_iteration=", "num_tree_per_iteration=2"),
    ("internal_count=", "internal_count=1 "),
    ("decision_type=", "decision_type=77 "),
    ("version=", "average_output\nversion="),
    ("is_linear=", "is_linear=1"),
)


class Touch:
    """A pickle that leaves a mark where it is loaded."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    return make_originals(tmp_path_factory.mktemp("originals"))


def hostile_texts(files):
    """Files of a model that say what none can: (what, files), every seal as it should be."""
    body = files["audience.json"]
    for name in NAMES:
        if name:
            said = body.replace('"trees-video.txt"', json.dumps(name))
            yield f"text {str(name)[:20]}", {**files, "audience.json": said}
    for number in NUMBERS:
        said = re.sub(
            r'("trees-video\.txt",\s+"weight": )1\.0', lambda found, number=number: found[1] + number, body
        )
        assert said != body
        yield f"number {number[:10]}", {**files, "audience.json": said}
    for old, new in TREES:
        text = files["trees-video.txt"]
        assert old in text
        yield f"trees {new}", {**files, "trees-video.txt": text.replace(old, new, 1)}
    yield "a key twice", {**files, "audience.json": body.replace("{", f'{{"format": {FORMAT}, ', 1)}
    yield "a list", {**files, "audience.json": "[]"}
    yield "no JSON", {**files, "audience.json": "!!python/object/apply:os.system [id]"}
    yield "no model", {**files, "audience.json": f'{{"format": {FORMAT}, "encoder": []}}'}
    ages = re.sub(r'"horizon_days": \d+', f'"horizon_days": {10**12}', body)
    yield "a horizon of ages", {**files, "audience.json": ages}
    yield (
        "many repeats",
        {**files, "response.json": json.dumps(with_repeats(json.loads(files["response.json"])))},
    )


def with_repeats(value):
    """JSON in which every table of numbers is its first row, ten thousand million times."""
    if isinstance(value, dict):
        return {key: with_repeats(inner) for key, inner in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], list):
        return with_repeats(value[0])
    if isinstance(value, list) and value and all(isinstance(number, float) for number in value):
        return {"times": 10**10, "row": value}
    return value


def hostile_files(folder, files, mark):
    """Files beside or in the place of a model's: (what, how it is put into the folder)."""
    sealed = with_seal(files)

    def put(more, texts=sealed, below="."):
        (folder / below).mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / below / name).write_text(text)
        for name, data in more.items():
            (folder / below / name).write_bytes(data)

    pickled = pickle.dumps(Touch(mark))
    for name in ("python_model.pkl", "model.pkl", "audience.json", "evidence.json", SEAL):
        yield f"pickle as {name}", lambda name=name: put({name: pickled})
    for name in ("sitecustomize.py", "MLmodel", "conda.yaml"):
        text = f"!!python/object/apply:pathlib.Path.touch ['{mark}']".encode()
        yield f"one more file, {name}", lambda name=name, text=text: put({name: text})
    yield "an edited file", lambda: put({"evidence.json": b"{}"})
    yield "an emptied file", lambda: put({"segmenter.json": b""})
    yield (
        "a lost file",
        lambda: put({}, {name: text for name, text in sealed.items() if name != "planner.json"}),
    )
    yield "no seal in an MLflow model", lambda: put({}, files, f"artifacts/{registry.ARTIFACT}")
    yield "bytes that are no text", lambda: put({"trees-video.txt": b"\xff\xfe\0"})
    yield "a seal that is no JSON", lambda: put({SEAL: b"\0"})
    yield "a seal that is a list", lambda: put({SEAL: b"[]"})

    def link():
        put({})
        (folder / "evidence.json").unlink()
        (folder / "evidence.json").symlink_to("/etc/passwd")

    def pipe():
        put({})
        os.mkfifo(folder / "more.json")

    def large():
        put({})
        with (folder / "trees-video.txt").open("ab") as file:
            file.truncate(1 << 33)

    yield "a link out of the folder", link
    yield "a pipe", pipe
    yield "a file of 8 GB", large


def test_50_hostile_models_are_not_loaded_and_nothing_is_run(originals, tmp_path):
    mark = tmp_path / "ran"
    loaded, refused = [], 0
    cases = [(what, None, files) for what, files in hostile_texts(originals.model)]
    folder = tmp_path / "model"
    cases += [(what, place, None) for what, place in hostile_files(folder, originals.model, mark)]
    for what, place, files in cases:
        folder.mkdir()
        if place is None:
            for name, text in with_seal(files).items():
                (folder / name).write_text(text)
        else:
            place()
        try:
            Planner.load(str(folder))
            loaded.append(what)
        except DataError as error:
            assert "\n" not in str(error), what
            assert len(str(error)) < 2000, what
            refused += 1
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        folder.rmdir()
    assert loaded == []
    assert refused >= 50, refused
    assert not mark.exists()
