"""Hooks that this plugin calls, for other plugins and for a project's own conftest.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_lem.results.record import Record
    from pytest_lem.results.runfile import RunFile


def pytest_lem_result(config: pytest.Config, record: Record) -> None:
    """Take note of a case as soon as it is measured, also when it failed.

    Called in the process that shows the results; with pytest-xdist that is the controlling one.
    """


def pytest_lem_report(config: pytest.Config, run_file: RunFile) -> None:
    """Take note of the whole run at its end, after its files were written.

    Called once, with the verdicts of a gate in `run_file.comparisons`.
    """
