"""Does it hold? In: scores and what came of people. Out: uplift, policy value, drift, the champion."""
