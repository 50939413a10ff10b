"""Supply: how many impressions money buys, cell by cell.

`fit` holds the regression, `shapes` its curves, `panel` its input, `choice` the family, `draws` the doubt.
"""
