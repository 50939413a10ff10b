"""Every job's default settings, one YAML file a job; `pipelines.config` reads them as package data."""
