"""Tests of what containers are made from; no container engine is needed, and none is used."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))


#: What was parsed already, by arguments: a parser of pytest is slow to make.
_PARSED: dict[tuple[str, ...], Any] = {}


@pytest.fixture
def parse(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return the parser of pytest with the plugin, away from what surrounds the tests."""
    for name in list(os.environ):
        if name.startswith(("LEM_", "PYTEST_ADDOPTS")):
            monkeypatch.delenv(name)

    def parsed(*arguments: str) -> Any:
        if arguments not in _PARSED:
            _PARSED[arguments] = pytester.parseconfig(*arguments)
        return _PARSED[arguments]

    return parsed
