"""What `benchmarks.structure` counts, on small trees whose figures are known."""

import pytest

from benchmarks.import_graph import cycles, import_graph, read_imports, read_modules, sibling_graph
from benchmarks.structure import (
    count_any,
    count_ignores,
    deferred_imports,
    lines_per,
    long_functions,
    measure,
    numeric_constants,
    repeated_names,
    undocumented,
)


@pytest.fixture
def tree(tmp_path):
    """Writes files {path: text} and reads them back as modules."""

    def write(files):
        for path, text in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return read_modules(tmp_path, ["house"])

    return write


def test_each_kind_of_import_is_found(tree):
    modules = tree(
        {
            "house/__init__.py": "",
            "house/a.py": "import math\nfrom house import b, unknown\nfrom house.c import thing\n",
            "house/b.py": "if TYPE_CHECKING:\n    from house.a import x\nelse:\n    import os\n",
            "house/c.py": "class K:\n    def f(self):\n        try:\n            import scipy.stats\n"
            "        except ImportError:\n            from . import b\n",
        }
    )
    found = {(one.source[6:], one.target, one.kind) for one in read_imports(modules)}
    assert found == {
        ("a", "math", "top"),
        ("a", "house", "top"),
        ("a", "house.b", "top"),
        ("a", "house.c", "top"),
        ("b", "house.a", "typing"),
        ("b", "os", "top"),
        ("c", "scipy.stats", "deferred"),
        ("c", "house.b", "deferred"),
    }
    libraries, own = deferred_imports(read_imports(modules))
    assert (list(libraries), [str(one) for one in own]) == (["scipy"], ["house.c -> house.b"])


@pytest.mark.parametrize("back", ["from house.a import x", "def f():\n    from house import a"])
def test_a_circle_counts_wherever_it_hides(tree, back):
    modules = tree(
        {
            "house/a.py": "import house.b",
            "house/b.py": "import house.c",
            "house/c.py": back,
            "house/d.py": "import house.a",
        }
    )
    assert cycles(import_graph(read_imports(modules))) == [("house.a", "house.b", "house.c")]


def test_two_circles_are_two_and_a_diamond_is_none():
    graph = {
        "a": {"b", "c"},
        "b": {"d"},
        "c": {"d"},
        "d": {"e"},
        "e": {"f"},
        "f": {"e"},
        "g": {"h"},
        "h": {"g", "a"},
    }
    assert cycles(graph) == [("e", "f"), ("g", "h")]


def test_folders_lean_on_each_other_where_no_two_files_do():
    graph = {"m.a.one": {"m.b.two"}, "m.b.other": {"m.a.last"}, "m.a": {"m.a.one"}}
    assert cycles(graph) == []
    assert cycles(sibling_graph(graph)) == [("m.a", "m.b")]


def test_sizes(tree):
    long = "def f():\n" + "    x = 1\n" * 60
    inside = (
        "class K:\n    def g(self):\n"
        + "        x = 1\n" * 49
        + "    def h(self):\n"
        + "        x = 1\n" * 50
    )
    modules = tree({"house/a.py": long, "house/room/b.py": inside, "house/room/__init__.py": '"""Room."""\n'})
    cases = [case for module in modules.values() for case in long_functions(module)]
    assert cases == [("house/a.py: f", 61), ("house/room/b.py: K.h", 51)]
    assert lines_per(modules.values(), 1) == {"house": 61 + 102 + 1}
    assert lines_per(modules.values(), 2) == {"house.a": 61, "house.room": 103}


def test_hatches_and_names(tree):
    text = (
        '"""Doc."""\nfrom typing import Any\nimport typing\nRATE = 0.5\nBOX = (1, -2)\nSEED: int = 2 * 10\n'
        'NAME = "x"\nON = True\nlower = 3\n'
        "def f(a: Any) -> list[typing.Any]:  # type: ignore[misc]\n    return a  # noqa: E501\n"
        'class K:\n    """Doc."""\n    def _private(self): ...\n    def public(self): ...\n'
    )
    module = tree({"house/a.py": text, "house/room/a.py": "", "house/room/b.py": ""})["house.a"]
    assert count_any(module) == 2
    assert count_ignores(module) == 2
    assert numeric_constants(module) == ["RATE", "BOX", "SEED"]
    assert undocumented(module) == ["house.a.f", "house.a.K.public"]


def test_a_name_that_occurs_twice(tree):
    modules = tree({"house/a.py": "", "house/room/a.py": "", "house/b.py": "", "house/room/__init__.py": ""})
    assert repeated_names(modules.values()) == {"a": ["house/a.py", "house/room/a.py"]}


def test_every_figure_is_printed_beside_its_aim(tree):
    figures = measure(tree({"house/a.py": "import house.b\n", "house/b.py": "import house.a\n"}))
    told = {figure.name: figure for figure in figures}
    circles = told["import cycles, deferred and typing imports counted"]
    assert str(circles).split() == [*circles.name.split(), "1", "aim", "0", "2:", "house.a,", "house.b"]
    assert told["files"].value == 2
