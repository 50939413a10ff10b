"""The benchmark's own arithmetic, and one split of the real experiment where its data is there."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks import hillstrom
from benchmarks.hillstrom_peers import learners

DATA = Path(__file__).parents[4] / "shared" / "data" / "hillstrom" / "hillstrom.csv"


def test_strata_are_divided_alike():
    rng = np.random.default_rng(0)
    customers = pl.DataFrame(
        {"arm": rng.choice(["none", "mens_email"], 3000), "visit": (rng.random(3000) < 0.1).astype(int)}
    )
    part = hillstrom.stratified(customers, parts=np.array([0.7, 0.3]), seed=1)
    shares = customers.with_columns(part=pl.Series(part)).group_by("arm", "visit").agg(pl.col("part").mean())
    assert shares["part"].is_between(0.28, 0.32).all()


def test_an_interval_over_splits_is_wider_than_their_spread_alone():
    one = [
        hillstrom.Ranked("ours", mail, k, q, q / 2, p_value, 1.0)
        for mail, level, p_value in zip(hillstrom.MAILS, (0.06, 0.01), (0.01, 0.1), strict=True)
        for k, q in enumerate(level + np.array([-0.01, 0.0, 0.01]))
    ]
    womens, mens = hillstrom.summary(one)
    assert womens["qini_mean"] == pytest.approx(0.06)
    assert womens["high_95"] - womens["qini_mean"] == pytest.approx(1.96 * 0.01 * (1 / 3 + 3 / 7) ** 0.5)
    assert womens["p_value"] == pytest.approx(0.02)
    assert womens["verdict"] == "heterogeneity found"
    assert mens["verdict"] == "no exploitable heterogeneity found"


def test_the_verdicts_are_said_in_words():
    ranking = [
        {"mail": "mens_email", "learner": name, "verdict": hillstrom.NOT_FOUND, "p_value": 0.177}
        for name in ("ours", "another")
    ]
    values = [
        {"policy": policy, "value": value, "low_95": 1.0, "high_95": 2.0, "chosen_less_this": 1.4 - value,
         "less_low_95": -0.1, "less_high_95": 0.2}
        for policy, value in (("chosen by the model", 1.4), ("all none", 0.6), ("all mens_email", 1.3))
    ]  # fmt: skip
    about_ranking, about_money = hillstrom.verdicts(ranking, values)
    assert about_ranking.startswith("mens_email/visit: no exploitable heterogeneity found")
    assert "all mens_email 1.300; the difference +0.100 (-0.100 to +0.200)" in about_money


def test_an_absent_folder_is_skipped_with_a_reason(tmp_path, capsys):
    assert hillstrom.main(["--data", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("skipped: ")


def test_the_plain_learner_is_always_there():
    assert "logistic T-learner" in learners()


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_file(), reason="the Hillstrom experiment is not on this machine")
def test_one_split_of_the_real_experiment():
    example = hillstrom.load_example()
    results = hillstrom.run_splits(example, example.read_customers(DATA), splits=1, draws=50)
    ours = {one.mail: one for one in results if one.learner == "ours"}
    assert ours["womens_email"].qini > 0.02
    assert ours["womens_email"].p_value < 0.01
    assert ours["mens_email"].p_value > ours["womens_email"].p_value
