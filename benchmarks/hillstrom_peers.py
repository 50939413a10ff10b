"""The learners that `benchmarks.hillstrom` lays beside ours: a plain one, and peers where they are installed.

Peers are imported by name at run time; one that is absent, or does not import here, is skipped by its name.
"""

from __future__ import annotations

import importlib
import math
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

Learner = Callable[[pl.DataFrame, pl.DataFrame, str, int], np.ndarray]


def design(customers: pl.DataFrame) -> np.ndarray:
    """Features as numbers for the plain learners, (n, d)."""
    text = customers.select("zip_code", "channel").to_dummies()
    numbers = customers.select("recency", pl.col("history").log1p(), "mens", "womens", "newbie")
    return pl.concat([numbers, text], how="horizontal").to_numpy().astype(float)


def logistic_learner(train: pl.DataFrame, test: pl.DataFrame, mail: str, seed: int) -> np.ndarray:
    """T-learner of two logistic regressions."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rates = []
    for arm in (mail, "none"):
        rows = train.filter(pl.col("arm") == arm)
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        model.fit(design(rows), rows["visit"].to_numpy())
        rates.append(model.predict_proba(design(test))[:, 1])
    return rates[0] - rates[1]


def econml_learner(train: pl.DataFrame, test: pl.DataFrame, mail: str, seed: int) -> np.ndarray:
    """econml's T-learner over histogram gradient boosting."""
    model = _module("econml.metalearners").TLearner(models=_boosting(seed))
    rows = train.filter(pl.col("arm").is_in([mail, "none"]))
    model.fit(rows["visit"].to_numpy(), (rows["arm"] == mail).to_numpy().astype(int), X=design(rows))
    return np.asarray(model.effect(design(test))).ravel()


def econml_forest(train: pl.DataFrame, test: pl.DataFrame, mail: str, seed: int) -> np.ndarray:
    """econml's causal forest (double machine learning), its own defaults for the trees."""
    from sklearn.dummy import DummyClassifier

    model = _module("econml.dml").CausalForestDML(
        model_y=_boosting(seed),
        model_t=DummyClassifier(strategy="prior"),  # a coin chose: nothing predicts the arm
        discrete_treatment=True,
        random_state=seed,
        n_jobs=1,
    )
    rows = train.filter(pl.col("arm").is_in([mail, "none"]))
    model.fit(rows["visit"].to_numpy(), (rows["arm"] == mail).to_numpy().astype(int), X=design(rows))
    return np.asarray(model.effect(design(test))).ravel()


def causalml_learner(train: pl.DataFrame, test: pl.DataFrame, mail: str, seed: int) -> np.ndarray:
    """causalml's X-learner over histogram gradient boosting, told the coin's propensity."""
    model = _module("causalml.inference.meta").BaseXRegressor(learner=_boosting(seed))
    rows = train.filter(pl.col("arm").is_in([mail, "none"]))
    shown = (rows["arm"] == mail).to_numpy().astype(int)
    model.fit(X=design(rows), treatment=shown, y=rows["visit"].to_numpy(), p=np.full(rows.height, 0.5))
    return np.asarray(model.predict(X=design(test), p=np.full(test.height, 0.5))).ravel()


def causalml_forest(train: pl.DataFrame, test: pl.DataFrame, mail: str, seed: int) -> np.ndarray:
    """causalml's uplift random forest (Kullback-Leibler splits), its own defaults."""
    model = _module("causalml.inference.tree").UpliftRandomForestClassifier(
        control_name="none", random_state=seed, n_jobs=1
    )
    rows = train.filter(pl.col("arm").is_in([mail, "none"]))
    model.fit(X=design(rows), treatment=rows["arm"].to_numpy(), y=rows["visit"].to_numpy())
    return np.asarray(model.predict(X=design(test))).ravel()


def learners() -> dict[str, Learner]:
    """The plain learner and the peers that import here; the others are named on stderr."""
    found: dict[str, Learner] = {"logistic T-learner": logistic_learner}
    peers: dict[str, tuple[str, Learner]] = {
        "econml T-learner": ("econml.metalearners", econml_learner),
        "econml causal forest": ("econml.dml", econml_forest),
        "causalml X-learner": ("causalml.inference.meta", causalml_learner),
        "causalml uplift forest": ("causalml.inference.tree", causalml_forest),
    }
    for name, (module, learn) in peers.items():
        if _module(module) is not None:
            found[name] = learn
    _module("sklift.metrics")
    return found


def same_qini(ours: float, *, outcome: np.ndarray, score: np.ndarray, treated: np.ndarray) -> None:
    """Compare our Qini with scikit-uplift's, where that is installed.

    Raises:
        ValueError: The two differ.
    """
    peer = _module("sklift.metrics", told=False)
    if peer is None:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = peer.qini_auc_score(outcome, score, treated.astype(int))
    if not math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12):
        raise ValueError(f"our Qini {ours} is not scikit-uplift's {theirs}")


def _module(name: str, *, told: bool = True) -> Any:
    """A peer's module, or None (and its name on stderr) where it is absent or broken."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if told:
            print(f"skipped: {name} cannot be imported ({error})", file=sys.stderr)
        return None


def _boosting(seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(max_depth=3, max_iter=100, random_state=seed)
