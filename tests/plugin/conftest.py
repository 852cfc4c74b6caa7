"""Runs of pytest with the plugin, as users start them, away from what surrounds the tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

# An inner run in this process forgets the modules that it imports, and classes made twice are
# not the same: everything it may need is therefore imported here.
import pytest_lem.plugin.body
import pytest_lem.plugin.collection
import pytest_lem.plugin.collector
import pytest_lem.plugin.header
import pytest_lem.plugin.inference
import pytest_lem.reports.progress
import pytest_lem.reports.table  # noqa: F401
from pytest_lem import RunFile, read_run
from pytest_lem.energy.estimated import EstimatedMeter  # noqa: F401

Run = Callable[..., pytest.RunResult]

_SURROUNDINGS = ("LEM_", "PYTEST_", "COLUMNS", "FORCE_COLOR", "NO_COLOR", "CI", "GITHUB_", "BUILD_")


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away the variables by which the outer run, a user or a CI would be felt inside."""
    for name in list(os.environ):
        if name.startswith(_SURROUNDINGS) and name != "PYTEST_CURRENT_TEST":
            monkeypatch.delenv(name)


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """Return an empty suite whose runs are short: two windows, none of a certain length."""
    pytester.makeini(
        "[pytest]\nlem_preset = smoke\nlem_meter = estimated\nasyncio_mode = strict\n"
        "asyncio_default_fixture_loop_scope = function\n"
    )
    return pytester


@pytest.fixture
def lem(suite: pytest.Pytester) -> Run:
    """Run pytest in this process on the given source of a test module; it writes `run.json`."""

    def run(source: str | None = None, *arguments: str) -> pytest.RunResult:
        if source is not None:
            suite.makepyfile(test_it=source)
        return suite.runpytest_inprocess("--lem-json=run.json", "-p", "no:cacheprovider", *arguments)

    return run


@pytest.fixture
def stored(suite: pytest.Pytester) -> Callable[[], RunFile]:
    """Return a function that reads, and thereby validates, the run file of the last run."""
    return lambda: read_run(Path(suite.path, "run.json"))
