"""What the README shows works as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.cli import app

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=["planner", "allocate"])
def test_the_python_examples_run(block, tmp_path):
    done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "spend_cny" in done.stdout


def test_every_command_is_in_the_table():
    for command in app.registered_commands:
        name = command.name or command.callback.__name__
        assert f"| `targeting {name}" in README


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "CONTRIBUTING.md",
        "docs/architecture.md",
        "docs/bring-your-own-data.md",
        "docs/measured.md",
        "docs/measuring.md",
    ],
)
def test_links_lead_somewhere(page):
    path = ROOT / page
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{page} links to {target}"


def test_files_that_contributors_are_sent_to_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    folders = "models|targeting|pipelines|configs|tests|docs|benchmarks"
    named = set(re.findall(rf"`((?:{folders})/[\w./-]*)`", text))
    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_the_walks_lead_through_functions_that_are_there():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    hops = re.findall(r"`([\w/]+\.py)`: `(\w+)`", text)
    assert len(hops) > 40
    missing = [f"{path}: {name}" for path, name in hops if not has_function(ROOT / path, name)]
    assert missing == []


@pytest.mark.parametrize(("walk", "most"), [("One yuan", 21), ("One follow", 15), ("One constraint", 12)])
def test_a_walk_does_not_get_longer(walk, most):
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text.split(f"### {walk}")[1].split("###")[0]
    assert len(re.findall(r"^\d+\. `", section, re.MULTILINE)) <= most


def test_the_brief_in_the_docs_is_valid():
    import yaml

    from targeting import parse_campaign

    text = (ROOT / "docs" / "bring-your-own-data.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert parse_campaign(yaml.safe_load(block)).budget_cny == 200000


def has_function(path, name):
    return path.exists() and f"def {name}(" in path.read_text(encoding="utf-8")
