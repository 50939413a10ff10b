from datetime import datetime
from importlib import resources

import pytest
import yaml
from pydantic import ValidationError

from models.errors import CampaignError
from pipelines.config import job_settings as config
from pipelines.config.briefs import read_brief


def test_every_yaml_in_configs_is_a_job_and_loads():
    files = sorted(
        f.name.removesuffix(".yaml") for f in resources.files("configs").iterdir() if f.name.endswith(".yaml")
    )
    assert files == sorted(config.JOBS)
    for job, kind in config.JOBS.items():
        settings = config.load(kind)
        assert isinstance(settings, kind)
        assert set(config.defaults(job)) == set(kind.model_fields), "the file names every key"


def test_run_is_composed_of_its_parts():
    run = config.load(config.RunSettings)
    assert run.train == config.load(config.TrainSettings)
    assert run.plan == config.load(config.PlanSettings)


def test_a_file_overrides_and_flags_override_the_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("seed: 11\nas_of: 2020-11-01T00:00:00\nplacements: [a, b]\n")
    settings = config.load(config.TrainSettings, path, seed=13, threads=None)
    assert settings.seed == 13
    assert settings.as_of == datetime(2020, 11, 1)
    assert settings.placements == ("a", "b")
    assert settings.threads == config.load(config.TrainSettings).threads


def test_a_block_of_run_overrides_only_its_keys(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("train: {seed: 3}\n")
    run = config.load(config.RunSettings, path)
    assert run.train.seed == 3
    assert run.train.draws == 200


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("horizon_dayz: 3", 'mine.yaml: horizon_dayz: unknown key; did you mean "horizon_days"?'),
        ("seed: seven", "mine.yaml: seed: expected a whole number, got 'seven'"),
        ("threads: 0", "mine.yaml: threads: expected a number >= 1, got 0"),
        ("- a", "mine.yaml: expected `key: value` lines, found a list"),
        ("", "mine.yaml: is empty"),
        ("a: [", "mine.yaml: is not valid YAML"),
        (None, "mine.yaml: cannot be read"),
    ],
)
def test_a_wrong_file_is_one_line_naming_the_key(tmp_path, text, expected):
    path = tmp_path / "mine.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(CampaignError) as caught:
        config.load(config.TrainSettings, path)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_are_frozen():
    with pytest.raises(ValidationError):
        config.load(config.PlanSettings).seed = 1


def test_the_comment_of_every_key_stays_in_the_file():
    text = resources.files("configs").joinpath("train.yaml").read_text()
    assert yaml.safe_load(text)["model_name"] == "new-fan-gmv"
    assert "champion" in text


def test_a_key_that_stands_twice_is_refused(tmp_path):
    path = tmp_path / "brief.yaml"
    path.write_text("campaign_id: c\nbudget_cny: 100\neconomics: {fee_rate: 0.1}\nbudget_cny: 300\n")
    with pytest.raises(CampaignError, match=r"brief.yaml: .*the key 'budget_cny' stands twice.*line 4"):
        config.read_yaml(path)


def test_numbers_may_be_written_with_an_exponent(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text("gap_tol: 1e-4\n")
    assert config.load(config.PlanSettings, path).gap_tol == 1e-4


BRIEF = "campaign_id: c\nbudget_cny: {}\n"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0.5万", 5000.0),
        ("5e3", 5000.0),
        ("5_000", 5000.0),
        ("5,000", 5000.0),
        ("'5000'", 5000.0),
        ("010", 10.0),
    ],
)
def test_a_number_of_a_brief_is_read_as_in_a_table(tmp_path, written, meant):
    path = tmp_path / "brief.yaml"
    path.write_text(BRIEF.format(written), encoding="utf-8")
    assert read_brief(path).campaign.budget_cny == meant


@pytest.mark.parametrize("written", ["1:30:00", "0x10", "1,5", "yes", "100 usd", "0,500"])
def test_what_may_be_no_number_is_refused_with_the_cell(tmp_path, written):
    path = tmp_path / "brief.yaml"
    path.write_text(BRIEF.format(written))
    with pytest.raises(CampaignError, match=f"budget_cny: expected a number, got '{written}'"):
        read_brief(path)


def test_shares_and_counts_of_a_brief(tmp_path):
    path = tmp_path / "brief.yaml"
    path.write_text(
        BRIEF.format("1万") + "economics: {gross_margin: 45%}\nmerchant: {merchant_id: no, fans: 320万}\n"
        "constraints: [{kind: bounds, placement: 直播间, min_share: 25%}]\ntrial_cny: 1,000\n",
        encoding="utf-8",
    )
    campaign = read_brief(path).campaign
    assert campaign.economics.gross_margin == 0.45
    assert (campaign.merchant.merchant_id, campaign.merchant.fans) == ("no", 3_200_000)
    assert campaign.constraints[0].min_share == 0.25
    assert campaign.limits[-1].max_cny == 1000.0


def test_a_last_plan_in_chinese(tmp_path):
    last, path = tmp_path / "last.csv", tmp_path / "brief.yaml"
    last.write_text("人群,投放位置,花费(万元)\nA,短视频,0.5\nA,直播间,1\n", encoding="utf-8")
    path.write_text(BRIEF.format(1000) + "last_plan: last.csv\n")
    assert read_brief(path).last_plan.rows() == [("A", "video", 5000.0), ("A", "live", 10_000.0)]
    last.write_text("segment,placement,slot,spend_cny,spend_li,reason\nA,video,0,5,5000,x\n")
    assert read_brief(path).last_plan.rows() == [("A", "video", 0, 5.0)]
    last.write_text("人群,投放位置,花费\nA,短视频,viel\n", encoding="utf-8")
    with pytest.raises(CampaignError, match=r"last_plan: .*spend_cny: expected .*which holds 'viel'"):
        read_brief(path)
