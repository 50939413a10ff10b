"""Job `train`: from a data directory to a registered model version, `champion` if better than the last."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from models import registry
from models.contracts import Dataset
from models.errors import DataError
from models.escaping.media import for_key
from models.rates.calibration import Reliability
from pipelines import tracking
from pipelines.config.job_settings import TrainSettings, load
from pipelines.jobs.promotion import Verdict, judge, promote
from pipelines.shell import Tell, silent, unheard
from pipelines.store import read_dataset
from pipelines.store.rejects import rejected_counts
from targeting.campaign import Campaign
from targeting.planner import Planner


@dataclass(frozen=True)
class TrainResult:
    """What `targeting train` learned."""

    run_id: str
    model_uri: str
    claims: dict[str, str]
    segments: int
    rejected: dict[str, int]
    warnings: tuple[str, ...]
    metrics: dict[str, float]
    promotion: dict[str, object]


@dataclass(frozen=True)
class Learned:
    """A planner that is not registered yet, and whether its version is to be champion."""

    planner: Planner
    verdict: Verdict


def run_train(
    *, data: Path, config: Path | None = None, tracking_uri: str | None = None, tell: Tell = silent
) -> TrainResult:
    """Learn from the logs in `data` and register the planner.

    Raises:
        DataError: the data cannot be used or the tracking store cannot be reached.
        CampaignError: a wrong setting.
    """
    settings = load(TrainSettings, config)
    tell("reading")
    dataset = read_dataset(data, max_rejected_share=settings.max_rejected_share)
    inputs = {"data": data, "settings": settings}
    with tracking.job_run(
        "train", tracking_uri=tracking_uri, inputs=inputs, fingerprints=dataset.fingerprints
    ) as run:
        learned = learn(dataset, settings=settings, campaign=None, run=run, tell=tell)
        planner = register(learned, name=settings.model_name, run=run, tell=tell)
        promotion = promote(learned.verdict, uri=planner.model_uri or "", run=run)
    return TrainResult(
        run_id=run.run_id,
        model_uri=planner.model_uri or "",
        claims={"kind": planner.model.claims.kind, "why": planner.model.claims.why},
        segments=len(planner.segmenter.names),
        rejected=rejected_counts(dataset.rejected),
        warnings=planner.warnings,
        metrics=dict(planner.model.metrics),
        promotion=asdict(promotion),
    )


def learn(
    dataset: Dataset, *, settings: TrainSettings, campaign: Campaign | None, run: tracking.JobRun, tell: Tell
) -> Learned:
    """Fit a planner, record how good it is and compare it with the champion; nothing is registered.

    Args:
        dataset: users, exposures and orders.
        settings: what to learn.
        campaign: gives placements and horizon where the settings leave them open.
        run: the job's MLflow run.
        tell: progress listener.

    Raises:
        DataError: the data cannot be learned from, or the champion cannot be read.
    """
    if dataset.users["is_fan"].all():
        raise DataError(
            "users: nobody is eligible, every row has is_fan true; give people who do not follow yet"
        )
    tell("learning from the logs")
    planner = Planner.fit(
        dataset,
        campaign=campaign,
        placements=settings.placements,
        horizon_days=settings.horizon_days,
        as_of=settings.as_of,
        seed=settings.seed,
        threads=settings.threads,
        n_draws=settings.draws,
        min_audience=settings.min_audience,
    )
    _log_quality(planner, run=run)
    tell("comparing with the champion")
    verdict = judge(planner.model, name=settings.model_name, dataset=dataset, seed=settings.seed, run=run)
    return Learned(planner, verdict)


def register(learned: Learned, *, name: str, run: tracking.JobRun, tell: Tell) -> Planner:
    """The planner with the `models:/name/version` that it is registered as, inside the open run.

    No alias points to the version until `promote`; a job that ends before takes it back.
    """
    tell("registering the model")
    planner = learned.planner
    with unheard():
        uri = registry.save(planner.model, extra_files=planner.state_files(), name=name, alias=None)
    run.tag(tracking.MODEL_TAG, uri)
    return replace(planner, model_uri=uri)


def _log_quality(planner: Planner, *, run: tracking.JobRun) -> None:
    """How good the model and its segments are on held-out time, as metrics and charts."""
    kept, seen = planner.state.value_kept, planner.state.gain_seen
    of_segments = {"segments_value_kept": kept, "segments_gain_seen": seen}
    known = {name: value for name, value in of_segments.items() if value is not None}
    run.metrics({**planner.model.metrics, **known})
    run.tag("targeting.claims", planner.model.claims.kind)
    for name, table in planner.model.reliability.items():
        run.text(calibration_chart(table, title=name), f"charts/calibration-{for_key(name)}.svg")


def calibration_chart(table: Reliability, *, title: str) -> str:
    """Predicted against observed events per group on held-out time, as SVG; the diagonal is perfect."""
    import altair as alt
    import vl_convert

    points = [{"predicted": p, "observed": a} for p, a in zip(table.predicted, table.actual, strict=True)]
    most = max([1e-9, *table.predicted, *table.actual])
    diagonal = [{"predicted": 0.0, "observed": 0.0}, {"predicted": most, "observed": most}]
    axes = {
        "x": alt.X("predicted:Q", title="predicted events"),
        "y": alt.Y("observed:Q", title="observed events"),
    }
    line = (
        alt.Chart(alt.InlineData(values=diagonal))
        .mark_line(strokeDash=[4, 4], color="#8a96a3")
        .encode(**axes)
    )
    marks = alt.Chart(alt.InlineData(values=points)).mark_circle(size=60, color="#20639b").encode(**axes)
    chart = (line + marks).properties(width=320, height=260, title=f"{title}, held-out time")
    svg: str = vl_convert.vegalite_to_svg(chart.to_json())
    return svg
