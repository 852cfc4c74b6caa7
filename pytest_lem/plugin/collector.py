"""The controlling side: takes every record as it comes, and writes and shows them at the end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_lem.errors import LemError
from pytest_lem.plugin.extensions import extended_context
from pytest_lem.plugin.hooks import EXPECTED_KEY, LEFT_OUT_KEY
from pytest_lem.plugin.options import given, has_contest
from pytest_lem.plugin.rundir import (
    make_run_directory,
    path_of,
    run_directory,
    store_directory,
)
from pytest_lem.plugin.settings import is_gated, mode
from pytest_lem.plugin.sinks import PUSHER, attach_sinks
from pytest_lem.plugin.terminal import Terminal
from pytest_lem.reports.progress import Progress
from pytest_lem.results.attempts import last_attempts
from pytest_lem.results.comparison import comparison_of
from pytest_lem.results.journal import Journal
from pytest_lem.results.record import Record
from pytest_lem.results.run import Run
from pytest_lem.results.runfile import RunFile, write_run
from pytest_lem.results.session import session_of
from pytest_lem.results.store import Store

if TYPE_CHECKING:  # without a gate nothing of it is imported
    from pytest_lem.plugin.github import Job, Location
    from pytest_lem.plugin.outcome import GateOutcome
    from pytest_lem.plugin.pairjudging import PairOutcome

_COLLECTOR = "lem-collector"


def collector_of(config: pytest.Config, started: tuple[float, float]) -> Collector:
    """Return the collector of the session, made when it is first needed.

    `started` is the start of the session on the wall clock and on the monotonic clock.
    """
    found: Collector | None = config.pluginmanager.get_plugin(_COLLECTOR)
    if found is None:
        found = Collector(config, started)
        config.pluginmanager.register(found, _COLLECTOR)
        attach_sinks(config)
    return found


class Collector:
    """One for a session, serial or parallel: both bring records by the same way."""

    def __init__(self, config: pytest.Config, started: tuple[float, float]) -> None:
        self._config = config
        wall, self._started_s = started
        self._terminal = Terminal(config)
        self._progress = Progress()
        self._journal: Journal | None = None
        self._problems: list[str] = []
        self._locations: dict[str, Location] = {}
        self._remark: str | None = None
        self._is_extended = False
        self.outcome: GateOutcome | PairOutcome | None = None
        self.run_file = RunFile(
            run=Run(
                id=run_directory(config).name,
                started=_iso(wall),
                started_monotonic=self._started_s,
                arguments=_own_arguments(config),
                versions={"pytest-lem": version("pytest-lem"), "pytest": pytest.__version__},
            )
        )

    def receive(self, content: dict[str, Any], report: pytest.TestReport) -> None:
        """Take what a report brings: journal first, then the document, then a line of progress."""
        self._announce(content)
        self._extend()
        records = [Record.model_validate(plain) for plain in content["records"]]
        for record in records:
            self._write("record", record.plain())
        comparisons = [comparison_of(plain) for plain in content["comparisons"]]
        for comparison in comparisons:
            self._write("comparison", comparison.plain())
        self.run_file.records += records
        self.run_file.comparisons += comparisons
        self._progress.finish(report.nodeid)
        self._locations[report.nodeid] = report.location
        for record in records:
            self._terminal.case(record, self._left())
            self._config.hook.pytest_lem_result(config=self._config, record=record)
        self._terminal.log(report)

    def finish(self, exit_status: int) -> bool:
        """Judge what only the whole run shows, then write and save it.

        Returns False, and says so in the summary, when anything is missing or could not be written.
        """
        run = self.run_file.run
        run.finished = _iso(time.time())
        run.exit_status = exit_status
        self.outcome = self._judged()
        self._extend()
        for path in self._run_paths():
            self._attempt(write_run, self.run_file, path)
        self._attempt(self._write_session)
        self._config.hook.pytest_lem_report(config=self._config, run_file=self.run_file)
        if page := os.environ.get("GITHUB_STEP_SUMMARY"):
            self._remark = self._job().append_page(Path(page))
        return not self._problems and not (self.outcome and self.outcome.problems)

    def _extend(self) -> None:
        """Let others add to the run, once and early, so that a killed run has it too."""
        if self._is_extended:
            return
        self._is_extended = True
        if extensions := extended_context(self._config):
            self.run_file.extensions = extensions
            if self._journal is not None:
                self._write("extensions", extensions)

    def _judged(self) -> GateOutcome | PairOutcome | None:
        """Return what comparing or saving came to, None without either."""
        if mode(self._config) == "off":
            return None
        if has_contest(self._config):
            from pytest_lem.plugin.contest import contest_of
            from pytest_lem.plugin.pairjudging import judge_pairs

            axis = contest_of(self._config)
            assert axis is not None  # noqa: S101 - there is one where two sides are compared
            return judge_pairs(axis.contest, self.run_file)
        if not is_gated(self._config):
            return None
        from pytest_lem.plugin.gating import gating_of
        from pytest_lem.plugin.outcome import judge_run

        gating = gating_of(self._config)
        assert gating is not None  # noqa: S101 - there is one where something is gated
        return judge_run(gating, self.run_file, expected=self._config.stash.get(EXPECTED_KEY, None))

    def _attempt(self, write: Callable[..., object], *arguments: object) -> None:
        """Write one thing; what cannot be written must not keep the others from being written."""
        try:
            write(*arguments)
        except LemError as error:
            self._problems.append(str(error))

    def _run_paths(self) -> list[Path]:
        """Return where the run file goes: into the store and, if asked, to that of `--lem-json`."""
        paths = [run_directory(self._config) / "run.json"] if self.run_file.records else []
        if asked := given(self._config, "json"):
            paths.append(path_of(self._config, asked))
        return paths

    def _write_session(self) -> None:
        """Write the entries of the run beside its file, and save them to a history."""
        file = self.run_file
        if not file.records:
            return
        store = Store(store_directory(self._config))
        session = session_of(file.run, file.records, file.environments)
        if self.outcome:
            self.outcome.admit(session)
        store.keep(session, run_directory(self._config))
        if self.outcome and self.outcome.saves_to:
            store.save(self.outcome.saves_to, session)

    def summarise(self, reporter: pytest.TerminalReporter) -> None:
        """Print the table, where the files are, and what could not be written."""
        records = last_attempts(self.run_file.records)
        path = run_directory(self._config) / "run.json"
        self._terminal.summarise(reporter, records, self.outcome, path)
        for problem in self._problems:
            reporter.write_line(f"lem: {problem}", red=True)
        if self._remark:
            reporter.write_line(f"lem: {self._remark}", yellow=True)
        if os.environ.get("GITHUB_ACTIONS") == "true":
            for line in self._job().annotations(records, self._locations):
                reporter.write_line(line)

    def _job(self) -> Job:
        """Return the run as GitHub Actions is told of it."""
        from pytest_lem.plugin.github import Job

        pusher = self._config.pluginmanager.get_plugin(PUSHER)
        unpushed = [pusher.problem] if pusher and pusher.problem else []
        return Job(
            config=self._config,
            run_file=self.run_file,
            outcome=self.outcome,
            problems=[*self._problems, *unpushed],
        )

    def _announce(self, content: dict[str, Any]) -> None:
        file = self.run_file
        if run := content.get("run"):
            file.run = file.run.model_copy(update=run)
            is_first = self._progress.expect(content["tests"])
            if is_first and self._terminal.is_parallel and self._terminal.verbosity >= 0:
                # The controlling process collects nothing, so it has printed no header.
                self._terminal.line(content["header"])
            self._write("run", file.run.model_dump(mode="json"))
        for name, environment in content["environments"].items():
            file.environments[name] = environment
            self._write("environment", {"id": name, **environment})
        if devices := content.get("devices"):
            file.devices |= devices
            self._write("devices", devices)

    def _write(self, kind: str, content: dict[str, Any]) -> None:
        """Append to the journal. A full disk must not end the measurements."""
        try:
            if self._journal is None:
                make_run_directory(self._config)
                self._journal = Journal(run_directory(self._config) / "journal.jsonl")
                versions = {"schema_version", "definitions_version"}
                self._journal.append("format", self.run_file.model_dump(include=versions))
            self._journal.append(kind, content)
        except OSError as error:
            problem = f"cannot write the journal ({error.strerror}); results are in memory only"
            if problem not in self._problems:
                self._problems.append(problem)

    def _left(self) -> str:
        """Return how far a long session is."""
        left_out = self._config.stash.get(LEFT_OUT_KEY, ())
        return self._progress.left(time.monotonic() - self._started_s, left_out)


def _iso(wall: float) -> str:
    return datetime.fromtimestamp(wall).astimezone().isoformat(timespec="seconds")


def _own_arguments(config: pytest.Config) -> list[str]:
    """Return our own options with their values: those of others may hold secrets."""
    found: list[str] = []
    is_value_next = False
    for argument in map(str, config.invocation_params.args):
        if argument.startswith("--lem") or (is_value_next and not argument.startswith("-")):
            found.append(argument)
        is_value_next = argument.startswith("--lem") and "=" not in argument
    return found
