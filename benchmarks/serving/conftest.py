"""Servers are measured where they are asked for: `--lem-backend=openai` with a command or a URL."""

from __future__ import annotations

import os

import pytest


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Leave these modules out of a run of other backends."""
    asked = config.getoption("lem_backend") or os.environ.get("LEM_BACKEND", "")
    return None if "openai" in str(asked) else True
