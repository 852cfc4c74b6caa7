"""What a report is made of: a run, or several, as much of each as the report asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from pytest_lem.energy.sampling.archive import read_series
from pytest_lem.energy.sampling.series import Series
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.gate.baseline import Baseline, baseline_of
from pytest_lem.gate.key import UnderTest
from pytest_lem.gate.past import Past
from pytest_lem.reports.several import together
from pytest_lem.reports.summary import Gate, Summary
from pytest_lem.results.attempts import last_attempts
from pytest_lem.results.comparability import NOTHING_KNOWN
from pytest_lem.results.record import Record
from pytest_lem.results.runfile import RunFile
from pytest_lem.results.runstream import RunStream
from pytest_lem.results.session import Session
from pytest_lem.results.store import Store

#: What has a row unless something else is asked for.
CASES = "cases"
#: Where no baseline is named, so many runs of the store show what became of a case.
_MOST_RUNS = 30
_OF_BASELINE, _OF_STORE = "the sessions of the baseline", "earlier runs in the store"


class History(NamedTuple):
    """Earlier sessions of the cases of a run, by digest, the oldest first, and what they are."""

    title: str = _OF_BASELINE
    cases: Mapping[str, Sequence[Past]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class StoredRun:
    """A run. Its file is large, so it is read when a report first asks for it.

    Attributes:
        summary: its rows, verdicts and notes.
        load: returns the folder of the run and its run file; raises LemError where only a session
            was kept.
        load_past: returns earlier sessions of its cases.
        stream: returns the folder and the run with records that are read one after the other; None
            where the run file is in memory anyway.

    """

    summary: Summary
    load: Callable[[], tuple[Path, RunFile]]
    load_past: Callable[[], History] = History
    stream: Callable[[], tuple[Path, RunStream]] | None = None

    @cached_property
    def _loaded(self) -> tuple[Path, RunFile]:
        return self.load()

    @cached_property
    def past(self) -> History:
        """Return earlier sessions of its cases."""
        return self.load_past()

    @property
    def id(self) -> str:
        """Return the name of the run."""
        return self.summary.session.run

    @property
    def folder(self) -> Path:
        """Return the folder in which the run's files are."""
        return self._loaded[0]

    @property
    def run_file(self) -> RunFile:
        """Return the run with all its records; nobody may change them."""
        return self._loaded[1]

    @property
    def passing(self) -> tuple[Path, RunFile | RunStream]:
        """Return the folder, and the run for who goes through its records from first to last."""
        return self.stream() if self.stream else self._loaded

    @property
    def gate(self) -> Gate | None:
        """Return what it was compared with: as asked for now, else while it was measured."""
        return self.summary.gate or gate_of(self.run_file)

    def series(self, record: Record) -> Series:
        """Return the samples of a record; raises LemError (`data`) where they cannot be read."""
        if record.series is None:
            raise LemError(f"{record.case.key}: nothing was sampled", kind=FailureKind.DATA)
        return read_series(self.folder / record.series.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """All that goes into a report.

    Attributes:
        summary: a row for each case, or for each group of cases; of several runs, all their rows,
            each with the label `run`.
        runs: the runs, the oldest first.
        rows: what has a row: `cases`, `rounds` or `samples`. Of the last two the summary has none;
            they are in the run files.
        columns: the columns that were asked for; none: all.

    """

    summary: Summary
    runs: Sequence[StoredRun]
    rows: str = CASES
    columns: Sequence[str] = ()

    @property
    def has_several_runs(self) -> bool:
        """Tell whether rows have to say whose they are."""
        return len(self.runs) > 1


def material_of(
    runs: Sequence[StoredRun], *, rows: str = CASES, columns: Sequence[str] = ()
) -> Material:
    """Return the material of runs, the oldest first."""
    summary = together([run.summary for run in runs])
    by_id = {run.id: run for run in runs}
    ordered = [by_id[part.session.run] for part in summary.parts]
    return Material(summary=summary, runs=ordered, rows=rows, columns=columns)


def gate_of(run_file: RunFile) -> Gate | None:
    """Return what the gate said while it was measured; None where nothing was compared."""
    found = last_attempts(run_file.comparisons)
    if not found:
        return None
    names = ", ".join(sorted({c.baseline for c in found}))
    return Gate(
        baseline=names,
        sessions=max((c.sessions or 0 for c in found), default=0),
        rules=(),
        comparisons=found,
        unmeasured=(),
        has_failed=False,
        heading=f"compared while it was measured, with {names}",
    )


def past_of(session: Session, baseline: Baseline | None, store: Store) -> History:
    """Return what a baseline has of each case; without one, what earlier runs of the store have."""
    title = _OF_BASELINE
    if baseline is None:
        title = _OF_STORE
        baseline = baseline_of(title, store.before(session.run, _MOST_RUNS), UnderTest(()))
    found = {
        entry.digest: baseline.find(
            entry, session.facts.get(entry.comparability, NOTHING_KNOWN)
        ).past
        for entry in session.entries
    }
    return History(title, found)
