"""A tuning number is right where the truth is of the size that it states; 2.5 times less or more of it loses.

Each check simulates many small shops whose hidden truth is drawn with the deviation that the setting's text
gives, and compares what is estimated with it. So a default changed by more than 1.6 (sqrt 2.5) either way
fails.
"""

from dataclasses import replace

FACTOR = 2.5


def check(monkeypatch, module, settings, name, loss):
    """`loss()` is less at the value of a field of `module.<settings>` than at 2.5 times less or more."""
    base = getattr(module, settings)
    value = getattr(base, name)

    def at(changed):
        monkeypatch.setattr(module, settings, replace(base, **{name: changed}))
        return float(loss())

    losses = [at(factor * value) for factor in (1.0 / FACTOR, 1.0, FACTOR)]
    assert losses[1] < min(losses[0], losses[2]), f"{name} = {value}: {losses}"
