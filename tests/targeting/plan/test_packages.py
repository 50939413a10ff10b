"""Lists of people from a plan; on a plan made by hand for scored people."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import scored_people

import targeting as tg
from models.errors import CampaignError, DataError
from models.supply.curves import CurveSet
from targeting.audience import Audience
from targeting.campaign import parse_campaign
from targeting.decision.decide import decide
from targeting.decision.verbs import plan_from_files
from targeting.market import Learned, market_of
from targeting.plan.person_offers import OFFER_COLUMNS
from targeting.plan.provenance import Provenance
from targeting.segments import form_segments

BRIEF = {"campaign_id": "c", "budget_cny": 150, "placements": ["video", "live"]}
EVIDENCE = 0.8


def made(**changed):
    """A plan for 2,400 people: log curves by segment, follow rates at 0.8 of the scores."""
    users, scores = scored_people.people(3000, seed=4)
    segmentation = form_segments(scores, users, rules=False)
    cells = segmentation.cells
    n = cells["users"].cast(pl.Float64).to_numpy()
    video = (cells["placement"] == "video").to_numpy()
    learned = Learned(
        cells=cells.select("segment", "placement", "fan_kind"),
        supply=CurveSet.of("log", top=2.0 * n, scale_cny=np.where(video, 0.06, 0.2) * n),
        users=n,
        hazard=EVIDENCE * cells["p_follow"].to_numpy(),
        entry=cells["p_enter"].fill_null(0.0).to_numpy(),
        gmv_per_fan_cny=cells["gmv_per_fan_cny"].to_numpy(),
        observed_max_cny=np.full(len(n), np.inf),
    )
    brief = parse_campaign({**BRIEF, **changed})
    return decide(
        campaign=brief,
        market=market_of(learned, campaign=brief),
        provenance=Provenance(claims={"kind": "observational", "why": "made by hand"}),
        audience=Audience(
            scores=scores,
            segments=segmentation.assignment,
            summary=segmentation.summary,
            segmentation=segmentation,
        ),
    )


@pytest.fixture(scope="module")
def plan():
    return made()


@pytest.fixture(scope="module")
def packages(plan):
    return plan.packages()


def test_whole_segments_by_their_people_are_worth_what_the_plan_says(plan, packages):
    assert packages.segments_value == pytest.approx(plan.value, rel=5e-3)


def test_choosing_people_brings_more_with_the_same_money_and_little_more(plan, packages):
    assert 0.0 < packages.gain < 0.2
    assert packages.value <= packages.upper_bound
    assert packages.gap <= 0.01
    assert packages.spend_cny <= plan.spend_cny * (1 + 1e-12)


def test_each_placement_keeps_its_money(plan, packages):
    planned = dict(plan.allocation.group_by("placement").agg(pl.col("spend_cny").sum()).iter_rows())
    spent = dict(packages.chosen.group_by("placement").agg(pl.col("cost_cny").sum()).iter_rows())
    for placement, money in planned.items():
        assert spent.get(placement, 0.0) <= money * (1 + 1e-9)


def test_offers_follow_the_formula(plan):
    offers = plan.offers(intensities=[1.0, 2.0])
    assert tuple(offers.columns) == OFFER_COLUMNS
    funded = plan.allocation.filter((pl.col("placement") == "live") & (pl.col("spend_cny") > 0))["segment"][0]
    twice = offers.filter((pl.col("placement") == "live") & (pl.col("package") == "x2"))
    row = twice.filter(pl.col("segment") == funded).row(5, named=True)
    cell = plan.market.cells.with_row_index("at").filter(
        (pl.col("segment") == row["segment"]) & (pl.col("placement") == "live")
    )["at"][0]
    per_person = plan.solution.spend_cny[cell] / plan.market.users[cell]
    score = plan.audience.scores.filter(
        (pl.col("user_id") == row["user_id"]) & (pl.col("placement") == "live")
    ).row(0, named=True)
    shown = 2.0 * np.log1p(2 * per_person / 0.2)
    fans = -np.expm1(-shown * EVIDENCE * score["p_follow"])
    assert row["cost_cny"] == pytest.approx(2 * per_person)
    assert row["impressions"] == pytest.approx(shown)
    assert row["new_fans"] == pytest.approx(fans)
    assert row["worth"] == pytest.approx(fans * score["gmv_per_fan_cny"])
    assert row["live_entries"] == pytest.approx(0.2 * shown)


def test_the_lists_hold_eligible_people_of_the_plans_segments_once_per_placement(plan, packages):
    chosen = packages.chosen
    assert not chosen.select("user_id", "placement").is_duplicated().any()
    assert chosen.join(plan.audience.segments, on=["user_id", "segment"], how="anti").is_empty()
    assert sum(part.height for part in packages.people.values()) == chosen.height
    assert {key[0] for key in packages.people} <= {"video", "live"}
    assert "whole segments" in str(packages)


@pytest.mark.slow
def test_exclusive_packages_share_nobody(plan, packages):
    alone = plan.packages(exclusive=True)
    assert not alone.chosen["user_id"].is_duplicated().any()
    assert alone.value <= packages.upper_bound
    assert alone.value == pytest.approx(alone.chosen["worth"].sum(), rel=1e-9)


def test_the_offers_can_be_assigned_by_hand(plan):
    found = tg.assign(plan.offers(intensities=[1.0]), budget_cny=plan.spend_cny)
    # The costs of one intensity are one per segment: what is left of the money fits few people.
    assert found.gap <= 1e-3
    assert found.value > 0


def test_a_room_of_the_brief_stays_closed_to_more():
    room = 15.0
    plan = made(constraints=[{"kind": "live_capacity", "viewers": room}])
    packages = plan.packages()
    live = packages.chosen.filter(pl.col("placement") == "live")
    assert 0.2 * live["impressions"].sum() <= room * (1 + 1e-9)
    assert "live_capacity-1" in packages.limits["name"].to_list()


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["new_fans", "live_entries", "profit"])
def test_people_are_chosen_for_what_the_brief_counts(objective):
    plan = made(objective=objective, economics={"gross_margin": 0.5, "fee_rate": 0.05}, budget_cny=60)
    packages = plan.packages()
    assert packages.segments_value == pytest.approx(plan.value, rel=2e-2)
    assert packages.value >= packages.segments_value * (1 - 1e-6)


def test_a_saved_plan_can_still_name_people(plan, packages):
    again = plan_from_files(plan.files(html=False)).packages()
    assert again.value == pytest.approx(packages.value, rel=1e-3)


def test_a_plan_without_people_says_so(plan):
    with pytest.raises(DataError, match="packages: this plan knows no people"):
        replace(plan, audience=None).packages()


def test_people_are_chosen_for_one_slot():
    with pytest.raises(CampaignError, match="packages: the plan has 2 slots, people are chosen for one"):
        made(slots={"count": 2}).packages()


@pytest.mark.parametrize("intensities", [[], [0.0], [float("nan")], [-1.0]])
def test_an_intensity_is_a_positive_multiple(plan, intensities):
    with pytest.raises(CampaignError, match="expected finite numbers > 0"):
        plan.offers(intensities=intensities)


def test_the_lists_write_themselves_and_say_what_is_in_which(packages, tmp_path):
    index = packages.write(tmp_path / "lists")
    assert pl.read_csv(tmp_path / "lists/packages.csv")["people"].to_list() == index["people"].to_list()
    for (placement, package), people in packages.people.items():
        [name] = index.filter(placement=placement, package=package)["file"]
        back = pl.read_csv(tmp_path / "lists" / name, schema_overrides={"user_id": pl.String})
        assert back["user_id"].to_list() == people["user_id"].to_list()
    assert {path.name for path in (tmp_path / "lists").iterdir()} == {*index["file"], "packages.csv"}
    assert index["cost_cny"].sum() == pytest.approx(packages.spend_cny, abs=0.01)


def test_a_plan_shows_its_tables_whole(plan):
    wide = plan.compare(plan)
    assert "…" not in str(wide) + str(plan.allocation) + wide._repr_html_()
    for name in (*wide.columns, *wide["segment"]):
        assert name in str(wide)
