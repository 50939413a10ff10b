"""Why a plan is as it is, and why there is none: reasons in words, minimal conflicts, least relaxation."""
