"""Other budgets, other briefs, other curves: frontier, scenarios and the value of information."""
