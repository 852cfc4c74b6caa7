"""For tests on boards that are made: a cache in which these boards are known already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from standin import Board

from pytest_lem.energy.counter.verdicts import Verdicts

#: The driver that the stand-in plays, if nothing else is said.
DRIVER = "580.82.07"


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let processes started from here use an empty cache of their own, and return it."""
    path = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(path))
    return path


@pytest.fixture
def observed(cache: Path) -> Callable[..., None]:
    """Have in that cache that reading does not disturb the board that tests have by default.

    The function that is returned does that for others. To find it out takes six seconds, which is
    left to the tests that are about it.
    """

    def know(*uuids: str) -> None:
        for uuid in uuids:
            Verdicts().put(uuid, DRIVER, is_disturbed=False)

    know(Board().uuid)
    return know
