"""Who is champion: the alias moves only when the interval says that the new version is better.

A new model is judged before it is registered. The first of a name is its champion. Every later one is
compared with the champion on the newest quarter of the exposures (or on all that the champion has not seen),
randomised rows where there are enough: `models.judging.champion`. The challenger itself has learned from
those rows, so a twin of it, fitted with the same settings on what came before, stands in for it. All of it is
logged. A champion that cannot be read is not worse than anybody: the job ends, and nothing is
registered. Whoever trains goes on with the version it has just registered, whatever the alias says.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from models import registry
from models.audience.model import AudienceModel
from models.audience.model_files import OutdatedError
from models.contracts import Dataset
from models.errors import DataError
from models.events.event_log import read_events
from models.events.training_rows import training_log
from models.judging.champion import compare_models, held_out_since
from models.judging.comparison import ModelComparison
from pipelines.tracking import JobRun

TAG = "targeting.promotion"


@dataclass(frozen=True)
class Promotion:
    """What became of a new version.

    Attributes:
        champion: The version that the alias points to now.
        challenger: The new version.
        promoted: Whether the alias points to the new version.
        why: One sentence.
        comparison: The contest's numbers, or None where there was none.
    """

    champion: str
    challenger: str
    promoted: bool
    why: str
    comparison: dict[str, object] | None = None


@dataclass(frozen=True)
class Verdict:
    """What is to become of a model that is not registered yet.

    Attributes:
        champion: The version that it was compared with; None where it is the first of its name.
        promote: Whether it is to be champion.
        why: One sentence.
        comparison: The contest's numbers, or None where there was none.
    """

    champion: str | None
    promote: bool
    why: str
    comparison: dict[str, object] | None = None


def judge(model: AudienceModel, *, name: str, dataset: Dataset, seed: int, run: JobRun) -> Verdict:
    """Decide whether a model is to be champion of a name, and log the comparison; no alias is touched.

    Args:
        model: What was learned.
        name: It will be registered under.
        dataset: What it learned from.
        seed: Of its fit and of the resamples.
        run: The job's MLflow run.

    Raises:
        DataError: There is a champion, and it cannot be read.
    """
    champion_uri = registry.version_at(name, registry.ALIAS)
    if champion_uri is None:
        return Verdict(None, True, "the first version of its name")
    try:
        champion = registry.load(champion_uri).model
    except OutdatedError as error:
        return Verdict(
            champion_uri, True, f"the champion is of a version that nothing can use any more ({error})"
        )
    except DataError as error:
        raise DataError(
            f"champion {champion_uri} cannot be read, so nothing can be compared with it ({error}); nothing "
            f"was registered: restore its files, or delete the alias {registry.ALIAS} of {name} to begin anew"
        ) from error
    if champion.to_files() == model.to_files():
        return Verdict(champion_uri, False, "it is the same model as the champion")
    try:
        contest = _contest(champion, model, dataset=dataset, seed=seed)
    except DataError as error:
        return Verdict(champion_uri, False, f"the two cannot be compared ({error})")
    run.metrics(_metrics(contest))
    run.table(contest.table(), "promotion/comparison.json")
    seen = "; the champion had seen some of these rows" if champion.as_of > contest.since else ""
    numbers = {**asdict(contest), "since": contest.since.isoformat()}
    return Verdict(champion_uri, contest.outcome == "better", f"the challenger is {contest}{seen}", numbers)


def promote(verdict: Verdict, *, uri: str, run: JobRun) -> Promotion:
    """Point the aliases as a verdict says: the last step of a job, after which its version is somebody's.

    Args:
        verdict: What `judge` said.
        uri: The `models:/name/version` that was registered since.
        run: The job's MLflow run.
    """
    decided = _as_promotion(verdict, uri=uri)
    run.tag(TAG, f"{'promoted' if decided.promoted else 'kept ' + decided.champion}: {decided.why}")
    run.mapping(asdict(decided), "promotion/promotion.json")
    if verdict.champion is not None:
        registry.point(registry.CHALLENGER, uri)
    if decided.promoted:
        registry.point(registry.ALIAS, uri)
    return decided


def _as_promotion(verdict: Verdict, *, uri: str) -> Promotion:
    """What becomes of a version, after a look whether the champion is still the one that it was judged by."""
    name = uri.removeprefix("models:/").split("/")[0]
    present = registry.version_at(name, registry.ALIAS)
    if present is not None and present != verdict.champion:
        return Promotion(present, uri, False, f"another job made {present} champion in the meantime")
    promoted = verdict.promote
    champion = uri if promoted or present is None else present
    return Promotion(champion, uri, promoted, verdict.why, verdict.comparison)


def _contest(
    champion: AudienceModel, model: AudienceModel, *, dataset: Dataset, seed: int
) -> ModelComparison:
    """The champion against a twin of the new version that knows nothing of the rows they are judged by."""
    log = training_log(read_events(dataset, as_of=model.as_of), placements=model.placements)
    since = held_out_since(log, champion_as_of=champion.as_of)
    twin = AudienceModel.fit(
        dataset,
        placements=model.placements,
        as_of=since,
        horizon_days=model.horizon_days,
        seed=seed,
        threads=model.threads,
    )
    return compare_models(
        champion, twin, dataset, since=since, as_of=model.as_of, rng=np.random.default_rng(seed)
    )


def _metrics(contest: ModelComparison) -> dict[str, float]:
    """The numbers of the contest for MLflow."""
    metrics = {"promotion.rows": float(contest.rows), "promotion.follows": float(contest.follows)}
    for row in contest.table():
        for key in ("champion", "challenger", "gain", "low", "high"):
            metrics[f"promotion.{row['question']}.{key}"] = row[key]
    return metrics
