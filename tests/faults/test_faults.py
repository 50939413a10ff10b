"""A bounded share of what the modules here run by the thousand from the command line."""

import subprocess
import sys

import pytest

from tests.faults.faulty_disk import FAULTS
from tests.faults.mutations import make_originals, run_mutations
from tests.faults.schedules import run_schedules


@pytest.mark.slow
def test_no_schedule_of_faults_loses_doubles_or_hides_anything():
    told = run_schedules(500)
    assert sum(told.values()) == 500
    assert {came.partition(":")[0] for came in told} == {*FAULTS, "no fault"}


@pytest.mark.slow
def test_edited_models_and_plans_are_refused_or_used_to_finite_ends(tmp_path):
    told = run_mutations(make_originals(tmp_path), models=30, plans=60)
    assert told["sealed model: refused"] > 5
    assert told["sealed plan: refused"] > 10
    assert told["resealed plan: refused"] > 5


@pytest.mark.slow
def test_sigkill_leaves_a_whole_output_or_none():
    # In a process of its own: it forks, which a process that has computed must not.
    command = [sys.executable, "-m", "tests.faults.kills", "--kills", "3"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "3 SIGKILLs: 0 half outputs" in done.stdout
