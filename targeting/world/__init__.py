"""Simulated merchants whose truth is known: logs to learn from, plans to judge, an oracle to compare with.

Nothing in `models` or the rest of `targeting` may import this package: the worlds are an instrument, not a
target.
"""

from targeting.world.kinds import KINDS, Kind
from targeting.world.merchant import World, simulate
from targeting.world.truth import Realised, Truth

__all__ = ["KINDS", "Kind", "Realised", "Truth", "World", "simulate"]
