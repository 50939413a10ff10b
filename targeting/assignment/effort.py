"""How much work an assignment is worth: every tuning number of the room, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """Figures here were seen in trials while this was written (x 4 placements, four limits, up to a million
    people) and are printed by no benchmark: take them as orders of magnitude.

    Attributes:
        chunk: people looked at together in a pass: the five arrays in use, 256 KB each, stay in the
            processor's cache, and numpy's calls cost a tenth of the numbers in them. A pass over a million
            takes 28 ms at 4,096, 22 at 8,192 and 17 at 32,768.
        whole: people up to whom a table is solved as it is: no sample says where its prices are, and what the
            exact program proves counts for the bound.
        sample: people in the largest sample: what travels from the parts to one machine to say where to look.
        warm: a start from outside is trusted as the price of a sample of this many people would be.
        growth: each sample is this many times the one before, so all of them cost a ninth of the last pass.
        errors: half-width of a box of prices, in standard errors of a sample's price. At 4 the second box
            was never needed in the benchmark; a box that is too small costs a pass, not the optimum.
        boxes: boxes at most; each is `growth` times as wide where the one before was too small.
        planes: cutting planes at most in one box. 5 limits need some 70, 49 limits some 350.
        exact: of the bound, what another plane may still promise when the prices are called exact.
        patience: planes without a better bound after which the radius of trust is halved. At 3, 49 limits
            take 331 planes; without a radius 2,466.
        nudge: of an average offer, by which limits are wider while prices are sought: where a limit is used
            up to the last fen several prices are best, and that of the next yuan is wanted.
        core: people a limit decided again by the exact program in its first round. With 8 the first round of
            four limits finds nothing within 1e-6 of a million people, with 32 the first does.
        rounds: people in the rounds of the exact program; the first are left out where they are fewer than
            `core` asks for, and the last is only for limits that nobody was found to keep. With 37 limits
            beginning at 128 takes 7 s, at 512 25 s, for the same answer.
        level: of an average offer, by which losses may differ and be called a tie: prices err by 1e-12.
        nodes: of the exact program's tree in one round, times the crowds of equals in it: a node costs about
            as much as there are crowds. Counted, not timed: the answer is the same on every machine.
        feasible: tolerance of HiGHS in units of an average offer; the smallest that it takes is 1e-10.
        slack: sums over everybody are exact to about this share of a limit, or of what all offers are worth.
    """

    chunk: int = 32_768
    whole: int = 1_000
    sample: int = 1_000_000
    warm: int = 10_000
    growth: int = 10
    errors: float = 4.0
    boxes: int = 30
    planes: int = 3_000
    exact: float = 1e-13
    patience: int = 3
    nudge: float = 1e-6
    core: int = 32
    rounds: tuple[int, ...] = (32, 128, 512, 2_048)
    level: float = 1e-9
    nodes: int = 32_000
    feasible: float = 1e-9
    slack: float = 1e-12


EFFORT = Effort()
