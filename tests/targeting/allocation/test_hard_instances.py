"""Instances on which random stress runs against brute force found a fault: through the public entry point."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from random_problems import random_problem

import targeting as tg
from models.errors import InfeasibleError
from models.supply.curves import FAMILIES, CurveSet
from targeting.allocation.problem import Market
from targeting.allocation.solver.blocks import Jet
from targeting.allocation.solver.layout import build
from targeting.allocation.solver.newton import newton_step
from targeting.allocation.solver.solve import solve
from targeting.decision.decide import in_whole_li


def tables(*curves: tuple[list[float], list[float]]) -> pl.DataFrame:
    """Tabulated curves, one segment each."""
    rows = [
        {"segment": f"人群{i}", "placement": "video", "spend_cny": x, "value": y}
        for i, (xs, ys) in enumerate(curves)
        for x, y in zip(xs, ys, strict=True)
    ]
    return pl.DataFrame(rows)


def hills(*rows: tuple[float, float, float]) -> pl.DataFrame:
    """(top, half_spend_cny, slope), one segment each."""
    return pl.DataFrame(
        [
            {"segment": f"人群{i}", "placement": "video", "top": t, "half_spend_cny": h, "slope": m}
            for i, (t, h, m) in enumerate(rows)
        ]
    )


def crowds(family: list[str], top, scale, shape, users, hazard, gmv, *, video_only: bool) -> Market:
    """Cells that share users within a segment (one cell each with `video_only`)."""
    n = len(family)
    segment = np.arange(n) if video_only else np.arange(n) // 2
    cells = pl.DataFrame(
        {
            "campaign_id": ["c"] * n,
            "merchant_id": ["m"] * n,
            "segment": [f"s{i}" for i in segment],
            "placement": ["video" if video_only or i % 2 == 0 else "live" for i in range(n)],
            "slot": np.zeros(n, dtype=np.int64),
            "fan_kind": ["precise"] * n,
        }
    )
    code = np.array([FAMILIES.index(f) for f in family], dtype=np.int8)
    supply = CurveSet(code, np.array(top), np.array(scale), np.array(shape), np.zeros(n))
    return Market(
        cells=cells,
        block=segment,
        supply=supply,
        users=np.array(users),
        hazard=np.array(hazard),
        entry=np.zeros(n),
        gmv_per_fan_cny=np.array(gmv),
        observed_max_cny=np.full(n, np.inf),
    )


def test_a_staircase_reaches_a_target_on_its_last_step():
    xs, ys = [1.72222, 4.4873, 5.1902, 5.52262], [788.4, 788.4, 788.4, 1162.4]
    plan = tg.allocate(
        tables((xs, ys)),
        budget_cny=10.0,
        constraints=[{"kind": "target", "metric": "new_fan_gmv", "value": 876.5}],
    )
    least = 5.1902 + (876.5 - 788.4) / (1162.4 - 788.4) * (5.52262 - 5.1902)
    assert plan.spend_cny == pytest.approx(least, abs=1e-3)


def test_a_logistic_curve_that_never_pays_back_gets_nothing():
    both = pl.DataFrame(
        {
            "segment": ["新手妈妈", "大学生"],
            "placement": ["live", "live"],
            "family": ["expsat", "logistic"],
            "top": [4.241732067083443e-06, 4.535411296168155e-06],
            "half_spend_cny": [0.9409089439421605, 11.17355432146895],
            "slope": [1.0, 2.0951120949733752],
        }
    )
    floor = {"kind": "roi_floor", "segment": "大学生", "min": 2.0710925028125643e-07}
    plan = tg.allocate(both, budget_cny=10.0, constraints=[floor])
    assert plan.status == "optimal"
    assert plan.allocation["spend_cny"].to_list() == [10.0, 0.0]


def test_the_bound_stays_tight_next_to_a_cell_that_spends_nothing():
    """There the curve bends so much that the multiplier's slope is no guess for the one further off."""
    on = crowds(
        ["power", "expsat"],
        [5968.51486083, 784392.032997],
        [33008.5129356, 38362.1264276],
        [0.873477748764, 1.0],
        [4559.79343567, 583190.341317],
        [0.283312242097, 0.0366546806015],
        [0.46432795931, 0.661864439679],
        video_only=True,
    )
    limits = [{"kind": "bounds", "each": "slot", "min_share": 0.33131789871637296}]
    assert tg.allocate(on, budget_cny=50000.0, constraints=limits).status == "optimal"


