"""A small jewellery market with draws, made by hand: two placements, five segments, nothing learned."""

import numpy as np
import polars as pl

from models.supply.curves import CurveSet
from targeting.allocation.problem import Draws, Market
from targeting.audience import Audience
from targeting.campaign import Campaign, parse_campaign
from targeting.decision.decide import decide
from targeting.decision.verbs import Plan
from targeting.market import Learned, market_of
from targeting.plan.provenance import Provenance
from targeting.segments.diagnosis import Diagnosis

SEGMENTS = (
    "precise · likely",
    "precise · possible",
    "content · keen",
    "content · casual",
    "content · cheap reach",
)
PLACEMENTS = ("video", "live")
CAUSAL = {"kind": "causal", "why": "12,408 of 310,220 shown rows were randomised"}


def learned(*, n_draws: int = 60, seed: int = 0) -> Learned:
    """One day: log supply curves, precise segments worth more, live dearer and better."""
    rng = np.random.default_rng(seed)
    rows = [(s, p, s.split(" ")[0]) for s in SEGMENTS for p in PLACEMENTS]
    users = np.repeat([4000.0, 9000.0, 12000.0, 30000.0, 60000.0], 2)
    top = users * np.tile([6.0, 2.5], 5)
    scale = top * np.tile([0.04, 0.12], 5)
    hazard = np.repeat([0.006, 0.004, 0.005, 0.003, 0.001], 2) * np.tile([1.0, 1.6], 5)
    gmv = np.repeat([80.0, 45.0, 12.0, 6.0, 3.0], 2) * np.tile([1.0, 2.0], 5)

    def factor(sd: float) -> np.ndarray:
        return np.exp(rng.normal(0.0, sd, (n_draws, len(rows))))

    draws = Draws(
        supply=CurveSet.of("log", top=top * factor(0.15), scale_cny=np.tile(scale, (n_draws, 1))),
        hazard=hazard * factor(0.12),
        gmv_per_fan_cny=gmv * factor(0.2),
    )
    return Learned(
        cells=pl.DataFrame(rows, schema=["segment", "placement", "fan_kind"], orient="row"),
        supply=CurveSet.of("log", top=top, scale_cny=scale),
        users=users,
        hazard=hazard,
        entry=np.tile([0.0, 0.06], 5),
        gmv_per_fan_cny=gmv,
        observed_max_cny=scale * rng.uniform(0.05, 0.6, len(rows)),
        draws=draws,
    )


def campaign(**changed: object) -> Campaign:
    brief = {
        "campaign_id": "jewellery-1111",
        "budget_cny": 20_000,
        "starts_at": "2020-11-11",
        "economics": {"gross_margin": 0.45, "fee_rate": 0.05},
        "constraints": [{"kind": "bounds", "name": "live-floor", "placement": "live", "min_share": 0.7}],
    }
    return parse_campaign({**brief, **changed})


def market(brief: Campaign | None = None, **changed: object) -> Market:
    return market_of(learned(**changed), campaign=brief or campaign())


def history() -> pl.DataFrame:
    """What the merchant did so far: mostly video to whoever is cheap."""
    rows = [
        (s, p, 100.0 * (i + 1) ** 2 * (4 if p == "video" else 1))
        for i, s in enumerate(SEGMENTS)
        for p in PLACEMENTS
    ]
    return pl.DataFrame(rows, schema=["segment", "placement", "spend_cny"], orient="row")


def audience() -> Audience:
    summary = pl.DataFrame(
        {
            "segment": SEGMENTS,
            "fan_kind": [s.split(" ")[0] for s in SEGMENTS],
            "users": [4000, 9000, 12000, 30000, 60000],
            "rule": ["gender = f and age_band = 25-34", "gender = f", "gender = m", "gender = m", "everyone"],
            "rule_precision": [0.61, 0.48, 0.7, 0.66, 0.52],
            "rule_recall": [0.72, 0.55, 0.6, 0.71, 1.0],
        }
    )
    profile = pl.DataFrame(
        {
            "column": ["gender", "gender"],
            "level": ["m", "f"],
            "fans": [0.78, 0.22],
            "public": [0.5, 0.5],
            "buyers": [0.3, 0.7],
            "gmv": [0.27, 0.73],
        }
    )
    diagnosis = Diagnosis(
        numbers={"fans": 3200.0},
        profile=profile,
        segments=pl.DataFrame(
            {"segment": ["content · keen"], "fan_kind": ["content"], "users": [12000.0], "fans": [800.0]}
        ),
        sentences=("80 % of the present fans are content fans.", "Women bring 73 % of the money."),
    )
    scores = pl.DataFrame(
        {
            "user_id": ["u1", "u1"],
            "placement": ["video", "live"],
            "p_follow": [0.001, 0.002],
            "gmv_per_fan_cny": [10.0, 20.0],
            "p_precise": [0.2, 0.3],
            "eligible": [True, True],
        }
    )
    segments = pl.DataFrame({"user_id": ["u1"], "segment": ["precise · likely"]})
    return Audience(scores=scores, segments=segments, summary=summary, diagnosis=diagnosis)


def plan(brief: Campaign | None = None, **options: object) -> Plan:
    """The certified plan of the brief on the hand-made market."""
    brief = brief or campaign()
    options = {"audience": audience(), "history": history(), **options}
    provenance = Provenance(
        claims=CAUSAL,
        model_uri="models:/new-fan-gmv/3",
        fingerprints={"users": "9f2c11ab"},
        versions={"polars": "2.1"},
        rejected_rows=12,
    )
    return decide(
        campaign=brief, market=options.pop("market", market(brief)), provenance=provenance, **options
    )
