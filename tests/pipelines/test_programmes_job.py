"""`targeting plan` with support programmes: in the plan, in the report, and done again by a replay."""

import json

import polars as pl
import pytest
import yaml

from models.errors import CampaignError
from pipelines.jobs.plan import Source, run_plan
from pipelines.jobs.replay import run_replay
from pipelines.store import write_table


@pytest.fixture
def desk(own_folder, store):
    """A console's report and a brief with facts, and the plan from them under some settings."""
    rows = [
        {
            "date": f"2020-11-{day:02d}",
            "segment": segment,
            "placement": placement,
            "cost_cny": 100.0 + 40 * (day % 4),
            "impressions": 1600 + 200 * (day % 4),
            "new_fans": 8 * worth + day % 4,
            "gmv_cny": 700.0 * worth + 10 * day,
        }
        for day in range(1, 11)
        for segment, worth in (("mothers", 2), ("students", 1))
        for placement in ("video", "live")
    ]
    write_table(pl.DataFrame(rows), own_folder / "history.csv")
    merchant = {
        "merchant_id": "m1", "opened_on": "2020-10-01", "month_gmv_cny": 999_500.0, "fans": 3000,
        "stars": 4.7, "violations": 0,
        "facts": {"cash_awarded_cny": 100, "challenge_impressions": 500, "september_gmv_cny": 60000},
    }  # fmt: skip
    brief = {
        "campaign_id": "c1", "budget_cny": 400, "starts_at": "2020-11-11", "objective": "profit",
        "economics": {"gross_margin": 0.5, "fee_rate": 0.05}, "merchant": merchant,
    }  # fmt: skip
    (own_folder / "brief.yaml").write_text(yaml.safe_dump(brief))

    def plan(settings, out="plan"):
        (own_folder / "plan.yaml").write_text(yaml.safe_dump(settings))
        return run_plan(
            campaign=own_folder / "brief.yaml",
            source=Source(delivery=own_folder / "history.csv"),
            out=own_folder / out,
            config=own_folder / "plan.yaml",
            tracking_uri=store,
        )

    return plan


def test_support_is_in_the_plan_and_in_the_report_and_replays(desk, own_folder, store):
    plain = desk({}, out="plain")
    result = desk({"programmes": "packaged"})
    assert (plain.budget_cny, result.budget_cny) == (400, 500)
    said = json.loads((own_folder / "plan/plan.json").read_text())
    assert said["campaign"]["economics"]["fee_rate"] == 0.01
    assert said["campaign"]["grants"][0]["impressions"] == 500
    told = {line.split(":")[0]: line for line in said["programmes"]}
    assert "granted (fee 1.00%)" in told["技术服务费 1%"]
    assert "opened_on 2020-10-01 is within" in told["技术服务费 1%"]
    assert "yuan of profit here" in told["技术服务费 1%"]
    assert "100.00 yuan to the budget" in told["现金补贴"]
    assert "500 impressions in live" in told["产地好主播挑战赛"]
    assert "month_sales or month_orders is not known" in told["新商家训练营"]
    assert "500 missing, chance" in told["百万榜"]
    report = (own_folder / "plan/report.html").read_text()
    assert "Support from the platform" in report
    assert "产地好主播挑战赛" in report
    assert "Support from the platform" not in (own_folder / "plain/report.html").read_text()
    assert result.expected["profit_cny"]["value"] > plain.expected["profit_cny"]["value"]
    again = run_replay(run_id=result.run_id, out=own_folder / "again", tracking_uri=store)
    assert again.plan.budget_cny == 500


def test_rules_of_ones_own_are_read_from_a_file(desk, own_folder):
    own = {
        "programmes": [
            {
                "name": "mine",
                "title": "Mine",
                "when": {"fact": "fans", "at_least": 3000},
                "gives": {"cash_cny": 7},
            }
        ],
        "boards": [],
    }
    (own_folder / "mine.yaml").write_text(yaml.safe_dump(own))
    result = desk({"programmes": str(own_folder / "mine.yaml")})
    assert result.budget_cny == 407
    (own_folder / "mine.yaml").write_text(yaml.safe_dump({"programmes": [{"name": "x"}]}))
    with pytest.raises(CampaignError, match=r"mine\.yaml"):
        desk({"programmes": str(own_folder / "mine.yaml")}, out="other")
