"""After the campaign: what happened against what was promised (`comparison`), and what a coin says of it.

`runoff` follows the money, `coin` and `experiment` judge the plan on randomised rows, `change` is drift.
"""

from targeting.evaluation.comparison import OUTSIDE, Evaluation, evaluate_campaign

__all__ = ["OUTSIDE", "Evaluation", "evaluate_campaign"]
