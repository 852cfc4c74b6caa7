"""What a report is made of: a run, or several, as much of each as the report asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pytest_lem.energy.sampling.archive import read_series
from pytest_lem.energy.sampling.series import Series
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.gate.baseline import Baseline
from pytest_lem.gate.past import Past
from pytest_lem.reports.several import together
from pytest_lem.reports.summary import Gate, Summary
from pytest_lem.results.attempts import last_attempts
from pytest_lem.results.comparability import NOTHING_KNOWN
from pytest_lem.results.record import Record
from pytest_lem.results.runfile import RunFile
from pytest_lem.results.runstream import RunStream
from pytest_lem.results.session import Session

#: What has a row unless something else is asked for.
CASES = "cases"


@dataclass(frozen=True, kw_only=True)
class StoredRun:
    """A run. Its file is large, so it is read when a report first asks for it.

    Attributes:
        summary: its rows, verdicts and notes.
        load: returns the folder of the run and its run file; raises LemError where only a session
            was kept.
        load_past: returns earlier sessions of its cases, by digest, the oldest first.
        stream: returns the folder and the run with records that are read one after the other; None
            where the run file is in memory anyway.

    """

    summary: Summary
    load: Callable[[], tuple[Path, RunFile]]
    load_past: Callable[[], Mapping[str, Sequence[Past]]] = dict
    stream: Callable[[], tuple[Path, RunStream]] | None = None

    @cached_property
    def _loaded(self) -> tuple[Path, RunFile]:
        return self.load()

    @cached_property
    def past(self) -> Mapping[str, Sequence[Past]]:
        """Return earlier sessions of its cases, by digest, the oldest first."""
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


def past_of(session: Session, baseline: Baseline | None) -> dict[str, Sequence[Past]]:
    """Return what a baseline has of each case, by digest, the oldest session first."""
    if baseline is None:
        return {}
    return {
        entry.digest: baseline.find(
            entry, session.facts.get(entry.comparability, NOTHING_KNOWN)
        ).past
        for entry in session.entries
    }
