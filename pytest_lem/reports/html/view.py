"""The cases of a page, as it names them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_lem.energy.panel import MEASURED
from pytest_lem.reports.material import Material, StoredRun
from pytest_lem.results.attempts import last_attempts
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.record import Metric, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A case on the page.

    Attributes:
        anchor: its id there.
        name: what a reader calls it.
        run: the run that it is of.
        comparisons: what was said of it.
        needs_run: whether the page has several runs, so that it has to be told whose it is.

    """

    record: Record
    anchor: str
    name: str
    run: StoredRun
    comparisons: Sequence[Comparison] = ()
    needs_run: bool = False

    @property
    def is_spoilt(self) -> bool:
        """Tell whether its figures are not to be trusted."""
        return self.record.validity == "invalid" or self.record.status == "failed"

    @property
    def settings(self) -> dict[str, object]:
        """Return what defines the case."""
        return self.record.case.settings.model_dump()


def views_of(material: Material) -> list[View]:
    """Return the cases of all runs: of a test that was run again only the last attempt."""
    found = (pair for run in material.runs for pair in _judged(run))
    return [
        View(
            record=record,
            anchor=f"case-{number}",
            name=_name(record),
            run=run,
            comparisons=comparisons,
            needs_run=material.has_several_runs,
        )
        for number, (run, record, comparisons) in enumerate(found, 1)
    ]


def _judged(run: StoredRun) -> Iterator[tuple[StoredRun, Record, Sequence[Comparison]]]:
    """Yield the cases of a run with what its gate said of them."""
    gate = run.gate
    by_case: dict[str | None, list[Comparison]] = {}
    for comparison in gate.comparisons if gate else ():
        by_case.setdefault(comparison.digest, []).append(comparison)
    for record in last_attempts(run.run_file.records):
        yield run, record, by_case.get(record.case.digest, ())


def source_of(metric: Metric, record: Record) -> str:
    """Return in a word how an energy came about: what differs in it is never set side by side."""
    if record.origin == "simulated":
        return "simulated"
    return "measured" if metric.tier in MEASURED else str(metric.tier)


def _name(record: Record) -> str:
    parts = [record.case.key]
    if record.cycle is not None:
        parts.append(f"cycle {record.cycle}")
    if record.repetition > 1:
        parts.append("measured again")
    return ", ".join(parts)
