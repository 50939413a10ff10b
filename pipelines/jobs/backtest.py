"""Job `backtest`: what plans made on past days would have earned on the days after, judged by a coin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.escaping.tables import for_cells
from pipelines.config.job_settings import BacktestSettings, load
from pipelines.config.yaml_file import read_yaml
from pipelines.shell import Tell, silent
from pipelines.store import read_dataset
from pipelines.tracking import JobRun, job_run
from targeting.campaign import parse_campaign
from targeting.evaluation.backtest_result import Backtest
from targeting.evaluation.walk_forward import backtest


@dataclass(frozen=True)
class BacktestResult:
    """Promised against realised, window by window, and the MLflow run that keeps it."""

    headline: str
    run_id: str
    backtest: dict[str, object]


def run_backtest(
    *,
    data: Path,
    campaign: Path,
    config: Path | None = None,
    tracking_uri: str | None = None,
    tell: Tell = silent,
) -> BacktestResult:
    """Walk through the logs in `data` with the brief in `campaign`; nothing is written but the MLflow run.

    Args:
        data: data directory with randomised rows.
        campaign: the brief.
        config: settings.
        tracking_uri: MLflow store.
        tell: progress listener.

    Raises:
        DataError: the data are too short, or no window can be judged.
        CampaignError, InfeasibleError: the brief is wrong or cannot be met.
    """
    settings = load(BacktestSettings, config)
    brief = read_yaml(campaign)
    parsed = parse_campaign(brief, str(campaign))
    tell("reading")
    dataset = read_dataset(data, max_rejected_share=settings.max_rejected_share)
    found = backtest(
        dataset,
        parsed,
        windows=settings.windows,
        window_days=settings.window_days,
        train_days=settings.train_days,
        min_audience=settings.min_audience,
        n_draws=settings.draws,
        seed=settings.seed,
        threads=settings.threads,
        tell=tell,
    )
    inputs = {"data": data, "campaign": brief, "settings": settings}
    with job_run(
        "backtest", tracking_uri=tracking_uri, inputs=inputs, fingerprints=dataset.fingerprints
    ) as run:
        content = _log(found, run=run)
    return BacktestResult(headline=str(found), run_id=run.run_id, backtest=content)


def _log(found: Backtest, *, run: JobRun) -> dict[str, object]:
    """Totals and calibrations as metrics, everything as files; the content of the JSON file is returned."""
    for row in found.table.filter(found.table["window"] == 0).iter_rows(named=True):
        sides = {side: row[side] for side in ("promised", "realised", "low_80", "high_80")}
        run.metrics({f"{row['outcome']}.{side}": x for side, x in sides.items() if x is not None})
    for one in found.calibrations:
        name = one.outcome.split(" (")[0]
        run.metrics({f"{name}.ratio": one.ratio, f"{name}.ece": one.ece})
    content = found.to_dict()
    run.mapping(content, "backtest.json")
    run.text(for_cells(found.table).write_csv(), "backtest.csv")
    return content
