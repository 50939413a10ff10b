"""What money buys. In: money and delivery per day and cell, or a console's report. Out: response curves.

`pooled_fit` holds the regression, `price_shapes` its curves, `panel` its input, `family_choice` the family,
`curve_draws` the doubt; `response` puts them together; `curves` evaluates any curve; `delivery_report` learns
from reports alone.
"""
