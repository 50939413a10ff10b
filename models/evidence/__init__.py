"""Evidence: how far logged outcomes agree with the scores, cell by cell, and how sure that makes us.

`follows` and `fans` lay what was logged beside what was predicted, `factors` pools the ratios and draws them.
"""

from models.evidence.factors import Evidence, cell_evidence

__all__ = ["Evidence", "cell_evidence"]
