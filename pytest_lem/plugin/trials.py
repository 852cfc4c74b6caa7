"""Trials of backends as parameters of a test."""

from __future__ import annotations

from functools import cache
from math import prod
from typing import Any

import pytest

from pytest_lem.config.trial import Trial, trials_of
from pytest_lem.errors import LemError
from pytest_lem.plugin.options import given
from pytest_lem.plugin.settings import axis_values
from pytest_lem.registry import BACKENDS, entries, load

_EXAMPLES = ("all", "one")
#: Options whose product is the number of devices.
_PARALLEL = ("tensor_parallel_size", "pipeline_parallel_size")


def backend_trials(config: pytest.Config) -> list[Any]:
    """Return a row of backend and `Trial` for everything that the backends can be told.

    They are the backends that were named, or all. With `--lem-examples=one` each parameter is tried
    with one value. Values that need a GPU are skipped by name where there is none.
    """
    named = axis_values(config, "backend")
    names = named.value if named else sorted(entries(BACKENDS))
    return [
        pytest.param(name, trial, id=f"{name}-{trial.id}", marks=_marks(name, trial))
        for name in names
        for trial in _trials(name, is_quick=_is_quick(config))
    ]


def _trials(name: str, *, is_quick: bool) -> list[Trial]:
    """Return the trials of one backend; one that cannot be loaded is left to its own test."""
    try:
        backend = load(BACKENDS, name)
    except LemError as error:
        raise pytest.UsageError(str(error)) from None
    return trials_of(
        backend.Options, backend.precisions, refuses=backend.refuses, is_quick=is_quick
    )


def _is_quick(config: pytest.Config) -> bool:
    found = given(config, "examples")
    if found is None:
        return False
    if found.value not in _EXAMPLES:
        raise pytest.UsageError(f"{found.origin}: say all or one, not {found.value!r}")
    return bool(found.value == "one")


def _marks(name: str, trial: Trial) -> list[Any]:
    """Skip what needs more GPUs than there are."""
    if not trial.needs_gpu:
        return []
    sizes = (trial.options.get(axis, 1) for axis in _PARALLEL)
    wanted, visible = prod(sizes), _visible_gpus()
    if wanted <= visible:
        return []
    reason = f"`{name}` needs {wanted} GPU for {trial.id}, and {visible} are visible"
    return [pytest.mark.skip(reason=reason)]


@cache
def _visible_gpus() -> int:
    from pytest_lem.energy.gpu.driver import Driver
    from pytest_lem.plugin.exclusivity import visible_boards

    return len(visible_boards(Driver()))
