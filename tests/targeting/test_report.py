import re
from html.parser import HTMLParser

import jewellery_shop
import polars as pl
import pytest

import targeting as tg
from targeting.plan import questions
from targeting.plan.promise import Interval
from targeting.report import charts
from targeting.report.page import render
from targeting.report.sentences import count, price_sentences, range_of, share, yuan

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Balanced(HTMLParser):
    """Collects the text and complains about tags that do not close."""

    def __init__(self):
        super().__init__()
        self.open, self.text = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)


@pytest.fixture(scope="module")
def page():
    return render(jewellery_shop.plan())


def words(page: str) -> str:
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    return re.sub(r"\s+", " ", " ".join(parser.text))


def test_the_page_needs_nothing_from_outside(page):
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!#)[^"]+"', page)
    assert not re.findall(r"url\((?!#)", page)
    assert "@import" not in page
    assert page.count("<svg") == 5


def test_the_headline_is_one_sentence_with_money_interval_and_certificate(page):
    headline = re.search(r"<h1>(.*?)</h1>", page, re.S).group(1).replace("\u00a0", " ")
    assert re.match(
        r"Spend ¥20,000, expect [\d,]+ new fans and ¥[\d,]+ of new-fan GMV "
        r"\(80 % interval ¥[\d,]+ to ¥[\d,]+\); "
        r"no other split of this budget can do better on these curves",
        headline,
    )


def test_every_part_of_the_report_is_there(page):
    text = words(page)
    for part in (
        "80 % of the present fans are content fans.",
        "精准粉",
        "Where the money goes",
        "precise · likely",
        "live room 直播间",
        "cells get nothing",
        "its first yuan returns less than elsewhere",
        "What more money would buy",
        "Another budget",
        "more than the ROAS-proportional split with the same money",
        "Last plan",
        "Equal split",
        "The budget : another ¥1,000 of budget would bring ¥",
        "A spend limit “live-floor” : loosening it by 1 percentage point would bring ¥",
        "The effect is causal 因果: 12,408 of 310,220 shown rows were randomised",
        "Extrapolation 外推",
        "Break-even ROI 保本投产比",
        "Where nothing else is said, a row is",
        "so a campaign pays for itself at 2.50 yuan of GMV per yuan spent",
        "gender = f and age_band = 25-34",
        "12 input rows were set aside",
        "models:/new-fan-gmv/3",
        "9f2c11ab",
    ):
        assert part in text, part


def test_the_report_is_the_same_for_the_same_plan(page):
    assert render(jewellery_shop.plan()) == page


def test_names_from_the_brief_cannot_inject_markup():
    brief = jewellery_shop.campaign(campaign_id="<b>x</b>")
    page = render(jewellery_shop.plan(brief))
    assert "<b>x</b>" not in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page


def test_supplied_curves_promise_no_fans():
    curves = pl.DataFrame(
        {
            "segment": ["a", "a", "b", "b"],
            "placement": ["x"] * 4,
            "spend_cny": [0.0, 100, 0, 100],
            "value": [0.0, 50, 0, 90],
        }
    )
    text = words(tg.allocate(curves, budget_cny=120).to_html())
    assert "of value (no interval: the curves came without uncertainty)" in text
    assert "supplied from outside" in text
    assert "observational 观察性" in text
    assert "Every input row was usable." in text
    assert "New fans 涨粉" not in text, "a column of dashes tells nothing"


def test_where_gmv_is_unknown_the_charts_count_fans():
    hill = {"top": [9.0, 5.0], "half_spend_cny": [10.0, 10.0], "slope": [1.0, 1.0]}
    curves = pl.DataFrame({"segment": ["a", "b"], "placement": ["x", "x"], **hill})
    plan = tg.allocate(curves, budget_cny=12, objective="new_fans")
    text = words(plan.to_html())
    assert "Expected new fans (vertical)" in text
    assert re.search(r"Spend ¥12, expect [\d.]+ new fans \(no interval", text)


def test_a_plan_of_nothing_still_reads():
    brief = jewellery_shop.campaign(
        objective="profit", economics={"gross_margin": 0.06, "fee_rate": 0.05}, constraints=[]
    )
    plan = jewellery_shop.plan(brief)
    text = words(plan.to_html())
    assert plan.spend_cny < 1.0
    assert "Spend ¥0" in text


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (yuan(1_234_567.0), "¥1.23 million"),
        (yuan(-1234.0), "−¥1,234"),
        (yuan(None), "–"),
        (count(3.14), "3.1"),
        (count(None), "–"),
        (share(0.004), "0.4 %"),
        (range_of(Interval(5.0, 1.0, 9.5), "fans"), "80 % interval 1.0 to 9.5"),
    ],
)
def test_numbers_are_said_as_people_say_them(made, said):
    assert made == said


