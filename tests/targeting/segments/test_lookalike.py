"""People like given ones: who is ranked first, what is said of it, and what is refused."""

import re

import numpy as np
import polars as pl
import pytest

import targeting as tg
from models.audience.encoding import FeatureEncoder
from models.errors import DataError
from targeting.segments.lookalike import lookalike

N = 6000


def people(seed=0):
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "user_id": [f"u{i:05d}" for i in range(N)],
            "is_fan": rng.random(N) < 0.1,
            "gender": rng.choice(["f", "m"], N),
            "age": rng.integers(18, 60, N).astype(float),
            "noise": rng.normal(size=N),
        }
    )


def scores(users):
    """Women are worth ten times a man; the live room twice the video."""
    worth = np.where(users["gender"] == "f", 10.0, 1.0)
    parts = [
        users.select("user_id").with_columns(
            placement=pl.lit(name),
            p_follow=pl.lit(p),
            gmv_per_fan_cny=pl.Series(worth),
            eligible=~users["is_fan"],
        )
        for name, p in (("video", 0.01), ("live", 0.02))
    ]
    return pl.concat(parts)


def like(seeds, users=None, **changed):
    users = people() if users is None else users
    return lookalike(seeds, people=users, scores=scores(users), encoder=FeatureEncoder.fit(users), **changed)


def young_women(users, share=1.0):
    chosen = users.filter((pl.col("gender") == "f") & (pl.col("age") < 30))["user_id"]
    return chosen.gather_every(int(1 / share))


def test_those_with_the_seeds_features_come_first_and_neither_fans_nor_seeds_are_ranked():
    users = people()
    seeds = young_women(users, share=0.25)
    found = like(seeds, users)
    ranked = found.people.join(users, on="user_id")
    meant = ranked.filter((pl.col("gender") == "f") & (pl.col("age") < 30))
    top = ranked.filter(pl.col("rank") <= meant.height)
    assert top.join(meant, on="user_id", how="semi").height > 0.85 * meant.height
    assert not ranked["is_fan"].any()
    assert not ranked["user_id"].is_in(seeds.implode()).any()
    assert found.people["rank"].to_list() == list(range(1, found.people.height + 1))
    assert found.people["likeness"].is_sorted(descending=True)
    assert found.people["worth_cny"].max() == pytest.approx(0.2), (
        "where a person is worth most: the live room"
    )


def test_likeness_is_how_much_commoner_a_person_is_among_the_seeds():
    users = people()
    women = users.filter(pl.col("gender") == "f")["user_id"].gather_every(3)
    ranked = like(women, users).people.join(users, on="user_id")
    mean = ranked.group_by("gender").agg(pl.col("likeness").mean()).sort("gender")["likeness"].to_list()
    assert mean[0] == pytest.approx(2.0, rel=0.1), "every seed is a woman, every second person is"
    assert mean[1] < 0.1


def test_the_result_says_how_it_agrees_with_the_value_model():
    users = people()
    women = users.filter(pl.col("gender") == "f")["user_id"].gather_every(3)
    men = users.filter(pl.col("gender") == "m")["user_id"].gather_every(3)
    for seeds, sign in ((women, 1), (men, -1)):
        found = like(seeds, users)
        assert found.told_apart > 0.7
        assert sign * found.agreement > 0.6
        left = users.join(found.people, on="user_id", how="semi")["gender"].value_counts()
        women_left, men_left = (left.filter(pl.col("gender") == g)["count"][0] for g in "fm")
        best = 0.1 * 10 * (women_left + men_left) / (10 * women_left + men_left)
        assert found.captured_best == pytest.approx(best, rel=0.01), "a tenth of women"
        assert found.captured == pytest.approx(best if sign > 0 else best / 10, rel=0.05)
    assert "the value model finds more" in str(like(men, users))
    said = str(like([*women.to_list(), "nobody", "nobody"], users))
    assert re.search(r"to 1,0\d\d seeds \(1 seeds are not among the people\)", said)


def test_seeds_like_everybody_rank_nobody_first():
    users = people()
    found = like(users["user_id"].sample(600, seed=1), users)
    assert found.told_apart == pytest.approx(0.5, abs=0.05)
    assert found.people["likeness"].max() < 1.5


def test_seeds_come_as_ids_or_as_any_frame():
    users = people()
    seeds = young_women(users)
    first = like(seeds, users).people
    for same in (seeds.to_list(), seeds.to_frame(), seeds.to_frame().to_pandas()):
        assert like(same, users).people.equals(first)


@pytest.mark.parametrize(
    ("seeds", "said"),
    [
        ([], "seed_users: has no id"),
        (pl.DataFrame({"id": ["u00001"]}), "column user_id is missing among id"),
        (["u00001", "x"], r"1 of 2 seeds are among the 6000 people .* expected 30 or more"),
        (people()["user_id"], "nobody is left to rank"),
    ],
)
def test_what_cannot_be_ranked_is_one_line(seeds, said):
    with pytest.raises(DataError, match=said) as refused:
        like(seeds)
    assert "\n" not in str(refused.value)


def test_an_audience_ranks_by_its_buyers_and_one_read_from_files_says_what_it_lacks():
    world = tg.simulate("jewellery", users=3000, seed=3)
    data = {"users": world.users, "exposures": world.exposures, "orders": world.orders}
    planner = tg.Planner.fit(data, campaign=world.campaign, n_draws=20, min_audience=200, threads=1)
    audience = planner.audience(world.users_now)
    found = audience.lookalike(world.orders["user_id"])
    assert found.people.height + found.seeds >= audience.segments.height
    assert found.agreement > 0.2, "who buys looks like who is worth most"
    assert found.captured > 0.15
    plan = planner.plan(world.campaign, audience)
    with pytest.raises(DataError, match="holds scores but no features"):
        tg.plan_from_files(plan.files()).audience.lookalike(["u1"])
