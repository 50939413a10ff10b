"""After the campaign: what happened against what was promised, and what a coin says of it.

`comparison` judges by user logs, `delivered` by a console's report; `result` is what both give, `page` shows
it. `reasons` splits a difference, `runoff` follows the money, `coin`, `experiment` and `ranking` judge on
randomised rows, `change` is drift.
"""

from targeting.evaluation.comparison import OUTSIDE, evaluate_campaign
from targeting.evaluation.delivered import evaluate_delivery
from targeting.evaluation.result import Evaluation

__all__ = ["OUTSIDE", "Evaluation", "evaluate_campaign", "evaluate_delivery"]
