"""After the campaign: what happened against what was promised, and what a coin says of it.

In: a plan and the logs or the console's report of its days. Out: an `Evaluation`. `by_logs` judges person
by person, `by_report` by what a console counts; `realised` is what the logs know of a campaign,
`evaluation_page` shows it. `beside` and `totals` hold promised against realised. `reasons` splits a
difference, `runoff` follows the money, `organic_baseline` is what would have come without the campaign,
`randomised_rows`, `experiment` and `ranking` judge where a coin chose, who was won by which row is the
event log's (`models.events`), `plan_drift` is what has changed since. `walk_forward` walks through the
past: `backtest_windows` cuts the future off, `window_verdicts` and `score_outcomes` judge each window,
`reliability` is calibration with intervals.
"""

from targeting.evaluation.by_logs import evaluate_campaign
from targeting.evaluation.by_report import evaluate_delivery
from targeting.evaluation.evaluation import Evaluation
from targeting.evaluation.realised import OUTSIDE

__all__ = ["OUTSIDE", "Evaluation", "evaluate_campaign", "evaluate_delivery"]
