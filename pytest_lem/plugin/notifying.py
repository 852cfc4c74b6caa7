"""Telling others of a run by webhooks: between tests, at its start and at its end."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from pytest_lem.config.models import Settings
from pytest_lem.gate.verdict import Verdict
from pytest_lem.plugin.rundir import run_directory
from pytest_lem.plugin.session import LemSession, show_warning
from pytest_lem.plugin.settings import is_told, resolved_gate
from pytest_lem.results.attempts import last_attempts
from pytest_lem.results.comparison import Comparison, comparison_of
from pytest_lem.results.record import Record
from pytest_lem.results.run import Run
from pytest_lem.results.runfile import RunFile
from pytest_lem.sinks.courier import Courier
from pytest_lem.sinks.message import News, message_of

_PLUGIN, _FIRST_WORKER = "lem-notifier", "gw0"
#: Messages of a kind that go out at once; what comes after them is told together at the end.
_MOST = 20


class Notifier:
    """One for a session, in the controlling process.

    While it sends, that process waits, so that no window of its own is open. Windows of workers may
    be: what happens then is told at the end.
    """

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self._config = config
        self._settings = settings
        self._courier = _courier(settings)
        self._told: Counter[str] = Counter()
        self._failed: list[Record] = []
        self._failing: list[Comparison] = []
        started = datetime.now(UTC).isoformat(timespec="seconds")
        self._run = Run(
            id=run_directory(config).name, started=started, started_monotonic=time.monotonic()
        )

    def start(self, session: LemSession) -> None:
        """Tell that tests are about to be measured."""
        run = self._run.model_copy(update={"preset": session.base.settings.preset})
        self._send("start", run=run, tests=session.tests)

    def pytest_lem_result(self, record: Record) -> None:
        """Tell of a case that failed."""
        if record.status == "failed":
            self._failed.append(record)
            if self._is_free("failure"):
                self._send("failure", records=self._failed)
                self._failed = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tell of verdicts that fail."""
        content = getattr(report, "lem", None) or {}
        found = [comparison_of(plain) for plain in content.get("comparisons", ())]
        self._failing += self._of_those_that_fail(found)
        if self._failing and self._is_free("gate"):
            self._send("gate", comparisons=self._failing)
            self._failing = []

    def pytest_lem_report(self, run_file: RunFile) -> None:
        """Tell what was held back, what is missing, and the end."""
        comparisons = last_attempts(run_file.comparisons)
        if self._is_parallel:
            self._failed = [r for r in _once(run_file.records) if r.status == "failed"]
            self._failing = self._of_those_that_fail(comparisons)
        else:
            missing = [c for c in comparisons if c.verdict == Verdict.MISSING]
            self._failing += self._of_those_that_fail(missing)
        if self._failed:
            self._send("failure", run=run_file.run, records=self._failed)
        if self._failing:
            self._send("gate", run=run_file.run, comparisons=self._failing)
        records = _once(run_file.records)
        self._send("end", run=run_file.run, records=records, comparisons=comparisons)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say who could not be told, in one line."""
        if self.note:
            terminalreporter.write_line(f"lem: {self.note}", yellow=True)

    @property
    def note(self) -> str | None:
        """Return who was told nothing more and why; None: nobody."""
        faults = self._courier.faults
        if not faults:
            return None
        said = ", ".join(f"{name} {fault}" for name, fault in faults.items())
        return f"webhooks: {said}; nothing more was sent there"

    def _send(
        self,
        event: str,
        *,
        run: Run | None = None,
        tests: int | None = None,
        records: Sequence[Record] = (),
        comparisons: Sequence[Comparison] = (),
    ) -> None:
        webhooks = self._settings.webhooks
        if event not in webhooks.events:
            return
        self._told[event] += 1
        news = News(
            event=event,
            project=self._config.rootpath.name,
            run=run or self._run,
            tests=tests,
            records=records,
            comparisons=comparisons,
        )
        self._courier.send(message_of(news, webhooks.fields))

    def _is_free(self, event: str) -> bool:
        """Tell whether a message may go out now."""
        return not self._is_parallel and self._told[event] < _MOST

    @property
    def _is_parallel(self) -> bool:
        return self._config.pluginmanager.hasplugin("dsession")

    def _of_those_that_fail(self, comparisons: Sequence[Comparison]) -> list[Comparison]:
        failing = self._settings.gate.fail_verdicts
        return [c for c in comparisons if c.verdict in failing]


def notifier_of(config: pytest.Config) -> Notifier | None:
    """Return the notifier of a session, made when it is first needed; None where nobody is told."""
    found: Notifier | None = config.pluginmanager.get_plugin(_PLUGIN)
    if found is not None:
        return found
    if not is_told(config):
        return None
    settings = resolved_gate(config).settings
    if not settings.webhooks.url_env:
        return None
    notifier = Notifier(config, settings)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(notifier, _PLUGIN)
    return notifier


def tell_start(config: pytest.Config, session: LemSession) -> None:
    """Tell of the start: no test runs before all processes have collected.

    With pytest-xdist the first worker does it, since only workers know what asks for energy.
    """
    if hasattr(config, "workerinput") and session.worker != _FIRST_WORKER:
        return
    if notifier := notifier_of(config):
        notifier.start(session)
        if hasattr(config, "workerinput") and notifier.note:
            show_warning(config, notifier.note)


def _courier(settings: Settings) -> Courier:
    webhooks = settings.webhooks
    token = os.environ.get(webhooks.token_env) if webhooks.token_env else None
    addresses = {name: os.environ.get(name) for name in webhooks.url_env}
    courier = Courier(addresses, token=token, timeout_s=webhooks.timeout_s)
    if webhooks.token_env and not token:
        courier.faults |= dict.fromkeys(addresses, f"needs {webhooks.token_env}, which is not set")
    return courier


def _once(records: Sequence[Record]) -> list[Record]:
    """Return a record for each measurement: neither earlier attempts nor repetitions for a gate."""
    last: dict[str, int] = {}
    for record in records:
        last[record.nodeid] = max(record.attempt, last.get(record.nodeid, 0))
    return [r for r in records if r.attempt == last[r.nodeid] and r.repetition == 1]
