"""A bounded share of what `python -m tests.faults.schedules` and `mutations` run by the thousand."""

from tests.faults.faulty_disk import FAULTS
from tests.faults.schedules import run_schedules


def test_no_schedule_of_faults_loses_doubles_or_hides_anything():
    told = run_schedules(500)
    assert sum(told.values()) == 500
    assert {came.partition(":")[0] for came in told} == {*FAULTS, "no fault"}
