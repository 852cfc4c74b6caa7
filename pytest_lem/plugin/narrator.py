"""What measuring says of itself with `-vv`: a line for each step, with its time and module."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import nullcontext
from typing import Any

import pytest

from pytest_lem.plugin.logs import STEPS_SECTION
from pytest_lem.plugin.terminal import Terminal

#: The verbosity from which steps are told.
STEPS_VERBOSITY = 2
_PACKAGE = "pytest_lem"
_TIME = "%(asctime)s.%(msecs)03d"


class Narrator(logging.Handler):
    """Shows the debug messages of this package at once; a worker, which shows nothing, later.

    They are given between windows, never within one.
    """

    def __init__(self, config: pytest.Config) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter(_TIME, "%H:%M:%S"))
        self._terminal = Terminal(config)
        self._capture: Any = config.pluginmanager.get_plugin("capturemanager")
        self._is_worker = hasattr(config, "workerinput")
        self._lines: list[str] = []
        self._logger = logging.getLogger(_PACKAGE)
        self._before = (self._logger.level, self._logger.propagate)
        self._logger.setLevel(logging.DEBUG)
        self._logger.propagate = False  # else a failure would show them once more
        self._logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Show a message, or keep it for the report."""
        place = record.name.removeprefix(f"{_PACKAGE}.")
        line = f"{self.format(record)} {place}  {record.getMessage()}"
        if self._is_worker:
            self._lines.append(line)
            return
        # The file descriptors of the terminal are those that are captured during a test.
        with self._capture.global_and_fixture_disabled() if self._capture else nullcontext():
            self._terminal.line(f"  {line}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Give the controlling process what a worker has kept."""
        report = yield
        if self._lines:
            report.sections.append((STEPS_SECTION, "\n".join(self._lines)))
            self._lines.clear()
        return report

    def pytest_unconfigure(self) -> None:
        """Leave the loggers of the process as they were."""
        self._logger.removeHandler(self)
        level, self._logger.propagate = self._before
        self._logger.setLevel(level)
