"""Every tuning number of the optimiser, in one place.

What a field's text calls *measured* is what `python benchmarks/allocation_settings.py` prints for it:
processor time and the largest gap with the field at half and at twice its value, on S-curves, competing and
switched instances. *Derived* follows from the arithmetic, *cited* names a source. It imports nothing of ours.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The optimiser's tuning numbers; none of them can make a bound wrong, only loose or late.

    Attributes:
        enumerated_switches: on/off cells of a block of which every choice is priced apart, 2^n boxes.
            Derived: two placements, each with a least spend, are exact; one more doubles the time of pricing.
        start_shares: of a curve's bend, where a climb starts that knows nothing. Tried on a few sets.
        climb_steps: Newton steps of one climb. Derived: each doubles the digits, the rest is for bent curves.
        climb_halvings: shortenings of a step, each to a quarter: 4^-7 of a range is next to no step.
        climb_margin, polish_margin: scaled curvature left after bending a Hessian that does not curve down:
            coarse where a climb is on its way, fine where Newton must converge. Measured.
        dense_entries: rows x cells up to which rows are arrays, not sparse. Measured.
        first_intervals: intervals of z each side of the incumbent, shrinking towards it by `interval_shrink`.
            Measured.
        interval_patience: halvings of z after which what cells may spend is halved in turn everywhere. Tried
            on a few sets.
        interval_halvings: 2^-40 of a range is the rounding of z. Derived.
        multiplier_steps: looks for the best multiplier of an interval, given up where three of them bring the
            bound less than `multiplier_gain` of the way to what is looked for. Tried on a few sets.
        most_intervals: per block: a relaxation that does not close is left as it is, loose. Measured.
        generation_rounds: of column generation in search of a proof that there is no plan. Measured: 10 are
            the rule.
        node_rounds: each time that a node is relaxed. Measured.
        node_looks: times that a node is relaxed again with what its bound has seen. Tried on a few sets.
        inexact: of what the mixture is above the best plan, that its columns may miss. Tried on a few sets.
        first_penalty: price of breaking a whole row, in shares of the objective; times 100 if too low.
        kept_columns, kept_sheets: columns kept per group; newest sheets kept whole. Measured.
        most_groups: of blocks in the master; keeps its linear program below 10,000 columns. Measured.
        highs_tolerance: primal and dual, the least that HiGHS accepts. Cited: HiGHS options, 1e-10.
        polish_steps, polish_patience: Newton steps on the whole problem; of which so many without a better
            point. Measured.
        far: residual above which Newton's first steps stay off the limits. Tried on a few sets.
        most_binding: rows Newton takes on; a dense system of 3,000 is a second. Derived.
        feasible: relative violation that counts as none. Derived: a whole 厘 of 100,000 yuan.
        dual_looks: at all blocks, in search of prices. Measured.
        kept_turns: of taking back what breaks rows. Tried on a few sets.
        kept_answers: to the last prices of the dual, the first columns. Measured.
        most_nodes: of the tree. Derived: 60 s at 30 ms each.
        hardly: share of its ceiling that a cell cut to "on" without a least spend has at least. Derived:
            next to nothing that still counts as on.
        room_steps: problems solved to find the arrivals of a room that fills. Derived: a secant doubles its
            digits.
        room_close: relative distance that ends it: the value's error is of its square. Derived.
        room_kept: relative violation of a row at its own load that counts as none. Derived: `tail_held`.
        room_gap: certificate that is sought where a room fills: a ten-thousandth is nothing
            beside that of its places. Chosen.
        solved_at_load: of that gap, that one load's problem may be open. Chosen.
        room_first: half the first interval of arrivals, as a share of the plan's. Chosen.
        room_asked: problems solved for the certificate. Chosen: what is open then is in the gap.
        room_tail: share of the plan's arrivals beyond it from which a tail is tried. Chosen.
        room_far: multiples of the plan's arrivals at which the tail is taken as it is. Chosen.
        room_steepest: relative change of the price of an arrival per relative change of arrivals, at most: a
            first guess only. Chosen.
        room_cuts: prices tried of an interval. Chosen.
        room_halvings: of an interval that stays open. Chosen.
        price_near: share of a cell's range, or of a row's size: this close to a limit is at it. Derived.
        price_exact: relative residual of the optimality conditions up to which prices are taken as they are.
            Derived: prices are told to 1e-3.
        price_nothing: share of the objective below which a limit's price x size is rounding. Derived.
        priced_cells: cells up to which prices are looked for by a linear program. Measured.
        stop_rounds: solves at prices on spend, to keep floors. Tried on a few sets.
        stop_forgiven: share of a floor that whole 厘 may cost. Derived: a 厘 of 10 yuan.
        stop_bisections: halvings of an interval: the rounding of a spend. Derived.
        stop_shift: share of a floor by which it is moved to see what it is worth. Derived: prices are told to
            1e-3.
        crowded: expected follows x per person beyond which a worthless neighbour may raise a last yuan.
            Derived: phi'(x) + x phi''(x) = 0 at 1.793.
        trial_spends: spends at which a cell without money is tried for words; known_spends: at which each
            draw of it is tried for what knowing it is worth. Derived: neighbours differ by 20 %.
        near_hurdle: a return within 2 % of what a yuan must return counts as equal. Derived: money comes in
            whole 厘 and steps.
        relaxation_halvings: a relaxation is known to 1 / 4096 of the first shortfall, rounded up. Derived.
        relaxation_gap: certificate of a relaxation found by one solve. Derived: it is told to three digits.
        feasibility_seconds: that one question "is there any plan" may take. Measured.
        tail_steps, tail_settled, tail_radius: of the climb under a CVaR floor: quadratic programs, gain in
            shares of the objective and radius in cells' ranges at which it ends. Measured.
        tail_cuts, tail_boxes: rounds of cutting blocks under a CVaR bound, and boxes left open per block at
            which it ends; tail_cut: where a box that holds the plan is cut, from there to its far end. Tried
            on one instance.
        tail_gap: of the objective, that a bound under a CVaR floor may be too high by. Chosen: 1e-4 is asked.
        tail_aims: climbs, each aiming a little higher, until a floor is kept. Derived: a hair is missing.
        chance_choices: times that the draws that must reach a chance floor are chosen again; chance_edge: the
            least share of them is what is climbed. Tried on a few.
        tail_held: share of a risk floor that counts as none. Derived: rounding of a mean of 200 draws.
        rounding_steps: 厘 away from the spend rounded down that are tried, the widest that are few enough:
            `most_roundings` plans, up to 12 funded cells, and plans x cells up to `most_rounding_numbers`.
            Derived: 160 MB a metric.
        rounding_repairs: moves of single 厘 after rounding down. Measured.
        rounding_slack: relative; limits are met to the rounding of the arithmetic. Derived.
    """

    enumerated_switches: int = 3
    start_shares: tuple[float, ...] = (0.03, 0.3, 1.0)
    climb_steps: int = 40
    climb_halvings: int = 8
    climb_margin: float = 0.05
    polish_margin: float = 1e-4
    dense_entries: int = 2_000_000
    first_intervals: int = 4
    interval_shrink: float = 0.1
    interval_patience: int = 9
    interval_halvings: int = 40
    multiplier_steps: int = 6
    most_intervals: int = 60
    multiplier_gain: float = 0.1
    generation_rounds: int = 60
    node_rounds: int = 12
    node_looks: int = 4
    inexact: float = 0.05
    first_penalty: float = 1e3
    kept_columns: int = 6
    kept_sheets: int = 3
    most_groups: int = 1500
    highs_tolerance: float = 1e-10
    polish_steps: int = 60
    polish_patience: int = 12
    far: float = 1e-2
    most_binding: int = 3000
    feasible: float = 1e-8
    room_steps: int = 14
    room_close: float = 1e-3
    room_kept: float = 1e-7
    room_gap: float = 1e-4
    solved_at_load: float = 0.1
    room_first: float = 0.03
    room_asked: int = 80
    room_tail: float = 0.2
    room_far: float = 30.0
    room_steepest: float = 3.0
    room_cuts: int = 5
    room_halvings: int = 4
    dual_looks: int = 400
    kept_turns: int = 60
    kept_answers: int = 12
    most_nodes: int = 2000
    hardly: float = 1e-30
    price_near: float = 1e-9
    price_exact: float = 1e-9
    price_nothing: float = 1e-12
    priced_cells: int = 5000
    stop_rounds: int = 12
    stop_forgiven: float = 1e-4
    stop_bisections: int = 60
    stop_shift: float = 1e-3
    crowded: float = 1.79
    trial_spends: int = 48
    near_hurdle: float = 0.02
    relaxation_halvings: int = 12
    relaxation_gap: float = 1e-4
    feasibility_seconds: float = 20.0
    known_spends: int = 40
    tail_steps: int = 40
    tail_settled: float = 1e-11
    tail_radius: float = 1e-6
    tail_cuts: int = 24
    tail_boxes: int = 12
    tail_cut: float = 0.3
    tail_gap: float = 5e-5
    tail_aims: int = 6
    chance_choices: int = 6
    chance_edge: float = 0.08
    tail_held: float = 1e-9
    rounding_steps: tuple[tuple[int, ...], ...] = ((0, 1, -1, 2), (0, 1, -1), (0, 1))
    most_roundings: int = 4096
    most_rounding_numbers: float = 2e7
    rounding_repairs: int = 400
    rounding_slack: float = 1e-12


SETTINGS = Settings()
