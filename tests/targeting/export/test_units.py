"""Plan -> units: minimums, whole yuan, where the money is, when a unit runs, what to bid."""

from dataclasses import replace

import jewellery_shop
import polars as pl
import pytest

from models.contracts.unit_names import cells_of_units, places, spelled_out, unit_name
from targeting.export.console_terms import console_terms
from targeting.export.export_rules import ExportRules, Guarantee, Minimums, PackRules
from targeting.export.schedule import HALVES_A_WEEK, schedule_of
from targeting.export.sheets import grouped
from targeting.export.units import launch_of

RULES = ExportRules(
    minimums=Minimums(campaign_day_cny=500.0, unit_day_cny=100.0),
    guarantee=Guarantee(over_target=1.2, least_conversions=10, most_edits=2, window_days=3),
    packs=PackRules(code="plain", least_people=1, chunk_people=10),
    refund_share=0.4,
    planned_edits=0,
)


def with_minimum(yuan):
    return replace(RULES, minimums=Minimums(campaign_day_cny=500.0, unit_day_cny=yuan))


@pytest.fixture(scope="module")
def plan():
    return jewellery_shop.plan()


def test_every_yuan_of_the_plan_is_launched_dropped_or_rounded_away(plan):
    launch = launch_of(plan, RULES)
    assert launch.planned_cny == plan.spend_cny
    assert launch.launched_cny + launch.dropped_cny + launch.rounded_cny == pytest.approx(plan.spend_cny)
    assert 0 <= launch.rounded_cny < len(launch.units)
    spend = {(s, p): x for s, p, x in plan.allocation.select("segment", "placement", "spend_cny").iter_rows()}
    for unit in launch.units:
        assert unit.daily_cny <= unit.spend_cny == spend[unit.segment, unit.placement]
        assert unit.daily_cny >= 100
    funded = plan.allocation.filter(pl.col("spend_li") > 0).height
    assert len(launch.units) + len(launch.dropped) == funded


def test_what_is_below_the_units_minimum_is_dropped_and_told(plan):
    spends = sorted(plan.allocation.filter(pl.col("spend_li") > 0)["spend_cny"])
    launch = launch_of(plan, with_minimum(spends[1]))  # rounding down puts that one below itself
    assert [one.spend_cny for one in launch.dropped] == pytest.approx(spends[:2], abs=1e-3) or len(
        launch.dropped
    ) == 2
    assert launch.dropped_cny == pytest.approx(sum(spends[:2]), abs=1e-3)
    assert "set min_ticket_cny" in launch.dropped[0].why


def test_a_level_with_an_and_of_its_own_is_one_condition():
    found = console_terms("favourite = toys and games and gender = f")
    assert (found.gender, found.lists_only) == ("f", ("favourite = toys and games",))


def test_a_campaigns_ceiling_is_its_units_or_the_platforms_minimum(plan):
    launch = launch_of(plan, RULES)
    for name, ceiling in launch.campaigns.items():
        assert ceiling == max(500, sum(u.daily_cny for u in launch.units if u.campaign == name))
    small = launch_of(jewellery_shop.plan(jewellery_shop.campaign(budget_cny=300, constraints=[])), RULES)
    assert set(small.campaigns.values()) == {500}


def test_small_slots_are_merged_with_their_neighbours_until_they_can_be_launched():
    brief = jewellery_shop.campaign(slots={"count": 24}, constraints=[], budget_cny=6_000)
    plan = jewellery_shop.plan(brief)
    launch = launch_of(plan, RULES)
    assert max(len(unit.slots) for unit in launch.units) > 1
    assert min(unit.daily_cny for unit in launch.units) >= 100
    named = [(unit.segment, unit.placement, slot) for unit in launch.units for slot in unit.slots]
    assert len(set(named)) == len(named)
    money = launch.launched_cny + launch.dropped_cny + launch.rounded_cny
    assert money == pytest.approx(plan.spend_cny, abs=1e-3)
    assert len({unit.name for unit in launch.units}) == len(launch.units)


