"""The hooks of a session in which what tests give to pytest-benchmark is measured."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import pytest

from pytest_lem.plugin.bridge.energypass import EnergyPass
from pytest_lem.plugin.bridge.fixture import add_pass, check_understood
from pytest_lem.plugin.items import is_bridged
from pytest_lem.plugin.session import LemSession
from pytest_lem.reports.figures import duration

_FIXTURE, _HOME = "benchmark", "pytest_benchmark.plugin"


class Bridge:
    """Registered only when such tests were collected."""

    def __init__(self, session: LemSession) -> None:
        self._session = session

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Add the pass to pytest-benchmark's own fixture, wherever others build on it."""
        value = yield
        if fixturedef.argname == _FIXTURE and fixturedef.func.__module__ == _HOME:
            item = request.node
            if is_bridged(item):
                add_pass(value, EnergyPass(self._session, item))
        return value


def start_bridge(session: LemSession, items: Sequence[pytest.Item], planned_s: float) -> None:
    """Have the tests measured, and announce what that takes; a usage error where it cannot be."""
    check_understood()
    session.config.pluginmanager.register(Bridge(session), "lem-bridge")
    running = [item for item in items if item.get_closest_marker("skip") is None]
    if running:
        session.header += f"\n{_announcement(len(running), planned_s)}"


def _announcement(count: int, planned_s: float) -> str:
    text = "1 benchmark gets" if count == 1 else f"{count} benchmarks get"
    text = f"lem: {text} an energy pass after the rounds of pytest-benchmark"
    if planned_s < 1:
        return text
    return f"{text}: at least {duration(planned_s)} in all, less where calls are set up one by one"
