"""`lem report --html`: the page of a run, written to a file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pytest_lem.cli.reference import find_run
from pytest_lem.energy.sampling.archive import read_series
from pytest_lem.energy.sampling.series import Series
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.gate.baseline import Baseline, Past
from pytest_lem.replace import replace
from pytest_lem.reports.html.page import html_page
from pytest_lem.reports.html.view import Material
from pytest_lem.reports.summary import Gate, Summary
from pytest_lem.results.comparability import NOTHING_KNOWN
from pytest_lem.results.comparison import last_attempts
from pytest_lem.results.derived import derive_again
from pytest_lem.results.record import Record
from pytest_lem.results.runfile import RunFile
from pytest_lem.results.session import Session
from pytest_lem.results.store import Store

_MB = 1e6


def write_page(
    store: Store, reference: str, path: Path, *, summary: Summary, baseline: Baseline | None
) -> str:
    """Write the page of a run, and return what was written, in a sentence.

    Raises LemError where there is no run file, no charting library, or no room for the page.
    """
    folder, run_file = find_run(store, reference)
    if summary.derived:
        for record in run_file.records:
            derive_again(record, summary.cost)
    material = Material(
        run_file=run_file,
        read=partial(_series, folder),
        gate=summary.gate or _gate_of(run_file),
        past=_past(summary.session, baseline),
    )
    page = html_page(material).encode()
    try:
        replace(path, page)
    except OSError as error:
        raise LemError(
            f"cannot write the page to {path} ({error.strerror}); name another file with --html",
            kind=FailureKind.STORAGE,
        ) from error
    return f"{path}: {len(run_file.records)} records, {len(page) / _MB:.1f} MB"


def _series(folder: Path, record: Record) -> Series:
    """Read the samples of a record from the file beside its run file."""
    if record.series is None:
        raise LemError(f"{record.case.key}: nothing was sampled", kind=FailureKind.DATA)
    return read_series(folder / record.series.path)


def _gate_of(run_file: RunFile) -> Gate | None:
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


def _past(session: Session, baseline: Baseline | None) -> dict[str, Sequence[Past]]:
    """Return what the baseline has of each case, by digest, the oldest session first."""
    if baseline is None:
        return {}
    return {
        entry.digest: baseline.find(
            entry, session.facts.get(entry.comparability, NOTHING_KNOWN)
        ).past
        for entry in session.entries
    }
