"""Reports that are written when a session is over, in the process that has all of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pytest_lem.errors import LemError
from pytest_lem.plugin.options import Given, given
from pytest_lem.plugin.rundir import path_of, run_directory, store_directory
from pytest_lem.reports.faces import rendered, report_named
from pytest_lem.reports.protocol import Report

if TYPE_CHECKING:  # what a run came to is imported when there is one
    from pytest_lem.plugin.outcome import GateOutcome
    from pytest_lem.plugin.pairjudging import PairOutcome
    from pytest_lem.reports.material import Material
    from pytest_lem.reports.summary import Gate, Summary
    from pytest_lem.results.comparison import Comparison
    from pytest_lem.results.runfile import RunFile


class Target(NamedTuple):
    """A report, and the file that it becomes."""

    name: str
    report: Report
    path: Path


class Reporting:
    """One for a session, in the controlling process. What cannot be written costs a warning."""

    def __init__(self, config: pytest.Config) -> None:
        """Read what was asked for; raises UsageError for what could never be written."""
        self._config = config
        try:
            self._targets = _targets(config)
        except LemError as error:
            raise pytest.UsageError(str(error)) from None
        self._lines: list[str] = []

    def pytest_lem_report(self, run_file: RunFile) -> None:
        """Write the reports; the files of the run have been written before."""
        if self._config.option.collectonly:
            return
        for target in self._targets:
            try:
                content = rendered(target.name, target.report, self._material(run_file))
                _write(content, target)
            except LemError as error:
                self._complain(str(error))
            else:
                nothing = "" if run_file.records else ", in which no case was measured"
                self._lines.append(f"report: {self._shown(target.path)}{nothing}")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say where the reports are."""
        if self._config.get_verbosity("lem") >= 0:
            for line in self._lines:
                terminalreporter.write_line(line)

    def _material(self, run_file: RunFile) -> Material:
        """Return the run as a report gets it, with rows of its own."""
        from pytest_lem.plugin.outcome import GateOutcome
        from pytest_lem.reports.material import StoredRun, material_of, past_of
        from pytest_lem.results.store import Store

        collector = self._config.pluginmanager.get_plugin("lem-collector")
        outcome = collector.outcome if collector else None
        summary = summary_of_run(self._config, run_file, outcome)
        baseline = None
        if isinstance(outcome, GateOutcome) and outcome.gating.is_gated:
            baseline = outcome.gating.baseline
        folder = run_directory(self._config)
        run = StoredRun(
            summary=summary,
            load=lambda: (folder, run_file),
            load_past=lambda: past_of(
                summary.session, baseline, Store(store_directory(self._config))
            ),
        )
        return material_of([run])

    def _complain(self, sentence: str) -> None:
        from pytest_lem.plugin.session import show_warning

        show_warning(self._config, f"--lem-report: {sentence}")

    def _shown(self, path: Path) -> Path:
        base = self._config.invocation_params.dir
        return path.relative_to(base) if path.is_relative_to(base) else path


def summary_of_run(
    config: pytest.Config, run_file: RunFile, outcome: GateOutcome | PairOutcome | None
) -> Summary:
    """Return the summary of a run that has just ended, with what its gate said."""
    from pytest_lem.plugin.settings import resolved_gate
    from pytest_lem.reports.summary import summary_of
    from pytest_lem.results.session import session_of

    session = session_of(run_file.run, run_file.records, run_file.environments)
    summary = summary_of(session, (), "")
    if outcome and outcome.comparisons:
        failing = resolved_gate(config).settings.gate.fail_verdicts
        summary.compare(_gate(outcome, outcome.comparisons, failing))
    return summary


def _gate(
    outcome: GateOutcome | PairOutcome, found: Sequence[Comparison], failing: Sequence[str]
) -> Gate:
    """Return the verdicts of the run; those of what is missing are among them."""
    from pytest_lem.plugin.outcome import GateOutcome
    from pytest_lem.reports.summary import Gate

    if isinstance(outcome, GateOutcome):
        title, sessions = outcome.gating.title, outcome.gating.baseline.sessions
    else:
        sides = ", ".join(sorted({c.baseline for c in found}))
        title, sessions = f"paired: against {sides}, by turns", 0
    return Gate(
        baseline=found[0].baseline,
        sessions=sessions,
        rules=(),
        comparisons=found,
        unmeasured=(),
        has_failed=any(c.verdict in failing for c in found),
        heading=title,
    )


def _targets(config: pytest.Config) -> list[Target]:
    """Return what was asked for; two outputs in one file would lose the first."""
    found = given(config, "report")
    assert found is not None  # noqa: S101 - there are reports where this is made
    taken: set[Path] = set()
    if file := given(config, "json"):
        taken.add(path_of(config, file).resolve())
    targets = [_target(config, text, found.origin) for text in found.value]
    for target in targets:
        place = target.path.resolve()
        if place in taken:
            raise pytest.UsageError(
                f"{found.origin}: {target.path} is written twice; give each output a file of its "
                "own"
            )
        if place.is_dir():
            raise pytest.UsageError(
                f"{found.origin}: {target.path} is a folder; name a file, such as "
                f"{target.name}:{target.path / 'report'}"
            )
        taken.add(place)
    return targets


def _target(config: pytest.Config, text: str, origin: str) -> Target:
    name, _, path = text.partition(":")
    if not (name and path):
        raise pytest.UsageError(
            f"{origin}: {text!r} is no NAME:PATH; write such as md:report.md or html:report.html"
        )
    try:
        report = report_named(name)
    except LemError as error:
        raise pytest.UsageError(f"{origin}: {error}") from None
    return Target(name, report, path_of(config, Given(path, origin)))


def _write(content: bytes, target: Target) -> None:
    from pytest_lem.errors import FailureKind
    from pytest_lem.replace import replace

    try:
        replace(target.path, content)
    except OSError as error:
        raise LemError(
            f"cannot write the report {target.name} to {target.path} "
            f"({error.strerror or 'unwritable'}); the run is stored, and `lem report` can show it",
            kind=FailureKind.STORAGE,
        ) from error
