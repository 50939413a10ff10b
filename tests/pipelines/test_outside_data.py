"""Data as an outside team hands them in: GBK, Chinese headers, 厘, 0 and 1 for truth, columns left out."""

import json
from pathlib import Path

import polars as pl
import pytest
import yaml

HEADERS = {
    "users": {"user_id": "用户ID", "snapshot_at": "快照时间", "is_fan": "是否粉丝", "gender": "性别"},
    "exposures": {
        "exposure_id": "曝光ID",
        "user_id": "用户ID",
        "campaign_id": "计划ID",
        "placement": "投放位置",
        "exposed_at": "曝光时间",
        "impressions": "曝光数",
        "cost_cny": "花费(厘)",
        "followed": "是否关注",
        "randomized": "是否随机",
    },
    "orders": {
        "order_id": "订单号",
        "user_id": "用户ID",
        "ordered_at": "下单时间",
        "gmv_cny": "支付金额",
        "refund_cny": "退款金额",
    },
}
PLACEMENTS = {"video": "短视频", "live": "直播间", "none": "对照组"}


@pytest.fixture
def outside(data_dir, tmp_path):
    """The small world as such a team would write it, without any column that may be missing."""
    folder = tmp_path / "外部 数据"
    folder.mkdir()
    for name, headers in HEADERS.items():
        table = pl.read_parquet(data_dir / f"{name}.parquet")
        if name == "exposures":
            table = table.select(list(headers)).with_columns(
                pl.col("cost_cny") * 1000, pl.col("placement").replace(PLACEMENTS)
            )
        if name == "orders":
            table = table.select(list(headers))
        table = table.with_columns(pl.col(pl.Boolean).cast(pl.Int8)).rename(headers)
        (folder / f"{name}.csv").write_bytes(table.write_csv().encode("gbk"))
    brief = yaml.safe_load((data_dir / "campaign.yaml").read_text())
    (folder / "brief.yaml").write_text(yaml.safe_dump(brief))
    return folder


def test_outside_data_go_through_check_and_run(cli, outside, data_dir, tmp_path):
    code, out, err = cli("check", outside, "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert any("no column entered_live, followed_at, propensity" in line for line in told["warnings"])
    cost = pl.read_parquet(data_dir / "exposures.parquet").filter(placement="live")["cost_cny"].sum()
    assert told["facts"]["placements"]["live"]["cost_cny"] == pytest.approx(cost, abs=0.01)

    (tmp_path / "run.yaml").write_text("train: {min_audience: 100, draws: 20, threads: 1}\n")
    options = ("--campaign", outside / "brief.yaml", "--out", "计划 一", "--config", tmp_path / "run.yaml")
    code, out, err = cli("run", "--data", outside, *options, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["spend_cny"] > 0
    scores = pl.read_parquet(Path("计划 一") / "scores.parquet")
    users = pl.read_parquet(data_dir / "users.parquet")
    assert scores.height == 2 * users.height
    segments = pl.read_parquet(Path("计划 一") / "segments.parquet")
    assert segments["user_id"].is_unique().all()
    assert set(segments["user_id"]) == set(scores.filter("eligible")["user_id"])
