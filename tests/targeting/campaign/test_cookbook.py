"""The constraint cookbook is what the models say, and its examples are briefs that the compiler takes."""

from __future__ import annotations

from pathlib import Path

import jewellery_shop
import numpy as np
import pytest

from targeting.allocation.formulation.compile import compile_problem
from targeting.campaign.constraints import KINDS
from targeting.campaign.cookbook import EXAMPLES, cookbook

PAGE = Path(__file__).parents[3] / "docs" / "constraints.md"


def test_the_page_is_what_the_models_say():
    assert PAGE.read_text(encoding="utf-8") == cookbook()


def test_every_kind_has_an_example():
    assert set(EXAMPLES) == {model.model_fields["kind"].annotation.__args__[0] for model in KINDS}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_an_example_compiles(kind):
    market = jewellery_shop.market()
    problem = compile_problem(
        market,
        budget_cny=20_000,
        constraints=EXAMPLES[kind][0],
        last_plan=np.full(len(market), 2_000.0),
    )
    # Of a single merchant, with every cell tried, two kinds have nothing to limit.
    assert problem.rows or problem.limits.sources or problem.risk or kind in ("trial",)
