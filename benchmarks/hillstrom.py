r"""Uplift and policy value on a real randomised experiment: 64,000 customers, two e-mails or none, by a coin.

    python -m benchmarks.hillstrom --data ../shared/data/hillstrom --splits 10

Our audience model (follow hazard of each e-mail over the organic one, a visit standing for a follow) is
fitted on 70 % of the customers and ranks the other 30 %. Printed:

1. Qini (scikit-uplift's `qini_auc_score`) for Womens/visit and Mens/visit over stratified splits, mean +- sd,
   with an interval of the mean that respects that the splits share customers (Nadeau & Bengio 2003:
   sd^2 (1/J + n_test / n_train)). The verdict is the doubled median of the splits' one-sided p-values
   (`models.judging.heterogeneity.over_splits`) at 5 %. Beside it, on the same splits, a logistic T-learner
   (two regressions, no model of ours), and the peers that are installed.
2. Three folds, every customer scored by a model that did not see it: how much more than by lot the ranking
   gains, and the doubly robust value in spend less cost per customer of "the e-mail with the largest
   predicted spend less cost, if any", with its interval, beside mailing everybody and nobody.

The peers (econml 0.17.0, causalml 0.18.0, scikit-uplift 0.5.1, beside numpy 2.4.6 and scikit-learn 1.9.1) go
into an environment of their own; where scikit-uplift is, every Qini is checked against its `qini_auc_score`:

    python3.11 -m venv peers
    peers/bin/pip install econml causalml scikit-uplift polars dataframely lightgbm pyarrow
    PYTHONPATH=. OMP_NUM_THREADS=1 peers/bin/python -m benchmarks.hillstrom \\
        --data ../shared/data/hillstrom --splits 10

Seconds are wall time of learning and scoring. Ours learns the organic rate, both e-mails and what visitors
spend together, and twice (it judges itself on later rows first): its one figure stands for both e-mails.

The data belong to nobody here: without the folder the benchmark says so and ends.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.hillstrom_peers import design, learners, same_qini
from models.audience.model import AudienceModel
from models.contracts import gather
from models.judging.heterogeneity import heterogeneity, over_splits
from models.judging.policy_value import policy_difference, policy_value, uniform_policy
from models.judging.propensity import Logged, cross_fitted_outcomes
from models.judging.uplift import qini_auc_score, uplift_auc_score

EXAMPLE = Path(__file__).parents[1] / "examples" / "hillstrom" / "run.py"
MAILS = ("womens_email", "mens_email")
ACTIONS = ("none", *MAILS)
COST, TEST_SHARE, FOLDS = 0.05, 0.3, 3
FOUND, NOT_FOUND, SIGNIFICANT = "heterogeneity found", "no exploitable heterogeneity found", 0.05


@dataclass(frozen=True)
class Ranked:
    """One learner on one split and e-mail."""

    learner: str
    mail: str
    split: int
    qini: float
    auuc: float
    p_value: float
    seconds: float


def stratified(customers: pl.DataFrame, *, parts: np.ndarray, seed: int) -> np.ndarray:
    """Part of each customer, (n,), with each arm x visit divided in the shares `parts`."""
    rng = np.random.default_rng(seed)
    part = np.zeros(customers.height, dtype=int)
    keys = customers.select(pl.struct("arm", "visit").rank("dense")).to_series().to_numpy()
    for key in np.unique(keys):
        rows = rng.permutation(np.flatnonzero(keys == key))
        edges = np.round(np.cumsum(parts)[:-1] * rows.size).astype(int)
        for number, piece in enumerate(np.split(rows, edges)):
            part[piece] = number
    return part


def fit(example: object, customers: pl.DataFrame, *, seed: int) -> AudienceModel:
    """Our model, from the example's contract tables."""
    with tempfile.TemporaryDirectory() as folder:
        example.write_tables(customers, Path(folder))  # type: ignore[attr-defined]
        tables = {
            name: pl.read_parquet(Path(folder) / f"{name}.parquet")
            for name in ("users", "exposures", "orders")
        }
    return AudienceModel.fit(
        gather(**tables),
        placements=MAILS,
        as_of=datetime(2008, 5, 1),
        horizon_days=14,
        seed=seed,
        threads=2,
    )


