"""What happens to the collected tests: checks, skips, order, and the start of the session."""

from __future__ import annotations

import importlib.util
from collections import defaultdict
from typing import Any

import pytest

from pytest_lem.errors import LemError
from pytest_lem.plugin.header import header_line
from pytest_lem.plugin.items import call_key, param, uses, uses_any
from pytest_lem.plugin.markers import check_marks, mark_of
from pytest_lem.plugin.measuring import Measuring
from pytest_lem.plugin.options import AXES
from pytest_lem.plugin.parametrize import default_of
from pytest_lem.plugin.session import LOAD_AXES, SESSION, LemSession
from pytest_lem.plugin.settings import axis_values, mode
from pytest_lem.registry import BACKENDS, load


def prepare(config: pytest.Config, items: list[pytest.Item], asking: list[pytest.Item]) -> None:
    """Check the tests that ask for energy, and make the session that measures them."""
    if mode(config) == "only":
        _deselect_others(config, items, asking)
    if not asking:
        return
    _warn_about_rival(config)
    check_marks(config, asking)
    _refuse_duplicate_names(asking)
    inferring = [item for item in asking if uses(item, "inference")]
    try:
        _refuse_unused_axes(config, inferring)
        _require_backends(config, inferring)
        session = LemSession(config)
    except LemError as error:
        raise pytest.UsageError(str(error)) from None
    _refuse_short_timeouts(session, asking)
    _group_by_load(session, items, inferring)
    session.tests = len(asking)
    session.planned_s = sum(planned_seconds(session, item) for item in asking)
    session.header = header_line(session)
    config.stash[SESSION] = session
    config.pluginmanager.register(Measuring(session), "lem-measuring")


def _deselect_others(
    config: pytest.Config, items: list[pytest.Item], asking: list[pytest.Item]
) -> None:
    chosen = {id(item) for item in asking}
    others = [item for item in items if id(item) not in chosen]
    items[:] = [item for item in items if id(item) in chosen]
    if others:
        config.hook.pytest_deselected(items=others)


def _warn_about_rival(config: pytest.Config) -> None:
    if config.pluginmanager.hasplugin("pytest_energy_reporter"):
        config.issue_config_time_warning(
            pytest.PytestWarning(
                "pytest-energy-reporter also uses the marker `energy` and runs such tests again; "
                "switch one of the two off with `-p no:pytest_energy_reporter` or `-p no:lem`"
            ),
            stacklevel=2,
        )


def _refuse_duplicate_names(items: list[pytest.Item]) -> None:
    """Refuse two `call` cases of one key, which would be one line of history."""
    owners: dict[str, pytest.Item] = {}
    for item in items:
        if uses(item, "inference"):
            continue
        key = call_key(item)
        other = owners.setdefault(key, item)
        if other is not item and other.nodeid != item.nodeid:
            raise pytest.UsageError(
                f"{item.nodeid} and {other.nodeid} would both be stored as `{key}`; give one of "
                "them another name with @pytest.mark.energy(name=...)"
            )


def _refuse_unused_axes(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse several values for an axis that a test does not ask for."""
    for name in AXES:
        found = axis_values(config, name)
        if not found or len(found.value) == 1:
            continue
        for item in items:
            if param(item, name) is None:
                raise pytest.UsageError(
                    f"{item.nodeid} does not take `{name}`, so several values of {found.origin} "
                    f"cannot reach it; add `{name}` to its arguments, or give one value"
                )


def _require_backends(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse a missing backend that the user named; skip one that only a list names."""
    named = axis_values(config, "backend")
    wanted = {param(item, "backend") for item in items}
    missing = {name: sentence for name in wanted if name and (sentence := missing_backend(name))}
    if named and items:
        for name in named.value:
            if sentence := missing.get(name) or missing_backend(name):
                raise pytest.UsageError(f"{named.origin}: {sentence}")
    for item in items:
        if sentence := missing.get(param(item, "backend")):
            item.add_marker(pytest.mark.skip(reason=sentence))


def missing_backend(name: str) -> str | None:
    """Return a sentence with the install command if a backend's packages are not there.

    A backend that is not registered is left to the test, which then fails with its own sentence.
    """
    try:
        backend = load(BACKENDS, name)
    except LemError:
        return None
    lacking = [package for package in backend.requires if not importlib.util.find_spec(package)]
    if not lacking:
        return None
    return f"the backend `{name}` needs {', '.join(lacking)}; run: {backend.install}"


def _refuse_short_timeouts(session: LemSession, items: list[pytest.Item]) -> None:
    """Refuse a pytest-timeout that would end a measurement which goes as planned."""
    config = session.config
    if session.is_off or not config.pluginmanager.hasplugin("timeout"):
        return
    for item in items:
        limit_s = _timeout_s(config, item)
        planned_s = planned_seconds(session, item)
        if limit_s and limit_s < planned_s:
            raise pytest.UsageError(
                f"{item.nodeid}: the timeout of {limit_s:g} s is shorter than the windows alone, "
                f"{planned_s:g} s; raise the timeout or shorten measure.rounds and "
                "measure.min_window_s"
            )


def planned_seconds(session: LemSession, item: pytest.Item) -> float:
    """Return the seconds that the windows of a test that asks for energy take at least."""
    mark = mark_of(item)
    measure = session.base.settings.measure
    is_body = not uses_any(item)
    rounds = mark.rounds or (1 if is_body else measure.rounds)
    window_s = mark.min_window if mark.min_window is not None else measure.min_window_s
    return 0.0 if is_body and mark.min_window is None else rounds * window_s


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


def _group_by_load(
    session: LemSession, items: list[pytest.Item], inferring: list[pytest.Item]
) -> None:
    """Let tests that share a load follow each other, in the places that such tests have.

    The largest batch of each group is noted: an engine that reserves memory is loaded for it.
    """
    groups: dict[tuple[Any, ...], list[pytest.Item]] = defaultdict(list)
    defaults = {name: default_of(session.config, name) for name in AXES}
    for item in inferring:
        key = tuple(param(item, name) or defaults[name] for name in LOAD_AXES)
        groups[key].append(item)
        size = param(item, "batch_size") or defaults["batch_size"]
        if isinstance(size, int):  # a wrong one is left to its test
            session.largest_batch[key] = max(size, session.largest_batch.get(key, 1))
    ordered = iter([item for group in groups.values() for item in group])
    places = {id(item) for item in inferring}
    items[:] = [next(ordered) if id(item) in places else item for item in items]
