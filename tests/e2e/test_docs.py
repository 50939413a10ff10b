"""What the docs point to is there: pages, commands, names, and the notebook is that of its script."""

import ast
import json
import re
from importlib import import_module
from pathlib import Path

import pytest

from pipelines.cli import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "llms.txt", ROOT / "SKILL.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = {command.name or command.callback.__name__ for command in app.registered_commands}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_link_leads_somewhere(page):
    text = page.read_text(encoding="utf-8")
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    trees = re.findall(r"```\{toctree\}\n(.*?)```", text, re.S)
    links += [f"{name}.md" for tree in trees for name in re.findall(r"^[\w-]+$", tree, re.M)]
    assert [link for link in links if link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_command_that_is_shown_exists(page):
    text = page.read_text(encoding="utf-8")
    shown = re.findall(r"(?:^    |^ {7}|`)targeting (\w+)", text, re.M)
    assert set(shown) <= COMMANDS


def test_every_name_of_the_reference_exists():
    text = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
    names = re.findall(r"auto(?:class|function):: ([\w.]+)", text)
    assert len(names) > 15
    for name in names:
        module, _, attribute = name.rpartition(".")
        assert getattr(import_module(module), attribute).__doc__


def test_the_notebook_is_what_its_script_writes_and_ran_without_errors():
    folder = ROOT / "examples/notebook"
    script = ast.parse((folder / "make.py").read_text(encoding="utf-8"))
    [cells] = [node.value for node in script.body if isinstance(node, ast.Assign)]
    book = json.loads((folder / "plan.ipynb").read_text(encoding="utf-8"))
    written = [(cell["cell_type"], "".join(cell["source"])) for cell in book["cells"]]
    assert written == list(ast.literal_eval(cells))
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in code)
    assert {output["output_type"] for cell in code for output in cell["outputs"]} <= {
        "execute_result",
        "display_data",
        "stream",
    }
    assert not re.search(r"/(?:work|root|home|tmp)/", json.dumps(book))
