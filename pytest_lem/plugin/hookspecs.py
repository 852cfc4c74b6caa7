"""Hooks that this plugin calls, for other plugins and for a project's own conftest.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_lem.results.record import Record
    from pytest_lem.results.runfile import RunFile


def pytest_lem_update_context(config: pytest.Config, context: dict[str, Any]) -> None:
    """Add what is to be known about the whole run to `context`: plain JSON, by names of your own.

    Called once, in the process that shows the results, when the first result is there. It becomes
    `extensions` of the run file.
    """


def pytest_lem_update_record(config: pytest.Config, item: pytest.Item, record: Record) -> None:
    """Add to `record.extensions` before a record is stored: plain JSON, by names of your own.

    Called in the process that measures, outside of any window, for each record of a test. `record`
    is a copy: whatever else is changed in it is left out. A hook that raises costs what it would
    have added, and nothing else.
    """


def pytest_lem_result(config: pytest.Config, record: Record) -> None:
    """Take note of a case as soon as it is measured, also when it failed.

    Called in the process that shows the results; with pytest-xdist that is the controlling one.
    """


def pytest_lem_report(config: pytest.Config, run_file: RunFile) -> None:
    """Take note of the whole run at its end, after its files were written.

    Called once, with the verdicts of a gate in `run_file.comparisons`.
    """
