"""What a page is made of, and its cases as it names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_lem.energy.panel import MEASURED
from pytest_lem.energy.sampling.series import Series
from pytest_lem.gate.baseline import Past
from pytest_lem.reports.summary import Gate
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.record import Metric, Record
from pytest_lem.results.runfile import RunFile

#: Returns the series of a record; raises LemError where it cannot be read.
Reader = Callable[[Record], Series]


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """All that goes into a page.

    Attributes:
        run_file: the run.
        read: returns the samples of a record.
        gate: what the run was compared with, if it was.
        past: earlier sessions of its cases, by digest, the oldest first.

    """

    run_file: RunFile
    read: Reader
    gate: Gate | None = None
    past: Mapping[str, Sequence[Past]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A case on the page. `anchor` is its id there, `name` what a reader calls it."""

    record: Record
    anchor: str
    name: str
    comparisons: Sequence[Comparison] = ()

    @property
    def is_spoilt(self) -> bool:
        """Tell whether its figures are not to be trusted."""
        return self.record.validity == "invalid" or self.record.status == "failed"

    @property
    def settings(self) -> dict[str, object]:
        """Return what defines the case."""
        return self.record.case.settings.model_dump()


def views_of(material: Material) -> list[View]:
    """Return the cases: of a test that was run again only the last attempt."""
    gate = material.gate
    by_case: dict[str | None, list[Comparison]] = {}
    for comparison in gate.comparisons if gate else ():
        by_case.setdefault(comparison.digest, []).append(comparison)
    return [
        View(
            record=record,
            anchor=f"case-{number}",
            name=_name(record),
            comparisons=by_case.get(record.case.digest, ()),
        )
        for number, record in enumerate(_last(material.run_file.records), 1)
    ]


def source_of(metric: Metric, record: Record) -> str:
    """Return in a word how an energy came about: what differs in it is never set side by side."""
    if record.origin == "simulated":
        return "simulated"
    return "measured" if metric.tier in MEASURED else str(metric.tier)


def _last(records: Sequence[Record]) -> list[Record]:
    last: dict[tuple[str, int | None], int] = {}
    for record in records:
        place = (record.nodeid, record.cycle)
        last[place] = max(record.attempt, last.get(place, 0))
    return [r for r in records if r.attempt == last[r.nodeid, r.cycle]]


def _name(record: Record) -> str:
    parts = [record.case.key]
    if record.cycle is not None:
        parts.append(f"cycle {record.cycle}")
    if record.repetition > 1:
        parts.append("measured again")
    return ", ".join(parts)
