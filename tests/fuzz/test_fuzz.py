"""A share of the fuzzing that `python -m tests.fuzz --cases 10000` does: other seeds than those of the command."""

import random
import time

import pytest

from tests.fuzz import base, harness
from tests.fuzz.cases import TARGETS

SECONDS = 30
"""For all targets together; what does not fit is left out, never a target as a whole."""
# Seeds that ended wrong once, kept.
KEPT: tuple[tuple[str, int], ...] = (
    ("brief-values", 164),
    ("models", 2000),
    ("models", 3000),
    ("delivery", 34),
    ("delivery", 975),
    ("valid-briefs", 362),
    ("parquet-bytes", 445),
    ("parquet-bytes", 881),
)


@pytest.fixture(scope="module")
def small_shop(tmp_path_factory):
    return base.make(tmp_path_factory.mktemp("fuzz") / "base")


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_damaged_input_ends_in_one_line(target, small_shop, tmp_path):
    until, seed = time.monotonic() + SECONDS / len(TARGETS), 1_000_000
    while seed == 1_000_000 or time.monotonic() < until:
        ended = harness.run(target, seed, base=small_shop, at=tmp_path / "case")
        assert not ended.wrong, ended
        seed += 1


@pytest.mark.slow
@pytest.mark.parametrize(("target", "seed"), KEPT)
def test_what_once_ended_wrong_stays_mended(target, seed, small_shop, tmp_path):
    ended = harness.run(target, seed, base=small_shop, at=tmp_path / "case")
    assert not ended.wrong, ended


def test_a_case_is_the_same_again(tmp_path):
    (tmp_path / "brief.yaml").write_text("campaign_id: c\nbudget_cny: 5\nconstraints: []\n")
    for name in ("brief-bytes", "brief-values"):
        made = []
        for turn in ("one", "two"):
            (tmp_path / turn).mkdir(exist_ok=True)
            TARGETS[name](random.Random(5), tmp_path, tmp_path / turn)
            made.append((tmp_path / turn / "brief.yaml").read_bytes())
        assert made[0] == made[1]
