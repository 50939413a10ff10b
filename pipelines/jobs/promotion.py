"""Who is champion: the alias moves only when the interval says that the new version is better.

The first version of a name is its champion. Every later one is registered as `challenger` and compared with
the champion on the newest quarter of the exposures (or on all that the champion has not seen), randomised
rows where there are enough: `models.judging.champion`. The challenger itself has learned from those rows,
so a twin of it, fitted with the same settings on what came before them, stands in for it. The comparison is
logged to the run. Whoever trains goes on with the version it has just registered, whatever the alias says.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from models import registry
from models.audience.model import AudienceModel
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


def starting_alias(name: str) -> str:
    """The alias a new version of `name` is registered under: the first is champion at once."""
    return registry.ALIAS if registry.version_at(name, registry.ALIAS) is None else registry.CHALLENGER


def promote(
    model: AudienceModel, *, uri: str, alias: str, dataset: Dataset, seed: int, run: JobRun
) -> Promotion:
    """Decide whether a version that was just registered becomes champion, and log why.

    Args:
        model: What was registered.
        uri: Its `models:/name/version`.
        alias: What `starting_alias` said before.
        dataset: What it learned from.
        seed: Of its fit and of the resamples.
        run: The job's MLflow run.
    """
    if alias == registry.ALIAS:
        decided = Promotion(uri, uri, True, "the first version of its name")
    else:
        name = uri.removeprefix("models:/").split("/")[0]
        before = registry.version_at(name, registry.ALIAS)
        assert before is not None
        decided = _decide(model, uri=uri, champion_uri=before, dataset=dataset, seed=seed, run=run)
        if decided.promoted:
            registry.point(registry.ALIAS, uri)
    run.tag(TAG, f"{'promoted' if decided.promoted else 'kept ' + decided.champion}: {decided.why}")
    run.mapping(asdict(decided), "promotion/promotion.json")
    return decided


def _decide(
    model: AudienceModel, *, uri: str, champion_uri: str, dataset: Dataset, seed: int, run: JobRun
) -> Promotion:
    """The rule; the alias is not touched here."""
    try:
        champion = registry.load(champion_uri).model
    except DataError as error:
        return Promotion(uri, uri, True, f"the champion can no longer be read ({error})")
    if champion.to_files() == model.to_files():
        return Promotion(champion_uri, uri, False, "it is the same model as the champion")
    try:
        contest = _contest(champion, model, dataset=dataset, seed=seed)
    except DataError as error:
        return Promotion(champion_uri, uri, False, f"the two cannot be compared ({error})")
    run.metrics(_metrics(contest))
    run.table(contest.table(), "promotion/comparison.json")
    promoted = contest.outcome == "better"
    seen = "; the champion had seen some of these rows" if champion.as_of > contest.since else ""
    return Promotion(
        uri if promoted else champion_uri,
        uri,
        promoted,
        f"the challenger is {contest}{seen}",
        {**asdict(contest), "since": contest.since.isoformat()},
    )


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
