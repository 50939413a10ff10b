"""What a plan says on a terminal, in both languages: its verdict first, then one fact a line."""

from dataclasses import replace

from pipelines.jobs.planning import PlanResult
from pipelines.jobs.summary import plan_summary

FOUND = PlanResult(
    out="plan",
    report="plan/report.html",
    run_id="r1",
    status="optimal",
    objective="new_fan_gmv",
    value=900.0,
    upper_bound=900.0,
    gap=0.0,
    budget_cny=300.0,
    spend_cny=300.0,
    expected={"new_fans": {"value": 12.0, "low": 9.0, "high": 15.0}},
    realised={"new_fans": {"low": 5.0, "high": 20.0}},
    binding=["total", "live\x1b[2J"],
    shadow_prices={"total": 1.5},
    claims={"kind": "causal", "why": "randomised: live 60 rows with 7 follows, held out 80 rows"},
    model_uri=None,
    rejected={"orders": 2},
    seconds=0.1,
    verdict=("Spending ¥300 leaves ¥60.", "The last ¥100 bring 3 fans."),
)  # fmt: skip


def test_the_verdict_comes_before_the_facts():
    lines = plan_summary(FOUND).split("\n")
    assert lines[:2] == list(FOUND.verdict)
    assert lines[2] == "spend        300.00 of 300.00 CNY"
    assert lines[3] == "new fans     12  (80 %: 9 to 15)"
    assert "new fans 5 to 20 (4 campaigns of 5, luck included)" in lines[6]
    assert "\x1b" not in "".join(lines), "names from the brief command no terminal"


def test_the_facts_are_told_in_chinese_in_one_column():
    lines = plan_summary(replace(FOUND, language="zh", verdict=())).split("\n")
    assert lines[0] == "花费         300.00 元，预算 300.00 元"
    assert lines[1] == "涨粉数       12 个（80%：9 至 15）"
    assert "因果（随机：直播间 60 行、关注 7 次，对照组 80 行）" in lines[7]
    assert not [line for line in lines if line.startswith(("spend", "report", "claims"))]
