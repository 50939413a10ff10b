"""The planner's page. In: a plan directory. Out: what the plan would be under another brief, in a browser."""