def test_the_bound_stays_tight_where_slopes_are_infinite_at_nothing():
    """A root below the spend at which slopes are cut off has no residual worth the whole range."""
    on = crowds(
        ["power", "power", "power", "power"],
        [449631.968, 275015.741, 3881.18808, 5070.11332],
        [7.84282529, 21.8161678, 35.8484169, 14.4806768],
        [0.56949562, 0.977255393, 0.928587032, 0.725387322],
        [240323.957, 240323.957, 1466.78833, 1466.78833],
        [0.0122724273, 0.134512746, 0.0192887994, 0.298786641],
        [16.6909661, 39.2691827, 56.8623872, 98.8921508],
        video_only=False,
    )
    assert tg.allocate(on, budget_cny=100.0).status == "optimal"


def test_the_bound_closes_where_s_shaped_placements_compete():
    on = crowds(
        ["hill", "hill"], [9e4, 6e4], [400.0, 700.0], [3.0, 2.5],
        [3e4, 3e4], [0.2, 0.3], [2.0, 5.0], video_only=False,
    )  # fmt: skip
    plan = tg.allocate(on, budget_cny=1000.0)
    levels = np.linspace(0.0, 1000.0, 400)
    z = [
        h * on.supply.take(np.array([i])).value(levels[:, None])[:, 0] / 3e4 for i, h in enumerate((0.2, 0.3))
    ]
    both = z[0][:, None] + z[1][None, :]
    value = 3e4 * (2.0 * z[0][:, None] + 5.0 * z[1][None, :]) * -np.expm1(-both) / np.maximum(both, 1e-12)
    best = value[levels[:, None] + levels[None, :] <= 1000.0].max()
    assert plan.status == "optimal"
    assert plan.value >= best * (1 - 1e-9)


def test_few_yuan_are_rounded_as_well_as_whole_li_allow():
    """A kink between two 厘: the best rounding loses 4e-6 of the value, rounding down lost 2e-4."""
    first = [0.118937, 0.562076, 1.377386, 9.243602, 10.251922]
    second = [0.0, 0.710794, 0.901551, 1.17966]
    curves = tables(
        (first, [39.77994, 50.993507, 169.212691, 190.446538, 205.836113]),
        (second, [46.756825, 54.056893, 54.056893, 75.802591]),
    )
    least = {"kind": "min_if_used", "segment": "人群0", "min_cny": 1.3955}
    assert tg.allocate(curves, budget_cny=10.0, constraints=[least]).gap < 1e-5


@pytest.mark.parametrize("slope", [1.0, 3.0])
def test_a_marginal_floor_stops_exactly_and_its_bound_is_no_lower(slope):
    top, half, floor = 113.0, 900.0, 0.02
    plan = tg.allocate(
        hills((top, half, slope)), budget_cny=5e4, constraints=[{"kind": "marginal_floor", "min": floor}]
    )
    s = np.linspace(1.0, 5e4, 2_000_001)
    gain = np.gradient(top / (1 + (half / s) ** slope), s)
    stop = s[gain >= floor].max()
    assert plan.spend_cny == pytest.approx(stop, abs=0.05)
    assert plan.upper_bound >= top / (1 + (half / stop) ** slope) * (1 - 1e-9)
    assert plan.status == "optimal"


def test_a_minimum_beyond_the_stop_is_named_as_the_conflict():
    limits = [
        {"kind": "marginal_floor", "name": "停", "min": 1.0},
        {"kind": "bounds", "name": "保底", "min_cny": 900.0},
    ]
    with pytest.raises(InfeasibleError) as caught:
        tg.allocate(hills((100.0, 50.0, 1.0)), budget_cny=1000, constraints=limits)
    assert set(caught.value.conflict) == {"停", "保底"}
    assert "\n" not in str(caught.value)


def test_a_piecewise_program_that_no_longer_helps_is_not_solved_again():
    """The charge on spend nearly eats the value: what is left of the gap is HiGHS's tolerance."""
    curves = hills((0.0676367, 0.00791168, 6.0), (0.00750358, 5296.37, 2.0372))
    limits = [
        {"kind": "target", "metric": "marginal_roi", "value": 4.648335},
        {"kind": "bounds", "max_cny": 0.00255319601917127},
        {"kind": "bounds", "min_share": 0.1},
    ]
    plan = tg.allocate(curves, budget_cny=0.01, constraints=limits)
    assert plan.solution.rounds < 30


