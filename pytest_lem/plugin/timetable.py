"""How long a session takes at least, as far as its settings know."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pytest_lem.config.models import Settings
from pytest_lem.config.resolve import Resolved
from pytest_lem.config.traffic import BY_NAME
from pytest_lem.errors import LemError
from pytest_lem.measure.method import Method
from pytest_lem.plugin.items import combination, contest_in, is_body_the_work, param, uses
from pytest_lem.plugin.markers import mark_of
from pytest_lem.plugin.session import LemSession

#: Parameters of a test that make traffic, or change it.
_OF_TRAFFIC = ("traffic", *BY_NAME)


def session_seconds(session: LemSession, items: Sequence[pytest.Item]) -> float:
    """Return the seconds of all windows, ramps, idle phases and gaps of energy tests.

    Unknown beforehand, and left out: loading, warm-ups, cooling down, and how long traffic drains.
    """
    gap_s = session.base.settings.measure.gap_s
    return sum(planned_seconds(session, item) + gap_s for item in items if is_due(item))


def is_due(item: pytest.Item) -> bool:
    """Tell whether a test will run, as far as that is known before it is its turn."""
    return item.get_closest_marker("skip") is None


def planned_seconds(session: LemSession, item: pytest.Item) -> float:
    """Return the seconds that windows and idle phases of an energy test take at least.

    The gap before it is not in them: it is not charged to the test.
    """
    if not is_due(item):
        return 0.0
    mark = mark_of(item)
    resolved = _resolved(session, item)
    method = session.method(resolved)
    is_body = is_body_the_work(item)
    rounds = mark.rounds or (1 if is_body else method.rounds)
    window_s = mark.min_window if mark.min_window is not None else method.min_window_s
    if is_body:
        return 0.0 if mark.min_window is None else rounds * window_s
    if uses(item, "inference"):
        window_s = _with_traffic(window_s, resolved.settings)
        rounds *= 2 if _is_split(method, resolved.settings) else 1
    if contest_in(item):
        pair = session.base.settings.pair
        return 2 * pair.pairs * window_s + 4 * pair.loads * method.idle_s
    return rounds * window_s + 2 * method.idle_s


def _is_split(method: Method, settings: Settings) -> bool:
    """Tell whether prefill is measured by itself as well, which takes as many windows again."""
    return method.is_split and settings.traffic.arrivals is None


def _with_traffic(window_s: float, settings: Settings) -> float:
    """Return the length of a window with the ramp before it, where requests arrive over time."""
    asked = settings.traffic
    if asked.arrivals is None:
        return window_s
    from pytest_lem.measure.online import SHORTEST_S
    from pytest_lem.workloads.traffic import Traffic

    traffic = Traffic(arrivals=asked.arrivals, rate=asked.rate, ramp_s=asked.ramp_s)
    return traffic.ramp_s + max(window_s, traffic.least_window_s, SHORTEST_S)


def _resolved(session: LemSession, item: pytest.Item) -> Resolved:
    """Return the settings of the session, with what a sweep and parameters have for this test."""
    is_traffic = any(param(item, name) is not None for name in _OF_TRAFFIC)
    swept = combination(item)
    if is_traffic and uses(item, "inference"):
        from pytest_lem.plugin.planning import layers_for

        try:
            return session.resolve(layers_for(session, item, {}))
        except LemError:  # which is told by the test
            return session.base
    if swept is None:
        return session.base
    layers = session.layers.copy()
    swept.lay_over(layers)
    return session.resolve(layers)
