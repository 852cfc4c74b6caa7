"""What a session says in the terminal: a line for each case, and tables at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_lem.plugin.logs import LOG_SECTION, STEPS_SECTION
from pytest_lem.reports.spelling import spelled
from pytest_lem.results.record import Record

if TYPE_CHECKING:  # without a gate nothing of it is imported
    from pytest_lem.plugin.outcome import GateOutcome
    from pytest_lem.plugin.pairjudging import PairOutcome


class Terminal:
    """Writes in the width, the colours, the verbosity and the characters that pytest has."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @property
    def verbosity(self) -> int:
        """Return that of the reports of this plugin, which may stand apart from pytest's."""
        return self._config.get_verbosity("lem")

    @property
    def is_parallel(self) -> bool:
        """Tell whether pytest-xdist prints what its workers do."""
        return self._config.pluginmanager.hasplugin("dsession")

    def line(self, text: str) -> None:
        """Print a line of our own between those of pytest."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None:
            return
        text = self._spelled(text)
        reporter.ensure_newline()
        # The dots of xdist, or a line of our own, which pytest does not know to be unfinished.
        if self._config.get_terminal_writer().width_of_current_line:
            reporter.write_line("")
        if self.is_parallel:
            reporter.write_line(text)
        else:
            # No newline after it: pytest begins the next test's line with one.
            reporter.write(text)

    def case(self, record: Record, left: str) -> None:
        """Print the figures of a case that is done, and how far the session is."""
        if self.verbosity < 0:
            return
        from pytest_lem.reports.progress import progress_line

        self.line(f"  {progress_line(record)}{f'  [{left}]' if left else ''}")

    def log(self, report: pytest.TestReport) -> None:
        """Print what the backend printed; pytest does so by itself only for failures."""
        if not report.passed or self.verbosity <= 0:
            return
        for title, text in report.sections:
            if title in (STEPS_SECTION, LOG_SECTION):
                for line in text.splitlines():
                    self.line(f"  | {line}")

    def summarise(
        self,
        reporter: pytest.TerminalReporter,
        records: Sequence[Record],
        outcome: GateOutcome | PairOutcome | None,
        path: Path,
    ) -> None:
        """Print the tables of a run and where its file is, or all of that in one line (`-q`)."""
        if self.verbosity <= 0:  # what was measured again for the gate stands in its own table
            records = [record for record in records if record.repetition == 1]
        place = self._shown(path) if records else None
        if self.verbosity < 0:
            self._in_one_line(reporter, records, outcome, place)
        else:
            self._in_tables(reporter, records, outcome)
        for problem in outcome.problems if outcome else ():
            reporter.write_line(self._spelled(f"lem: {problem}"), red=True)
        if place and self.verbosity >= 0:
            reporter.write_line(self._spelled(f"run file: {place}"))

    def _in_one_line(
        self,
        reporter: pytest.TerminalReporter,
        records: Sequence[Record],
        outcome: GateOutcome | PairOutcome | None,
        place: str | None,
    ) -> None:
        from pytest_lem.reports.brief import brief

        comparisons = outcome.comparisons if outcome else ()
        if records or comparisons:
            reporter.write_line(self._spelled(brief(records, comparisons, place)))

    def _in_tables(
        self,
        reporter: pytest.TerminalReporter,
        records: Sequence[Record],
        outcome: GateOutcome | PairOutcome | None,
    ) -> None:
        from pytest_lem.reports.table import render
        from pytest_lem.reports.verdicts import render_notes, render_verdicts

        if records:
            self._section(reporter, "energy", partial(render, records))
        if outcome and outcome.comparisons:
            self._section(reporter, "gate", partial(render_verdicts, outcome.comparisons))
        if outcome and outcome.notes:
            self._write(partial(render_notes, outcome.notes))

    def _section(
        self, reporter: pytest.TerminalReporter, title: str, draw: Callable[..., str]
    ) -> None:
        reporter.section(title)
        self._write(partial(draw, verbosity=self.verbosity))

    def _write(self, draw: Callable[..., str]) -> None:
        writer = self._config.get_terminal_writer()
        text = draw(width=writer.fullwidth, is_colored=writer.hasmarkup)
        writer.write(self._spelled(text))

    def _spelled(self, text: str) -> str:
        """Return a text in the characters that the terminal has.

        pytest would write a text that does not fit as one line of escapes.
        """
        file = getattr(self._config.get_terminal_writer(), "_file", None)  # it has no public name
        return spelled(text, getattr(file, "encoding", None))

    def _shown(self, path: Path) -> str:
        base = self._config.invocation_params.dir
        return str(path.relative_to(base) if path.is_relative_to(base) else path)
