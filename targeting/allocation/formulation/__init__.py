"""From the brief to the canonical problem: selections, limits of cells, coupling rows.

It knows the brief and `problem`; it never solves.
"""
