"""What a console takes. In: a plan, the rules of a console. Out: units, bids, schedules, sheets and packs.

It must not touch the disk and decides nothing: money that a platform's minimums leave over is told.
"""
