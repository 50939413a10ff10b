"""The independent checker: plain loops over the brief and the true curves.

It shares nothing with `formulation` and `solver` but the value of a curve, so that two answers can disagree.
"""
