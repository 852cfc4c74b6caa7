"""The marker `energy`: what it takes, checked when tests are collected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any

import pytest

from pytest_lem.errors import did_you_mean

_LIMITS = ("ttft_s", "tpot_s", "e2e_s")
_NUMBERS = ("work", "max_joules", "max_joules_per_unit", "min_window", "promise")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyMark:
    """The arguments of `@pytest.mark.energy(...)`.

    Attributes:
        work: units of work in one call, or in the body of the test.
        unit: what those units are called.
        name: key of the case in place of the test's name.
        max_joules: budget for one call or request.
        max_joules_per_unit: budget for one unit of work; of a language model: one output token.
        rounds: windows measured.
        min_window: shortest window in seconds.
        fail_on: rules of the gate, as `--lem-fail-on` takes them, in place of the session's.
        slo: limits on the latency of a request, as the settings `slo.*` have them.
        promise: change in per cent that the gate undertakes to find, in place of the session's.

    """

    work: float | None = None
    unit: str | None = None
    name: str | None = None
    max_joules: float | None = None
    max_joules_per_unit: float | None = None
    rounds: int | None = None
    min_window: float | None = None
    fail_on: tuple[str, ...] | None = None
    promise: float | None = None
    slo: Mapping[str, float] | None = None


#: The markers of the collected tests that ask for energy. One mapping for all of them: thousands
#: of entries in the stashes of items are felt whenever garbage is collected.
_MARKS = pytest.StashKey[dict[pytest.Item, EnergyMark]]()

_UNMARKED = EnergyMark()
_KNOWN = [field.name for field in fields(EnergyMark)]


def check_marks(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Read the marker of each test; the parameters of a test share what is read from it."""
    known: dict[int, EnergyMark] = {}
    marks = config.stash[_MARKS] = {}
    for item in items:
        key = id(item.get_closest_marker("energy"))  # marks live as long as their tests
        if key not in known:
            known[key] = _energy_mark(item)
        marks[item] = known[key]


def mark_of(item: pytest.Item) -> EnergyMark:
    """Return the arguments of a test's marker, as they were when tests were collected."""
    return item.config.stash[_MARKS].get(item, _UNMARKED)


def _energy_mark(item: pytest.Item) -> EnergyMark:
    """Return the arguments of the closest marker, all None without one.

    Raises pytest.UsageError that names the test for what the marker does not take.
    """
    marker = item.get_closest_marker("energy")
    if marker is None:
        return _UNMARKED
    if marker.args:
        raise _mistake(item, f"takes keywords only, not {marker.args[0]!r}")
    for name, value in marker.kwargs.items():
        if name not in _KNOWN:
            raise _mistake(item, f"unknown keyword `{name}`; {did_you_mean(name, _KNOWN)}")
        if problem := _problem(name, value):
            raise _mistake(item, f"`{name}` {problem}, not {value!r}")
    arguments = dict(marker.kwargs)
    if (fail_on := arguments.get("fail_on")) is not None:
        arguments["fail_on"] = _rules(item, fail_on)
    return EnergyMark(**arguments)


def _rules(item: pytest.Item, fail_on: Any) -> tuple[str, ...]:
    """Return rules as texts, once they are found to be rules."""
    from pytest_lem.errors import LemError
    from pytest_lem.gate.rule import rules_of

    texts = (fail_on,) if isinstance(fail_on, str) else fail_on
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise _mistake(item, f"`fail_on` is a text or a list of texts, not {fail_on!r}")
    try:
        rules_of(texts, "`fail_on`")
    except LemError as error:
        raise _mistake(item, str(error)) from None
    return tuple(texts)


def _problem(name: str, value: Any) -> str | None:
    if value is None:
        return None
    if name in _NUMBERS and not (_is_number(value) and value > 0):
        return "is a number above 0"
    if name == "rounds" and not (isinstance(value, int) and _is_number(value) and value > 0):
        return "is a whole number from 1 up"
    if name == "slo" and not _are_limits(value):
        return f"is a mapping of {', '.join(_LIMITS)} to seconds above 0"
    if name in {"unit", "name"} and not (isinstance(value, str) and value.strip()):
        return "is a text"
    return None


def _are_limits(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        name in _LIMITS and _is_number(limit) and limit > 0 for name, limit in value.items()
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _mistake(item: pytest.Item, what: str) -> pytest.UsageError:
    return pytest.UsageError(f"{item.nodeid}: @pytest.mark.energy: {what}")
