"""What people write by hand, YAML, as typed values. In: a path. Out: settings of a job, or a brief."""