def test_a_frontier_that_fails_does_not_sink_the_report(monkeypatch, caplog):
    from models.errors import SolverError

    def fail(plan, budgets, **options):
        raise SolverError("allocation: no luck")

    monkeypatch.setattr(questions, "frontier", fail)
    text = words(jewellery_shop.plan().to_html())
    assert "Another budget" not in text
    assert "no frontier is shown" in caplog.text


def test_a_limit_in_yuan_that_a_smaller_budget_could_not_keep_does_not_sink_the_report():
    ticket = [{"kind": "min_if_used", "min_cny": 6_000}]
    text = words(jewellery_shop.plan(jewellery_shop.campaign(constraints=ticket)).to_html())
    assert "Another budget" in text, "five of the seven budgets can keep it"


@pytest.mark.parametrize(("budget", "step"), [(300, "¥10"), (9_000, "¥100"), (20_000, "¥1,000")])
def test_a_price_is_told_for_a_small_change_of_the_budget(budget, step):
    brief = jewellery_shop.campaign(budget_cny=budget, constraints=[])
    [(_, said)] = price_sentences(jewellery_shop.plan(brief))
    assert said.startswith(f"another {step} of budget")


def test_the_cheapest_plan_tells_what_a_lower_goal_would_save():
    goal = [{"kind": "target", "metric": "new_fans", "value": 500}]
    [(_, said)] = price_sentences(jewellery_shop.plan(jewellery_shop.campaign(constraints=goal)))
    assert re.fullmatch(r"loosening it by 1 fan would save ¥[\d.,]+", said)


@pytest.mark.parametrize(
    ("objective", "step", "least"),
    [("new_fan_gmv", "0.1", 3.8), ("new_fans", "0.01", 0.056), ("live_entries", "0.01", 0.42)],
)
def test_a_return_is_loosened_by_a_natural_step(objective, step, least):
    rules = [{"kind": "roi_floor", "name": "returns", "placement": "live", "min": least}]
    brief = jewellery_shop.campaign(objective=objective, constraints=rules)
    # entries: a gap of 2e-6 is reached at once and never closed
    plan = jewellery_shop.plan(brief, time_limit_s=2.0)
    said = dict(price_sentences(plan))
    [about] = [words for name, words in said.items() if "returns" in name]
    assert about.startswith(f"loosening it by {step} of the return would bring ")


def test_slots_are_named_among_the_cells_that_get_nothing():
    brief = jewellery_shop.campaign(days=2, slots={"count": 2}, budget_cny=50, constraints=[])
    text = words(jewellery_shop.plan(brief).to_html())
    idle = text.split("cells get nothing")[1]
    assert re.search(r", (video 短视频|live room 直播间) · slot [01]: ", idle)


def test_chinese_names_are_drawn_in_fonts_that_have_them():
    bars = pl.DataFrame({"label": ["新妈妈"], "value": [1.0], "is_plan": [True], "text": ["1"]})
    svg = charts.comparison(bars, axis="成交")
    drawn = re.findall(r'<text[^>]*?font-family="([^"]*)"[^>]*>([^<]*)</text>', svg)
    assert {"新妈妈", "成交"} <= {text for _, text in drawn}
    assert len(drawn) == svg.count("<text")
    for family, text in drawn:
        for font in ("PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC"):
            assert font in family, text
        assert family.endswith("sans-serif")


def test_names_have_room_for_the_widest_font_of_a_reader():
    label = "ROAS-proportional split 按产出比例"
    bars = pl.DataFrame({"label": [label], "value": [1.0], "is_plan": [True], "text": ["1"]})
    width = float(re.search(r"max-width:(\d+)px", charts.comparison(bars, axis="GMV")).group(1))
    assert width >= 520 + 24 * 7 + 5 * 11


def test_the_headline_speaks_of_what_the_brief_asked_for():
    entries = jewellery_shop.plan(jewellery_shop.campaign(objective="live_entries", constraints=[]))
    assert re.match(r"Spend ¥20,000, expect [\d,]+ live entries and ", str(entries))
    goal = [{"kind": "target", "metric": "new_fan_gmv", "value": 40_000}]
    cheapest = jewellery_shop.plan(jewellery_shop.campaign(constraints=goal))
    assert "no cheaper plan does what the brief asks" in str(cheapest)
