"""How it runs: jobs, engines, storage, MLflow runs and the command line."""
