"""What a test tells about itself."""

from __future__ import annotations

import hashlib
import inspect
from typing import TYPE_CHECKING, Any

import pytest

from pytest_lem.plugin import hooks
from pytest_lem.plugin.hooks import uses_any_of_ours, uses_benchmark, uses_ours
from pytest_lem.plugin.markers import mark_of
from pytest_lem.results.nodeid import without_cycle

if TYPE_CHECKING:  # a session without a sweep has no combinations
    from pytest_lem.config.contest import Contest
    from pytest_lem.config.grid import Combination

_PLACE = pytest.StashKey[str]()


def param(item: pytest.Item, name: str) -> Any:
    """Return a parameter of a test, or what its combination of a sweep has for it, or None."""
    callspec = getattr(item, "callspec", None)
    if callspec is None:
        return None
    value = callspec.params.get(name)
    if value is None and (chosen := combination(item)):
        return chosen.value(name)
    return value


def combination(item: pytest.Item) -> Combination | None:
    """Return the combination of a sweep with which a test runs, or None."""
    callspec = getattr(item, "callspec", None)
    found = callspec.params.get("inference") if callspec else None
    if found is None:
        return None
    from pytest_lem.config.grid import Combination

    return found if isinstance(found, Combination) else None


def contest_in(item: pytest.Item) -> Contest | None:
    """Return the two sides that a test compares, or None."""
    found = combination(item)
    if found is None:
        return None
    from pytest_lem.config.contest import Contest

    return found if isinstance(found, Contest) else None


def uses(item: pytest.Item, fixture: str) -> bool:
    """Tell whether a test uses a fixture, by itself or through others."""
    return uses_ours(item, fixture)


def uses_any(item: pytest.Item) -> bool:
    """Tell whether a test uses one of our fixtures."""
    return uses_any_of_ours(item)


def asks_for_energy(item: pytest.Item) -> bool:
    """Tell whether a test has the marker, or uses what makes it one that is measured."""
    return hooks.asks_for_energy(item)


def is_body_the_work(item: pytest.Item) -> bool:
    """Tell whether a test has the marker and no fixture that says what to measure."""
    if uses_any(item) or uses_benchmark(item):
        return False
    return item.get_closest_marker("energy") is not None


def is_bridged(item: pytest.Item) -> bool:
    """Tell whether what a test gives to pytest-benchmark is measured.

    A test that uses one of our fixtures as well measures what it gives to that.
    """
    return uses_benchmark(item) and not uses_any(item) and asks_for_energy(item)


def call_key(item: pytest.Item) -> str:
    """Return the key of a `call` case: the marker's name, else module and test with its id."""
    mark = mark_of(item)
    if mark.name:
        callspec = getattr(item, "callspec", None)
        return without_cycle(f"{mark.name}[{callspec.id}]") if callspec else mark.name
    home = (item.parent or item).stash
    if _PLACE not in home:
        home[_PLACE] = _place(item)
    return without_cycle(f"{home[_PLACE]}::{item.name}")


def _place(item: pytest.Item) -> str:
    """Return module and class, which the tests of one parent have in common."""
    module = getattr(item, "module", None)
    owner = getattr(item, "cls", None)
    name = module.__name__ if module else item.path.stem
    return f"{name}::{owner.__name__}" if owner else str(name)


def source_sha256(item: pytest.Item) -> str | None:
    """Return the hash of a test function's source: a change is a warning, never a new key."""
    function: Any = getattr(item, "function", None)
    try:
        return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()
    except (OSError, TypeError):
        return None
