"""The parts of the report. In: a plan and its reader. Out: a `Section` each, or None."""
