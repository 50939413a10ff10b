"""The certified optimiser: column generation, Lagrangian certificate, branch and price, whole li.

The only room that imports cvxpy. `solve` is the entry; `layout` and `program` are the problem as arrays.
"""
