"""What no change may bring back: a circle of imports, an import that climbs, one that hides in a function.

Deferred and typing imports count (`benchmarks.import_graph`): a circle behind them is still a circle.
"""

from pathlib import Path

import pytest

from benchmarks.import_graph import cycles, import_graph, read_imports, read_modules, sibling_graph
from benchmarks.structure import LAYERS, deferred_imports

ROOT = Path(__file__).resolve().parents[1]

# Heavy or optional libraries, or ones of one operating system: `import targeting` and `targeting --help` must
# answer without them.
MAY_WAIT = {
    "altair",
    "cvxpy",
    "dataframely",
    "fastexcel",
    "fcntl",
    "highspy",
    "jinja2",
    "lightgbm",
    "mlflow",
    "numba",
    "pandas",
    "pyarrow",
    "pyspark",
    "requests",
    "rich",
    "scipy",
    "sklearn",
    "sqlalchemy",
    "streamlit",
    "vl_convert",
}

# Files whose functions import what they need when they are called: the command line its jobs, and two that
# run in another process, on Spark's workers and as the code that MLflow keeps beside a model.
COMMANDS = {f"pipelines.cli{part}" for part in ("", "_judging", "_launch", "_options")}
MAY_DEFER = COMMANDS | {"pipelines.engines.spark", "models.pyfunc_code"}

# Who may ask the simulators for a world: `tg.simulate` and two jobs. Nothing that learns or decides may.
MAY_SIMULATE = {"targeting", "pipelines.jobs.simulate"}


@pytest.fixture(scope="module")
def imports():
    return read_imports(read_modules(ROOT, LAYERS))


def test_no_circle_of_modules(imports):
    assert circled(import_graph(imports)) == set()


def test_no_circle_of_folders(imports):
    assert circled(sibling_graph(import_graph(imports))) == set()


def test_imports_go_down_only(imports):
    def layer(name):
        return LAYERS.index(name.split(".")[0])

    assert [one for one in imports if one.own and layer(one.target) > layer(one.source)] == []


def test_only_named_jobs_may_simulate(imports):
    asked = {one.source for one in imports if is_world(one.target) and not is_world(one.source)}
    assert asked - MAY_SIMULATE == set()


def test_only_named_libraries_are_imported_inside_functions(imports):
    libraries, _ = deferred_imports(one for one in imports if one.source not in MAY_DEFER)
    hidden = {str(one) for name in libraries.keys() - MAY_WAIT for one in libraries[name]}
    assert hidden == set()


def test_own_modules_are_imported_at_the_top(imports):
    _, own = deferred_imports(one for one in imports if one.source not in MAY_DEFER)
    assert sorted(map(str, own)) == []


def circled(graph):
    return {name for group in cycles(graph) for name in group}


def is_world(name):
    return f"{name}.".startswith("targeting.world.")
