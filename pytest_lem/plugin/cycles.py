"""Cycles: every case measured several times in one session, each time with a host of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_lem.plugin.settings import session_layers

if TYPE_CHECKING:
    from pytest_lem.plugin.session import LemSession

PARAMETER = "lem_cycle"


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Let a test that asks for energy run once for each cycle, if there are several."""
    count = cycles(metafunc.config)
    if count > 1:
        metafunc.fixturenames.append(PARAMETER)
        numbers = range(1, count + 1)
        ids = [f"cycle:{number}" for number in numbers]
        metafunc.parametrize(PARAMETER, numbers, ids=ids, indirect=True)


def cycles(config: pytest.Config) -> int:
    """Return how often each case is measured; a wrong value is refused with the other settings."""
    found = session_layers(config).leaves.get(("cycles",))
    return found.value if found and isinstance(found.value, int) else 1


def cycle_of(item: pytest.Item) -> int | None:
    """Return the cycle of a test, None where there is only one."""
    callspec = getattr(item, "callspec", None)
    return callspec.params.get(PARAMETER) if callspec else None


def order(items: list[pytest.Item], asking: list[pytest.Item]) -> None:
    """Let a cycle end before the next begins, in the places that such tests have."""
    places = {id(item) for item in asking}
    present = (item for item in items if id(item) in places)
    ordered = iter(sorted(present, key=lambda item: cycle_of(item) or 0))
    items[:] = [next(ordered) if id(item) in places else item for item in items]


class Cycle:
    """Ends the resident host between cycles."""

    def __init__(self, session: LemSession) -> None:
        self._session = session
        self._current: int | None = None

    def enter(self, item: pytest.Item) -> None:
        """Take note of the test that is next."""
        cycle = cycle_of(item)
        if cycle != self._current and self._current is not None:
            self._session.pool.close()
        self._current = cycle