@pytest.mark.parametrize(
    ("start", "days", "count", "slots", "bits", "dates"),
    [
        ("2020-11-11", 1, 1, [0], {*range(168)}, (11, 11, 1)),
        ("2020-11-11", 3, 1, [0], {*range(168)}, (11, 13, 3)),
        # Wednesday is day 2 of the week: its hours are 48-71.
        ("2020-11-11", 1, 24, [18, 19], {66, 67}, (11, 11, 1)),
        ("2020-11-11T20:00:00", 1, 1, [0], {*range(68, 92)}, (11, 12, 2)),
        ("2020-11-15T20:00:00", 1, 1, [0], {*range(164, 168), *range(20)}, (15, 16, 2)),
        ("2020-11-11", 7, 7, [0, 6], {*range(48, 72), *range(24, 48)}, (11, 17, 2)),
        (None, 1, 24, [18], {18 + 24 * day for day in range(7)}, (None, None, 1)),
        (None, 5, 1, [0], {*range(168)}, (None, None, 5)),
    ],
)  # fmt: skip
def test_when_a_unit_runs(start, days, count, slots, bits, dates):
    brief = jewellery_shop.campaign(starts_at=start, days=days, slots={"count": count}, constraints=[])
    found = schedule_of(brief, slots)
    assert {hour for hour, bit in enumerate(found.bits(24)) if bit == "1"} == bits
    assert len(found.bits(24)) == 168
    assert len(found.bits(48)) == HALVES_A_WEEK
    first, last = (day and day.day for day in (found.first, found.last))
    assert (first, last, len(found.days)) == dates


def test_half_hours_are_bits_at_ocean_engine_and_whole_hours_at_kuaishou():
    found = schedule_of(jewellery_shop.campaign(slots={"count": 48}, constraints=[]), [1])
    assert found.bits(24).count("1") == 1
    assert found.bits(48).index("1") == 2 * 48 + 1
    assert found.words() == "周三 00:30-01:00"
    assert grouped(found.bits(24)).count("-") == 6


def test_the_next_fan_may_cost_its_gmv_over_that_of_the_next_yuan(plan):
    launch = launch_of(plan, RULES)
    cells = {row["segment"] + row["placement"]: row for row in plan.allocation.iter_rows(named=True)}
    for unit in launch.units:
        cell = cells[unit.segment + unit.placement]
        each = cell["new_fan_gmv_cny"] / cell["new_fans"]
        marginal = each / cell["marginal_gmv_per_cny"]
        assert unit.bid.fan_cny == pytest.approx(max(marginal, cell["spend_cny"] / cell["new_fans"]))
        # Consoles count GMV before the 40 % that come back.
        assert unit.bid.roi == pytest.approx(cell["marginal_gmv_per_cny"] / 0.6)
        assert unit.bid.break_even_roi == pytest.approx(1 / (0.4 * 0.6))
        assert unit.bid.break_even_fan_cny == pytest.approx(0.4 * each)


@pytest.mark.parametrize(
    ("rule", "gender", "ages", "interests", "lists"),
    [
        ("everyone", "", None, (), ()),
        ("gender = f", "f", None, (), ()),
        ("gender = m and age_band = 18-23", "m", (18, 23), (), ()),
        ("age_band = 25-34 or 35-44 and interest_jewellery >= 0.6", "", (25, 44), ("jewellery",), ()),
        ("age_band = 50+ and interest_food < 0.2", "", (50, 100), (), ("interest_food < 0.2",)),
        ("age_band = 18-24 or 41-50", "", None, (), ("age_band = 18-24 or 41-50",)),
        ("age_band = 18-24 or 50+", "", None, (), ("age_band = 18-24 or 50+",)),
        ("age_band = 41-50 or 24-30 or 31-40", "", (24, 50), (), ()),
        ("age_band = old and live_min_30d >= 53", "", None, (), ("age_band = old", "live_min_30d >= 53")),
        (None, "", None, (), ()),
    ],
)
def test_a_rule_becomes_what_a_form_takes_and_the_rest_needs_a_list(rule, gender, ages, interests, lists):
    terms = console_terms(rule)
    assert (terms.gender, terms.ages, terms.interests, terms.lists_only) == (gender, ages, interests, lists)


@pytest.mark.parametrize(
    ("campaign", "segment"),
    [
        ("c1", "precise · top"),
        ("a|b", "50% off|x"),
        ("c1", "精致妈妈" * 20),
        ("活动" * 40, "精致妈妈" * 20),
        ("c1", "%7C"),
    ],
)
def test_a_units_name_says_its_cell_and_fits_any_console(campaign, segment):
    name = unit_name(campaign, segment, "live", slots=(3, 17))
    assert places(name) <= 100
    cell = cells_of_units(pl.Series([name, "合计", None]))
    assert cell["placement"].to_list() == ["live", None, None]
    assert spelled_out(cell["segment"], ["other", segment])[0] == segment
    assert spelled_out(cell["campaign_id"], [campaign])[0] == campaign


def test_names_that_are_cut_alike_stay_apart():
    names = ["精致妈妈" * 20 + letter for letter in "甲乙"]
    assert len({unit_name("c", name, "live") for name in names}) == 2
