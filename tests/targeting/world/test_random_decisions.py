"""What the benchmarks of random worlds and of the learner's mechanisms print."""

from __future__ import annotations

import json

import pytest

from benchmarks.ablation import ALL_ON, MECHANISMS, Trial, changes, print_table, switched_off
from benchmarks.decisions import chosen_seeds, main
from benchmarks.random_decisions import RandomOutcome, print_summary


def outcome(**changed):
    facts = dict.fromkeys(RandomOutcome.__dataclass_fields__, 1.0)
    facts |= {"seed": 0, "mechanisms": {"supply": "log"}, "nobody_differs": False, "low": 0.9, "high": 1.1}
    return RandomOutcome(**(facts | changed))


def test_chosen_seeds_are_a_number_a_list_or_a_range():
    assert list(chosen_seeds("3")) == [0, 1, 2]
    assert list(chosen_seeds("3,7")) == [3, 7]
    assert list(chosen_seeds("5-8")) == [5, 6, 7, 8]
    assert list(chosen_seeds("alike-3")) == [25, 33, 91]


def test_summary_counts_what_was_held(capsys):
    worlds = [
        outcome(value=0.9, equal=0.8),
        outcome(value=1.2, equal=1.3, promised=1.8),
        outcome(value=0.99, nobody_differs=True, came_inside=None),
    ]
    print_summary(worlds)
    text = capsys.readouterr().out
    assert "better than equal  0.50 of 2" in text
    assert "within 2 % of equal or better: 1.00 of 1" in text
    assert "expected interval holds the truth:     0.67 of 3" in text
    assert "promised / true between 0.8 and 1.25: 0.67 of 3" in text
    assert "value/seen     median   0.990" in text


def test_a_random_world_is_judged_and_its_loss_taken_apart(tmp_path, monkeypatch, capsys):
    saved = tmp_path / "one.jsonl"
    asked = ["--kinds", "random", "--seeds", "5-5", "--users", "2500", "--out", str(saved)]
    monkeypatch.setattr("sys.argv", ["decisions", *asked])
    main()
    found = json.loads(saved.read_text("utf-8"))
    assert 0 < found["value"] < 1.1 * found["seen"]
    assert found["seen"] < 1.1 * found["oracle"]
    assert 0.3 < found["ranking"] / found["seen"] < 1.1
    assert "supply=" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["decisions", "--kinds", "random", "--table", str(saved)])
    main()
    assert "value/seen" in capsys.readouterr().out


@pytest.mark.parametrize("name", MECHANISMS)
def test_a_mechanism_is_off_for_as_long_as_asked_and_back_afterwards(name):
    mechanism = MECHANISMS[name]
    usual = {field: getattr(mechanism.settings, field) for field in mechanism.off}
    assert usual != dict(mechanism.off)
    with switched_off(mechanism):
        assert all(getattr(mechanism.settings, field) == value for field, value in mechanism.off.items())
    assert usual == {field: getattr(mechanism.settings, field) for field in mechanism.off}


def test_ablation_compares_the_same_worlds(capsys):
    def trial(seed, mechanism, value, promised):
        return Trial(seed, 10, mechanism, value, 1.0, promised, True, 2.0)

    trials = [trial(1, ALL_ON, 0.9, 0.9), trial(2, ALL_ON, 0.8, 0.8)]
    trials += [trial(1, "trees", 0.8, 0.8), trial(2, "trees", 0.76, 0.76), trial(3, "trees", 0.1, 5.0)]
    found = changes(trials, "trees")
    assert found["value"] == pytest.approx((-7.0, 3.0))
    assert found["promise"] == pytest.approx((0.0, 0.0))
    print_table(trials)
    assert "| trees |" in capsys.readouterr().out
