"""YAML that nobody writes in good faith: one line each, soon."""

import time

import pytest

from models.errors import CampaignError
from pipelines.config.job_settings import TrainSettings, load
from pipelines.config.yaml_file import MOST_BYTES, read_yaml
from targeting.campaign import parse_campaign


def bomb(first, rest):
    """Nine levels, each nine times the one before."""
    lines = [f"a: &a {first}"]
    for before, name in zip("abcdefghi", "bcdefghij", strict=False):
        lines.append(f"{name}: &{name} {rest(','.join([f'*{before}'] * 9))}")
    return "\n".join(lines)


HOSTILE = {
    "aliases": bomb("[x, x, x, x, x, x, x, x, x]", lambda held: f"[{held}]"),
    "merges": bomb("{k: 1}", lambda held: f"{{<<: [{held}]}}"),
    "deep lists": "x: " + "[" * 300 + "]" * 300,
    "deep open lists": "x: " + "[" * 300_000,
    "deep maps": "x: " + "{a: " * 300 + "}" * 300,
    "inside itself": "x: &a [*a]",
    "tagged word": "days: !!int abc",
    "tagged hex": "days: !!int 0x_",
    "tagged bool": "days: !!bool abc",
    "tagged time": "starts_at: !!timestamp abc",
    "python": "days: !!python/object/apply:os.system [id]",
    "hex": "days: 0x_",
    "digits": "budget_cny: " + "9" * 5000,
    "quoted digits": f"days: '{'9' * 5000}'",
    "infinite days": "days: '1e400'",
    "45th": "starts_at: 2020-13-45",
    "30 February": "starts_at: 2020-02-30T10:00:00",
    "offset": "starts_at: 2020-01-01T00:00:00+99:99",
    "before all time": "starts_at: '0001-01-01T00:00:00+14:00'",
    "after all time": "starts_at: 9999-12-31T23:59:59-12:00",
    "escape": 'last_plan: "\\x1b[2J"',
    "half a pair": 'last_plan: "\\ud800"',
    "nul": 'last_plan: "a\\0b"',
    "long name": f"constraints: [{{kind: max_active, n: 1, name: {'x' * 10_000}}}]",
    "large": "# " + "x" * MOST_BYTES,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_yaml_is_refused_in_one_line_and_soon(tmp_path, text):
    path = tmp_path / "brief.yaml"
    path.write_text(f"campaign_id: c\n{text}\n", encoding="utf-8")
    started = time.perf_counter()
    with pytest.raises(CampaignError) as error:
        parse_campaign({"budget_cny": 1, **read_yaml(path)}, str(path))
    assert time.perf_counter() - started < 5
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
    assert len(str(error.value)) < 1000


def test_aliases_in_measure_are_read(tmp_path):
    path = tmp_path / "brief.yaml"
    path.write_text("cap: &cap {max_share: 0.5, kind: bounds}\nall: [{<<: *cap, segment: A}, *cap]\n")
    assert read_yaml(path)["all"][0] == {"max_share": 0.5, "kind": "bounds", "segment": "A"}


@pytest.mark.parametrize("name", ["a/b", "a:b", "x" * 10_000, "../x", "名@x"])
def test_names_that_the_registry_refuses_are_refused_before_the_training(tmp_path, name):
    path = tmp_path / "train.yaml"
    path.write_text(f"model_name: '{name}'\n", encoding="utf-8")
    with pytest.raises(CampaignError, match="model_name: expected"):
        load(TrainSettings, path)


def test_other_names_stay(tmp_path):
    path = tmp_path / "train.yaml"
    path.write_text("model_name: 新粉.v2 shop_1\n", encoding="utf-8")
    assert load(TrainSettings, path).model_name == "新粉.v2 shop_1"
