"""The hooks of a session that measures."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from pytest_lem.errors import FailureKind, LemError
from pytest_lem.gate.budget import Budget
from pytest_lem.gate.tier import tier_breach
from pytest_lem.plugin.extensions import extend_record
from pytest_lem.plugin.failure import failure_of
from pytest_lem.plugin.hooks import EXPECTED, EXPECTED_KEY, LEFT_OUT
from pytest_lem.plugin.items import asks_for_energy, is_body_the_work
from pytest_lem.plugin.logs import LOG_SECTION, LOGS
from pytest_lem.plugin.markers import mark_of
from pytest_lem.plugin.properties import properties
from pytest_lem.plugin.session import LemSession, forget_records, records_of
from pytest_lem.plugin.timetable import is_due

if TYPE_CHECKING:
    from pytest_lem.plugin.judging import Judging
    from pytest_lem.plugin.pairjudging import PairJudging
    from pytest_lem.results.comparison import Comparison
    from pytest_lem.results.record import Record

_LOG_CHARACTERS = 20_000


class Measuring:
    """Registered only when tests that ask for energy were collected."""

    def __init__(self, session: LemSession) -> None:
        self._session = session

    def pytest_report_collectionfinish(self, config: pytest.Config) -> list[str]:
        """Say how it is measured, and what is swept; with `--collect-only -v`, every value."""
        from pytest_lem.plugin.header import effective_lines

        verbosity = config.get_verbosity("lem")
        if verbosity < 0:
            return []
        lines = self._session.header.splitlines()
        lines += [f"lem: {note}" for note in self._session.base.notes]
        if verbosity > 0 and config.option.collectonly:
            lines += effective_lines(self._session.base)
        return lines

    @pytest.hookimpl(wrapper=True, tryfirst=True)  # outside pytest-timeout, inside the lock
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Rest before a test that asks for energy."""
        is_skipped = item.get_closest_marker("skip") is not None
        if asks_for_energy(item) and not (is_skipped or self._session.is_off):
            self._session.cycle.enter(item)
            self._session.rest(item)
        return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Start every attempt at a test without the records of the one before."""
        forget_records(item)
        for judging in self._judgings:
            judging.forget(item)

    @pytest.hookimpl(wrapper=True, trylast=True)  # innermost: fixtures and others stay outside
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        """Measure the body of a test that has the marker and none of our fixtures."""
        from pytest_lem.plugin.body import measured_body

        if self._session.is_off or not is_body_the_work(item):
            return (yield)
        with measured_body(self._session, item):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Judge budgets, shorten our own errors to their sentence, put the records on board."""
        report = yield
        if call.when != "call":
            _note_left_out(item, report, is_over=call.when == "setup" and not report.passed)
            return report
        records = records_of(item)
        error = call.excinfo.value if call.excinfo else None
        if isinstance(error, LemError):
            report.longrepr = str(error)
        if error is not None and not report.skipped and not _has_failure(records):
            _mark_failed(records, *failure_of(error))
        elif report.passed:
            self._judge_tiers(records, report)
            self._judge_budgets(item, records, report)
        comparisons = self._judge_changes(item, records, report)
        for record in records:
            extend_record(item, record)
        if records:
            item.user_properties += properties(records, comparisons)
            content = {
                "records": [r.plain() for r in records],
                "comparisons": [c.plain() for c in comparisons],
                **self._session.announcement(),
            }
            report.lem = content  # type: ignore[attr-defined]
        _note_left_out(item, report, is_over=not records)
        self._attach_log(item, report)
        return report

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """End the resident host, and tell what the baseline has for the tests of this run."""
        self._session.close()
        if self._session.judging and not session.config.option.collectonly:
            expected = self._session.judging.expected(session)
            session.config.stash[EXPECTED_KEY] = expected
            if hasattr(session.config, "workeroutput"):
                session.config.workeroutput[EXPECTED] = expected

    def _judge_tiers(self, records: list[Record], report: pytest.TestReport) -> None:
        """Fail a test whose energy is not as good as `energy.require_tier` asks."""
        if self._session.is_off:
            return
        required = self._session.base.settings.energy.require_tier
        for record in records:
            if breach := tier_breach(record, required):
                _mark_failed([record], FailureKind.METER, breach)
                _fail(report, f"{record.case.key}: {breach}")

    def _judge_budgets(
        self, item: pytest.Item, records: list[Record], report: pytest.TestReport
    ) -> None:
        mark = mark_of(item)
        budget = Budget(max_joules=mark.max_joules, max_joules_per_unit=mark.max_joules_per_unit)
        if self._session.is_off or not budget.is_set:
            return
        if not records:
            _fail(
                report,
                "the marker sets an energy budget, but this test measured nothing; call the "
                "fixture, or take the budget out",
            )
        for record in records:
            if breaches := budget.breaches(record):
                _mark_failed([record], FailureKind.GATE, "; ".join(breaches))
                _fail(report, f"{record.case.key}: " + "; ".join(breaches))

    def _judge_changes(
        self, item: pytest.Item, records: list[Record], report: pytest.TestReport
    ) -> list[Comparison]:
        """Fail a test whose figures got worse than their history, by more than is allowed."""
        if report.skipped:
            return []
        comparisons: list[Comparison] = []
        failing: list[Comparison] = []
        for judging in self._judgings:
            found = judging.finish(item, records)
            comparisons += found
            failing += judging.failing(found)
        for record in records:
            if said := [c.message for c in failing if c.digest == record.case.digest]:
                _mark_failed([record], FailureKind.GATE, "; ".join(said))
        for comparison in failing:
            _fail(report, f"{comparison.case}: {comparison.message}")
        return comparisons

    @property
    def _judgings(self) -> list[Judging | PairJudging]:
        """Return what compares figures in this session: with a history, or with each other."""
        both = (self._session.judging, self._session.pair_judging)
        return [judging for judging in both if judging]

    def _attach_log(self, item: pytest.Item, report: pytest.TestReport) -> None:
        logs = item.stash.get(LOGS, [])
        text = "".join(log.text() for log in logs)
        if text.strip() and (report.failed or item.config.get_verbosity("lem") > 0):
            report.sections.append((LOG_SECTION, text[-_LOG_CHARACTERS:]))


def _has_failure(records: list[Record]) -> bool:
    """Tell whether a measurement failed by itself, which says nothing of those before it."""
    return any(record.status == "failed" for record in records)


def _note_left_out(item: pytest.Item, report: pytest.TestReport, *, is_over: bool) -> None:
    """Let a report say that its test has measured nothing, where it was expected to."""
    if is_over and asks_for_energy(item) and is_due(item):
        setattr(report, LEFT_OUT, True)


def _fail(report: pytest.TestReport, sentence: str) -> None:
    """Fail a test, below what it has failed for already."""
    report.longrepr = f"{report.longrepr}\n{sentence}" if report.failed else sentence
    report.outcome = "failed"


def _mark_failed(records: list[Record], kind: FailureKind, message: str) -> None:
    for record in records:
        if record.status == "ok":
            record.status = "failed"
            record.failure_kind = kind
            record.message = message
