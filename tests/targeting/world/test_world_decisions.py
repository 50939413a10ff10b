"""The figures that the decision benchmark prints."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from benchmarks.decisions import main
from benchmarks.named_decisions import Outcome, incremental_gmv, summary
from benchmarks.score_calibration import deciles
from targeting.world import simulate


def outcome(**changes):
    facts = dict.fromkeys(Outcome.__dataclass_fields__, 1.0)
    facts |= {"kind": "jewellery", "seed": 0, "claims": "causal", "gain_covers_zero": False, "segments": 5}
    return Outcome(**(facts | changes))


def test_perfect_predictions_have_no_calibration_error():
    rng = np.random.default_rng(0)
    true, weight = rng.random(500), rng.random(500)
    assert deciles(true, true, weight) == (0.0, 1.0)
    error, worst = deciles(1.2 * true, true, weight)
    assert error == pytest.approx(0.2 * np.average(true, weights=weight), rel=1e-9)
    assert worst == pytest.approx(1.2)


def test_worst_decile_may_be_the_one_that_is_too_low():
    true = np.linspace(1, 2, 100)
    assert deciles(np.where(np.arange(100) < 10, 0.25, 1.0) * true, true, np.ones(100))[1] == pytest.approx(
        0.25
    )


def test_regret_counts_the_best_plan_known():
    assert outcome(value=90.0, oracle=100.0, oracle_same=95.0).regret == pytest.approx(0.1)
    assert outcome(value=102.0, oracle=100.0, oracle_same=101.0).regret == 0.0


def test_summary_takes_medians_and_shares():
    seeds = [
        outcome(value=v, oracle=100.0, equal=85.0, promised=v, low=80.0, high=90.0)
        for v in (80.0, 90.0, 95.0)
    ]
    row = summary(seeds)
    assert row["regret"] == pytest.approx(0.1)
    assert row["equal"] == pytest.approx(2 / 3)
    assert row["inside"] == pytest.approx(2 / 3)
    assert row["promised"] == 1.0


def test_the_curse_is_what_choosing_adds_to_a_bias_that_all_share():
    seed = outcome(value=100.0, promised=132.0, equal=50.0, promised_equal=60.0)
    assert summary([seed])["curse"] == pytest.approx(1.32 / 1.2)


def test_console_gmv_is_net_and_after_the_follow():
    truth = simulate(users=2_000, seed=1).truth
    spend = pl.DataFrame({"segment": ["all"], "placement": ["live"], "spend_cny": [3_000.0]})
    real = truth.realise(truth.everyone(), spend, rng=np.random.default_rng(1))
    total = real.orders["gmv_cny"].sum() - real.orders["refund_cny"].sum()
    assert 0 < incremental_gmv(real.exposures, real.orders) < total


@pytest.mark.slow
def test_benchmark_runs_from_end_to_end(monkeypatch, capsys, tmp_path):
    out = tmp_path / "outcomes.jsonl"
    arguments = ["decisions", "--kinds", "jewellery", "--seeds", "1", "--users", "4000", "--out", str(out)]
    monkeypatch.setattr("sys.argv", arguments)
    main()
    assert "regret" in capsys.readouterr().out
    assert out.read_text().count("\n") == 1
