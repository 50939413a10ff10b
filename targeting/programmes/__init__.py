"""The platform's support. In: rules as data, a brief. Out: explained verdicts, the brief with their gifts.

It must not import anything that decides: what a programme is worth is in `targeting.decision`.
"""
