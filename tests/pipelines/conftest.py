"""Fixtures of the shell's tests: each test has its own MLflow store and its own working directory."""

from __future__ import annotations

import pytest

from pipelines.shell import silence_libraries


@pytest.fixture
def store(tmp_path, monkeypatch):
    """URI of a fresh sqlite store; the working directory is the test's own."""
    silence_libraries()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return f"sqlite:///{tmp_path / 'mlflow.db'}"
