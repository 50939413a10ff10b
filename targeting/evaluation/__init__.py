"""After the campaign: what happened against what was promised, and what a coin says of it.

`comparison` judges by user logs, `delivered` by a console's report; `realised` is what the logs know of a
campaign, `result` what both judgements give, `page` shows it. `reasons` splits a difference, `runoff` follows
the money, `anyway` is what would have come without the campaign, `follows` who became a fan by which row,
`coin`, `experiment` and `ranking` judge on randomised rows, `change` is drift. `backtest` walks through the
past: `walk` cuts the future off, `promised` and `outlook` judge each window, `reliability` is calibration
with intervals.
"""

from targeting.evaluation.comparison import OUTSIDE, evaluate_campaign
from targeting.evaluation.delivered import evaluate_delivery
from targeting.evaluation.result import Evaluation

__all__ = ["OUTSIDE", "Evaluation", "evaluate_campaign", "evaluate_delivery"]
