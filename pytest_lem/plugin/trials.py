"""Trials of backends as parameters of a test."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import prod
from typing import Any

import pytest

from pytest_lem.config.trial import Trial, trials_of
from pytest_lem.errors import LemError
from pytest_lem.plugin.availability import has_interpreter
from pytest_lem.plugin.options import given
from pytest_lem.plugin.settings import axis_values, session_layers
from pytest_lem.registry import BACKENDS, entries, load

_EXAMPLES = ("all", "one")
#: Options whose product is the number of devices.
_PARALLEL = ("tensor_parallel_size", "pipeline_parallel_size")


def backend_trials(config: pytest.Config) -> list[Any]:
    """Return a row of backend and `Trial` for everything that the backends can be told.

    They are the backends that were named, or all. With `--lem-examples=one` each parameter is tried
    with one value. Values that need a GPU are skipped by name where there is none, and those for
    which a backend says that something else is missing.
    """
    named = axis_values(config, "backend")
    names = named.value if named else sorted(entries(BACKENDS))
    return [row for name in names for row in _rows(config, name)]


def _rows(config: pytest.Config, name: str) -> Iterator[Any]:
    """Yield the rows of one backend, each with the mark that skips what cannot be done here."""
    try:
        backend = load(BACKENDS, name)
    except LemError as error:
        raise pytest.UsageError(str(error)) from None
    trials = trials_of(
        backend.Options, backend.precisions, refuses=backend.refuses, is_quick=_is_quick(config)
    )
    is_apart = has_interpreter(session_layers(config), name)
    for trial in trials:
        reason = _few_gpus(name, trial) or _untried(backend, trial, has_interpreter=is_apart)
        marks = [pytest.mark.skip(reason=reason)] if reason else []
        yield pytest.param(name, trial, id=f"{name}-{trial.id}", marks=marks)


def _is_quick(config: pytest.Config) -> bool:
    found = given(config, "examples")
    if found is None:
        return False
    if found.value not in _EXAMPLES:
        raise pytest.UsageError(f"{found.origin}: say all or one, not {found.value!r}")
    return bool(found.value == "one")


def _few_gpus(name: str, trial: Trial) -> str | None:
    """Say that a trial needs more GPUs than there are."""
    if not trial.needs_gpu:
        return None
    sizes = (trial.options.get(axis, 1) for axis in _PARALLEL)
    wanted, visible = prod(sizes), _visible_gpus()
    if wanted <= visible:
        return None
    return f"`{name}` needs {wanted} GPU for {trial.id}, and {visible} are visible"


def _untried(backend: Any, trial: Trial, *, has_interpreter: bool) -> str | None:
    """Return what the backend itself says that is missing."""
    asked = getattr(backend, "untried", None)
    if asked is None:
        return None
    found: str | None = asked(trial.options, gpus=_visible_gpus(), has_interpreter=has_interpreter)
    return found


@cache
def _visible_gpus() -> int:
    from pytest_lem.energy.gpu.driver import Driver
    from pytest_lem.plugin.exclusivity import visible_boards

    return len(visible_boards(Driver()))
