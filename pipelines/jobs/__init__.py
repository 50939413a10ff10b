"""One file a command. In: paths and settings. Out: one MLflow run, one directory written whole, a result."""
