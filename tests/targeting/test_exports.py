import subprocess
import sys

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


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="has no attribute 'helpers'"):
        _ = targeting.helpers