def test_a_target_far_below_the_tops_is_certified():
    """Rows are scaled by what the pieces reach, not the whole curves, so tolerances stay small."""
    curves = tables(
        ([0.0, 4066473.66417], [0.0, 0.0]),
        (
            [98614.287, 999595.304, 3420554.717, 4491352.699, 5712352.728, 8625664.998],
            [0.0, 0.000132190474, 0.000304868898, 0.000543544025, 0.000543544025, 0.000573587208],
        ),
        ([0.0, 1364323.527, 1373470.113], [0.0, 0.000695029518, 0.001449589024]),
    )
    target = {"kind": "target", "metric": "new_fan_gmv", "value": 0.00084207752620549}
    plan = tg.allocate(curves, budget_cny=16914148.874, constraints=[target])
    assert plan.status == "optimal"
    assert plan.gap <= 1e-6


def test_limits_that_no_whole_li_keeps_are_called_infeasible():
    narrow = [
        {"kind": "bounds", "segment": "人群0", "min_cny": 1.0001, "max_cny": 1.0009},
    ]
    with pytest.raises(InfeasibleError, match="whole 厘"):
        tg.allocate(hills((10.0, 5.0, 1.0), (10.0, 5.0, 1.0)), budget_cny=4, constraints=narrow)


def test_the_status_follows_the_gap_after_rounding():
    """Solved to half of the gap: a solver that stopped between half and the whole has an optimal plan."""
    plan = tg.allocate(hills((10.0, 5.0, 1.0), (20.0, 30.0, 1.0)), budget_cny=1000.0)
    unsure = replace(plan.solution, status="within_gap")
    assert in_whole_li(plan.problem, unsure, gap_tol=1e-6).status == "optimal"


@pytest.mark.parametrize("seed", [36, 37])
def test_pieces_are_cut_where_only_a_row_is_misjudged(seed):
    """The capacity row's price cancels the cell's value, so an error there moves the goal by nothing."""
    assert solve(random_problem(seed), time_limit_s=20.0).gap <= 1e-6


@pytest.mark.parametrize("seed", [183])
def test_spends_are_halved_where_halving_follows_does_not_close_in(seed):
    """A bound of 1.3 times the value, however short the stretches of expected follows were."""
    assert solve(random_problem(seed), time_limit_s=20.0).gap <= 1e-6


@pytest.mark.slow
def test_a_price_of_reach_leaves_no_gap():
    """Halving follows and spends in turn left 0.6 % after a minute."""
    rng, n = np.random.default_rng(44), 7
    users = np.repeat(rng.lognormal(9, 1, n), 2)
    m = len(users)
    on = crowds(
        ["expsat"] * m, users * rng.uniform(1, 5, m), users * rng.uniform(0.01, 0.1, m), np.ones(m),
        users, rng.uniform(0.01, 0.3, m), rng.lognormal(2, 1, m), video_only=False,
    )  # fmt: skip
    limits = [
        {"kind": "frequency_cap", "impressions": 1.4},
        {"kind": "bounds", "placement": "live", "min_share": 0.5},
    ]
    assert tg.allocate(on, budget_cny=2000.0, constraints=limits).solution.gap <= 1e-6


def test_next_to_no_curvature_gives_no_step_and_no_warning():
    program = build(random_problem(1))
    m, n, k = len(program.cell), program.n_blocks, program.width
    next_to_flat = Jet(
        np.ones(n), np.ones((n, k)), np.full((n, k), -1e-320), np.zeros((n, k, 1)), np.zeros((n, 1, 1))
    )
    ds, dp = newton_step(
        program,
        next_to_flat,
        np.ones(m),
        np.ones(m, dtype=bool),
        0.5 * program.upper,
        np.array([0]),
        np.array([1.0]),
        np.array([1.0]),
    )
    assert np.isfinite(ds).all()
    assert np.isfinite(dp).all()


def test_a_slope_next_to_nothing_is_reached_beyond_all_money():
    curve = CurveSet.of("power", top=np.ones(1), scale_cny=np.array([1e4]), shape=0.5)
    assert curve.inverse_slope(np.array([0.5e-157])) == np.inf