def scored(model: AudienceModel, customers: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Scores of each e-mail, in the customers' order."""
    scores = model.score(customers)
    return {mail: scores.filter(pl.col("placement") == mail) for mail in MAILS}


def judged(
    learner: str, mail: str, split: int, *, test: pl.DataFrame, score: np.ndarray, seconds: float, draws: int
) -> Ranked:
    """Qini, AUUC and the p-value on the customers who got this e-mail or none."""
    mine = test["arm"].is_in([mail, "none"]).to_numpy()
    rows = {
        "outcome": test["visit"].to_numpy()[mine],
        "score": score[mine],
        "treated": (test["arm"] == mail).to_numpy()[mine],
    }
    qini, auuc = qini_auc_score(**rows), uplift_auc_score(**rows)
    same_qini(qini, **rows)
    found = heterogeneity(**rows, rng=np.random.default_rng(split), draws=draws)
    return Ranked(learner, mail, split, qini, auuc, found.p_value, seconds)


def run_splits(example: object, customers: pl.DataFrame, *, splits: int, draws: int) -> list[Ranked]:
    """Every learner on every stratified 70/30 split."""
    others, results = learners(), []
    for split in range(splits):
        held = stratified(customers, parts=np.array([1 - TEST_SHARE, TEST_SHARE]), seed=split) == 1
        train, test = customers.filter(~held), customers.filter(held)
        start = time.perf_counter()
        ours = scored(fit(example, train, seed=split), test)
        seconds = time.perf_counter() - start
        for mail in MAILS:
            mine = ours[mail]["p_follow"].to_numpy()
            results.append(judged("ours", mail, split, test=test, score=mine, seconds=seconds, draws=draws))
            for name, learn in others.items():
                start = time.perf_counter()
                score = learn(train, test, mail, split)
                took = time.perf_counter() - start
                results.append(judged(name, mail, split, test=test, score=score, seconds=took, draws=draws))
        print(f"split {split + 1} of {splits}", file=sys.stderr)
    return results


def summary(results: list[Ranked]) -> list[dict[str, object]]:
    """Mean, sd and corrected interval of the Qini per learner and e-mail."""
    rows: list[dict[str, object]] = []
    for mail in MAILS:
        for learner in dict.fromkeys(one.learner for one in results):
            mine = [one for one in results if (one.mail, one.learner) == (mail, learner)]
            qini = [one.qini for one in mine]
            mean, sd = statistics.fmean(qini), statistics.stdev(qini) if len(qini) > 1 else math.nan
            half = 1.96 * sd * math.sqrt(1 / len(qini) + TEST_SHARE / (1 - TEST_SHARE))
            p_value = over_splits([one.p_value for one in mine])
            rows.append(
                {
                    "mail": mail,
                    "learner": learner,
                    "qini_mean": mean,
                    "qini_sd": sd,
                    "low_95": mean - half,
                    "high_95": mean + half,
                    "auuc_mean": statistics.fmean(one.auuc for one in mine),
                    "p_value": p_value,
                    "verdict": FOUND if p_value <= SIGNIFICANT else NOT_FOUND,
                    "seconds": statistics.median(one.seconds for one in mine),
                }
            )
    return rows


def out_of_fold(example: object, customers: pl.DataFrame) -> pl.DataFrame:
    """Every customer with the scores of a model that did not see it: <mail>_follow, <mail>_net."""
    part = stratified(customers, parts=np.full(FOLDS, 1 / FOLDS), seed=99)
    pieces = []
    for fold in range(FOLDS):
        test = customers.filter(part == fold)
        ours = scored(fit(example, customers.filter(part != fold), seed=fold), test)
        net = {m: ours[m]["p_follow"] * ours[m]["gmv_per_fan_cny"] - COST for m in MAILS}
        pieces.append(
            test.with_columns(
                *[ours[m]["p_follow"].alias(f"{m}_follow") for m in MAILS],
                *[net[m].alias(f"{m}_net") for m in MAILS],
            )
        )
    return pl.concat(pieces)


def policies(judging: pl.DataFrame) -> tuple[list[dict[str, object]], list[str]]:
    """Doubly robust spend less cost per customer of each policy, and what the ranking is worth."""
    action = judging["arm"].replace_strict({name: k for k, name in enumerate(ACTIONS)}).to_numpy()
    outcome = judging["spend"].to_numpy() - COST * (action > 0)
    n = judging.height
    logged = Logged(ACTIONS, action, np.full(n, 1 / 3), outcome, np.arange(n))
    columns = [f"{m}_{kind}" for m in MAILS for kind in ("follow", "net")]
    features = np.column_stack([design(judging), judging.select(columns).to_numpy()])
    model = cross_fitted_outcomes(logged, features=features, rng=np.random.default_rng(0))
    net = np.column_stack([np.zeros(n), *[judging[f"{m}_net"].to_numpy() for m in MAILS]])
    chosen = np.eye(len(ACTIONS))[net.argmax(axis=1)]
    named = {"chosen by the model": chosen} | {f"all {a}": uniform_policy(logged, a) for a in ACTIONS}
    rows: list[dict[str, object]] = []
    for name, policy in named.items():
        value = policy_value(logged, policy=policy, outcome_model=model)
        more = policy_difference(logged, policy=chosen, other=policy, outcome_model=model)
        rows.append(
            {
                "policy": name,
                **{f"share_{a}": float(policy[:, k].mean()) for k, a in enumerate(ACTIONS)},
                **value.doubly_robust.to_dict(),
                "ips": value.ips.value,
                "snips": value.self_normalised.value,
                "effective_rows": value.overlap.effective_rows,
                "chosen_less_this": more.value,
                "less_low_95": more.interval_95[0],
                "less_high_95": more.interval_95[1],
            }
        )
    told = []
    for mail in MAILS:
        mine = judging.filter(pl.col("arm").is_in([mail, "none"]))
        found = heterogeneity(
            outcome=mine["visit"].to_numpy(),
            score=mine[f"{mail}_follow"].to_numpy(),
            treated=(mine["arm"] == mail).to_numpy(),
            rng=np.random.default_rng(1),
        )
        gain, low, high = (
            100 * x for x in (found.advantage.value, found.advantage.low, found.advantage.high)
        )
        told.append(
            f"{mail}/visit, all customers by out-of-fold scores: {gain:.0f} % more visits than as many mailed"
            f" by lot (95 %, folds taken as independent: {low:.0f} to {high:.0f});"
            f" mean effect {found.effect.value:.4f}"
        )
    return rows, told


def verdicts(ranking: list[dict[str, object]], values: list[dict[str, object]]) -> list[str]:
    """What the figures say of our model, a sentence per e-mail and one on the policy in money."""
    said = [
        f"{row['mail']}/visit: {row['verdict']} (doubled median p-value of the splits {row['p_value']:.3f})"
        for row in ranking
        if row["learner"] == "ours"
    ]
    chosen, *uniform = values
    best = max(uniform, key=lambda row: float(str(row["value"])))
    return [
        *said,
        f"spend less cost per customer of the chosen policy {chosen['value']:.3f}"
        f" (95 %: {chosen['low_95']:.3f} to {chosen['high_95']:.3f}),"
        f" {best['policy']} {best['value']:.3f}; the difference"
        f" {best['chosen_less_this']:+.3f} ({best['less_low_95']:+.3f} to {best['less_high_95']:+.3f})",
    ]


def show(rows: list[dict[str, object]]) -> None:
    """Print rows as a table."""
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=220, float_precision=4, fmt_str_lengths=40,
                   tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):  # fmt: skip
        print(pl.DataFrame(rows))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run both parts and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/hillstrom"))
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--draws", type=int, default=200, help="bootstrap resamples behind each verdict")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    given = parser.parse_args(arguments)
    csv = given.data / "hillstrom.csv"
    if not csv.is_file():
        print(f"skipped: {csv} is not there; give the folder of hillstrom.csv with --data")
        return 0
    example = load_example()
    customers = example.read_customers(csv)  # type: ignore[attr-defined]
    start = time.perf_counter()
    ranking = summary(run_splits(example, customers, splits=given.splits, draws=given.draws))
    show(ranking)
    values, told = policies(out_of_fold(example, customers))
    show(values)
    told = [*verdicts(ranking, values), *told]
    print("\n".join([*told, f"{time.perf_counter() - start:.0f} s in all"]))
    if given.json:
        given.json.write_text(
            json.dumps({"ranking": ranking, "policies": values, "verdicts": told}, indent=1)
        )
    return 0


def load_example() -> object:
    """The example's script as a module: it turns the experiment into the contract."""
    spec = importlib.util.spec_from_file_location("hillstrom_example", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main())
