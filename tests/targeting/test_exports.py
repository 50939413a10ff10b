import ast
import subprocess
import sys
from pathlib import Path

import pytest

import targeting


def test_importing_targeting_imports_nothing_heavy():
    heavy = ("cvxpy", "lightgbm", "sklearn", "mlflow", "altair", "scipy", "polars", "pydantic", "numpy")
    code = f"import sys, targeting; sys.exit(', '.join(set({heavy}) & sys.modules.keys()) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", targeting.__all__)
def test_every_promised_name_is_there(name):
    assert getattr(targeting, name) is not None
    assert name in dir(targeting)


def test_dir_names_each_once():
    _ = targeting.Campaign  # a name that was used is a global from then on
    listed = dir(targeting)
    assert len(listed) == len(set(listed))
    assert set(targeting.__all__) <= set(listed)


def test_type_checkers_see_what_the_interpreter_loads():
    tree = ast.parse(Path(targeting.__file__).read_text(encoding="utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {(alias.name, alias.asname): line.module for line in block.body for alias in line.names}
    assert seen == {(name, name): module for name, module in targeting._EXPORTS.items()}


def test_using_one_name_loads_one_room():
    code = (
        "import sys, targeting as tg; tg.allocate; "
        "sys.exit(', '.join({'lightgbm', 'mlflow', 'altair'} & sys.modules.keys()) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="has no attribute 'helpers'"):
        _ = targeting.helpers
