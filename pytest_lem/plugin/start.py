"""The start of a session that measures: settings, meters, and what it will take."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_lem.errors import LemError
from pytest_lem.plugin.assignment import assign_devices
from pytest_lem.plugin.exclusivity import Exclusivity
from pytest_lem.plugin.header import header_line
from pytest_lem.plugin.items import contest_in, is_bridged
from pytest_lem.plugin.measuring import Measuring
from pytest_lem.plugin.narrator import STEPS_VERBOSITY, Narrator
from pytest_lem.plugin.selection import note_collected
from pytest_lem.plugin.session import SESSION, LemSession
from pytest_lem.plugin.settings import is_told
from pytest_lem.plugin.timetable import is_due, planned_seconds, session_seconds


def start(
    config: pytest.Config,
    asking: list[pytest.Item],
    largest_batch: dict[tuple[Any, ...], int],
    collected: list[pytest.Item],
) -> None:
    """Make the session for the tests that ask for energy; mistakes are usage errors."""
    assign_devices(config)
    try:
        session = LemSession(config, asking)
    except LemError as error:
        raise pytest.UsageError(str(error)) from None
    _refuse_short_timeouts(session, asking)
    session.largest_batch = largest_batch
    session.tests = sum(map(is_due, asking))
    session.planned_s = session_seconds(session, asking)
    session.header = header_line(session)
    if session.judging:
        note_collected(config, collected)
    config.stash[SESSION] = session
    config.pluginmanager.register(Measuring(session), "lem-measuring")
    if session.panel.watch and not config.option.collectonly:
        session.panel.watch.note(session.visible_gpus)
    if is_told(config):
        from pytest_lem.plugin.notifying import tell_start

        tell_start(config, session)
    if not session.is_off:
        if config.get_verbosity("lem") >= STEPS_VERBOSITY:
            config.pluginmanager.register(Narrator(config), "lem-narrator")
        config.pluginmanager.register(Exclusivity(config), "lem-exclusivity")
        _bridge(session, [item for item in asking if is_bridged(item)])


def _bridge(session: LemSession, items: list[pytest.Item]) -> None:
    """Have what tests give to pytest-benchmark measured, if any do."""
    if items:
        from pytest_lem.plugin.bridge.hooks import start_bridge

        start_bridge(session, items, sum(planned_seconds(session, item) for item in items))


def _refuse_short_timeouts(session: LemSession, items: list[pytest.Item]) -> None:
    """Refuse a pytest-timeout that would end a measurement which goes as planned."""
    config = session.config
    if session.is_off or not config.pluginmanager.hasplugin("timeout"):
        return
    for item in items:
        limit_s = _timeout_s(config, item)
        # What is flagged by the gate is measured again, by pairs up to twice as often.
        again = (3 if contest_in(item) else 2) if session.judging or session.pair_judging else 1
        planned_s = planned_seconds(session, item) * again
        if limit_s and limit_s < planned_s:
            raise pytest.UsageError(
                f"{item.nodeid}: the timeout of {limit_s:g} s is shorter than its windows and "
                f"rests, {planned_s:g} s; raise the timeout or shorten measure.rounds and "
                "measure.min_window_s"
            )


def _timeout_s(config: pytest.Config, item: pytest.Item) -> float | None:
    marker = item.get_closest_marker("timeout")
    if marker:
        value = marker.args[0] if marker.args else marker.kwargs.get("timeout")
    else:
        value = config.getoption("timeout", None) or config.getini("timeout")
    try:
        return float(value) if value else None
    except (TypeError, ValueError):
        return None
