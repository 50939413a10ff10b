"""What money buys. In: money and delivery per campaign, day and cell, or a console's report. Out: curves.

`pressure` finds on how many people money was spread, `units` is the input of the one regression, `fit`, whose
curve is `price`; `response` is the result; `curves` evaluates any curve; `delivery_report` learns from
reports alone.
"""
