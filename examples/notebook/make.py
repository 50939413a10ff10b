"""Writes and executes `plan.ipynb`: needs nbclient, nbformat and ipykernel beside the project.

python examples/notebook/make.py
"""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

CELLS = (
    ("markdown", "# A plan in a notebook\nFrom a simulated shop to a certified plan and its questions."),
    (
        "code",
        "import altair as alt\n\nimport targeting as tg\n\n"
        'alt.renderers.enable("svg")  # pictures that show without a network\n'
        'world = tg.simulate("jeweller", users=6000, seed=7)\n'
        'tables = {"users": world.users, "exposures": world.exposures, "orders": world.orders}\n'
        "planner = tg.Planner.fit(tables, campaign=world.campaign)\nplanner",
    ),
    ("markdown", "## Whom could we reach?"),
    ("code", "audience = planner.audience(world.users_now)\naudience"),
    ("code", "audience.diagnosis"),
    ("markdown", "## The plan\nProfit first; then how far from the best it can be."),
    ("code", "plan = planner.plan(world.campaign, audience)\nplan"),
    ("code", "plan.plot()"),
    ("markdown", "## Which budget leaves most, and what would more money buy?"),
    ("code", "plan.plot_frontier()"),
    ("code", "plan.plot_curves()"),
    ("markdown", "## Why, and what if?"),
    (
        "code",
        'best = plan.allocation.sort("spend_cny").row(-1, named=True)\n'
        'print(plan.why(best["segment"], best["placement"]))',
    ),
    (
        "code",
        'half = [{"kind": "bounds", "name": "half live", "placement": "live", "max_share": 0.5}]\n'
        'plan.scenarios({"at most half in the live room": {"constraints": half}})',
    ),
)  # fmt: skip


def main() -> None:
    """Write the notebook beside this file, outputs and all."""
    book = nbformat.v4.new_notebook()
    kinds = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    book.cells = [kinds[kind](text, id=f"cell-{i}") for i, (kind, text) in enumerate(CELLS)]
    NotebookClient(book, timeout=300).execute()
    for cell in book.cells:
        cell.metadata = {}
        # How long a cell took and on which machine is nobody's business.
        cell.outputs = [
            output
            for output in cell.get("outputs", [])
            if not (output.output_type == "stream" and output.name == "stderr")
        ] if cell.cell_type == "code" else []  # fmt: skip
        if cell.cell_type == "markdown":
            del cell["outputs"]
    nbformat.write(book, Path(__file__).with_name("plan.ipynb"))


if __name__ == "__main__":
    main()
