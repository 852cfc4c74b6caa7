"""The start of a session that measures: settings, meters, and what it will take."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_lem.config.resolve import Resolved
from pytest_lem.errors import LemError
from pytest_lem.plugin.assignment import assign_devices
from pytest_lem.plugin.exclusivity import Exclusivity
from pytest_lem.plugin.header import header_line
from pytest_lem.plugin.items import (
    combination,
    contest_in,
    is_body_the_work,
    is_bridged,
    uses,
)
from pytest_lem.plugin.markers import mark_of
from pytest_lem.plugin.measuring import Measuring
from pytest_lem.plugin.selection import note_collected
from pytest_lem.plugin.session import SESSION, LemSession
from pytest_lem.plugin.settings import is_told


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
    session.tests = len(asking)
    session.planned_s = sum(planned_seconds(session, item) for item in asking)
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


def planned_seconds(session: LemSession, item: pytest.Item) -> float:
    """Return the seconds that windows and idle phases of an energy test take at least."""
    if item.get_closest_marker("skip"):
        return 0.0
    mark = mark_of(item)
    method = session.method(_resolved(session, item))
    is_body = is_body_the_work(item)
    rounds = mark.rounds or (1 if is_body else method.rounds)
    window_s = mark.min_window if mark.min_window is not None else method.min_window_s
    if is_body:
        return 0.0 if mark.min_window is None else rounds * window_s
    if contest_in(item):
        pair = session.base.settings.pair
        return 2 * pair.pairs * window_s + 4 * pair.loads * method.idle_s
    is_split = method.is_split and uses(item, "inference")
    return rounds * window_s * (2 if is_split else 1) + 2 * method.idle_s


def _resolved(session: LemSession, item: pytest.Item) -> Resolved:
    """Return the settings of the session, with what a sweep has for this test."""
    swept = combination(item)
    if swept is None:
        return session.base
    layers = session.layers.copy()
    swept.lay_over(layers)
    return session.resolve(layers)


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
