"""One night of one campaign as commands: what the Airflow and the Dagster example run, in this order.

Every (date, campaign) has folders of its own, each replaced as a whole when its command is done: a task that
is run again on the same input is done already, and one that was killed goes on with the parts that it had
finished. `TARGETING_LOG=json` makes the tasks' logs lines of JSON; 1 says that the input or the brief
is wrong (a retry will not help; of `score` with `missing` in its result: the other parts are published, mend
those and run again), 3 that no plan can hold.
"""

from __future__ import annotations

ENVIRONMENT = {"TARGETING_LOG": "json"}


def commands(
    date: str, campaign: str, *, before: str | None = None, root: str = "/data", model: str = "new-fan-gmv"
) -> dict[str, list[str]]:
    """The commands by task, each depending on the one before.

    Args:
        date: Of the tables, `YYYY-MM-DD`.
        campaign: Name of the brief `<root>/briefs/<campaign>.yaml`.
        before: Date of the night before: its scores are taken over where users have not changed.
        root: Where the tables of a date (`<root>/tables/<date>`) and the results are.
        model: Registered name.
    """
    data, out = f"{root}/tables/{date}", f"{root}/nights/{date}/{campaign}"
    brief, champion = f"{root}/briefs/{campaign}.yaml", f"models:/{model}@champion"
    scores, plan = f"{out}/scores", f"{out}/plan"
    return {
        "check": ["targeting", "check", data, "--json"],
        "score": [
            *("targeting", "score", "--data", data, "--model", champion, "--out", scores, "--json"),
            *(["--last", f"{root}/nights/{before}/{campaign}/scores"] if before else []),
        ],
        "plan": [
            *("targeting", "plan", "--campaign", brief, "--data", data),
            *("--scores", scores, "--out", plan, "--json"),
        ],
        "assign": [
            *("targeting", "assign", "--scores", scores, "--campaign", brief),
            *("--plan", plan, "--out", f"{out}/lists", "--json"),
        ],
    }
