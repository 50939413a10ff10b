"""A seed goes in, a world nobody made comes out: every mechanism drawn, not only its numbers."""

from targeting.world.random.draw import draw_world

__all__ = ["draw_world"]
