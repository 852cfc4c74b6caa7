"""Several runs as one summary: their rows beside each other, each with the name of its run.

Nothing is pooled, averaged or judged across runs: they may come from other machines and versions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from pytest_lem.case import digest
from pytest_lem.config.cost import CostSettings
from pytest_lem.gate.key import comparable, differences
from pytest_lem.reports.rows import Estimate, Row
from pytest_lem.reports.summary import Summary
from pytest_lem.results.comparability import NOTHING_KNOWN
from pytest_lem.results.derived import DERIVED, basis_of, unit_of
from pytest_lem.results.session import Session

#: The label of a row that says whose it is.
RUN = "run"
_MOST_NAMES = 6


@dataclass(slots=True, kw_only=True)
class SeveralRuns(Summary):
    """The rows of several runs. Of the session, only the entries mean anything."""

    runs: Sequence[Summary] = field(default=())

    @property
    def parts(self) -> Sequence[Summary]:
        """Return the runs, the oldest first."""
        return self.runs

    def part_of(self, row: Row) -> Summary:
        """Return the run that a row is of."""
        return next(part for part in self.runs if part.session.run == row.labels[RUN])

    @property
    def derived(self) -> list[str]:
        """Return the figures that are derived for any run."""
        named = {name for part in self.runs for name in part.derived}
        return [name for name in DERIVED if name in named]

    @property
    def title(self) -> str:
        """Return the runs with their sizes."""
        return "; ".join(part.title for part in self.runs)

    def notes(self, shown: Sequence[str]) -> list[str]:
        """Return what a reader has to know, a sentence each."""
        # Not super(): a dataclass with slots is made anew, and super() would not know it.
        return [*self._on_several(), *Summary.notes(self, shown), *self._on_costs()]

    def gaps(self) -> list[str]:
        """Return what is not in the rows and should perhaps be, with the run that lacks it."""
        return [f"{part.session.run}: {gap}" for part in self.runs for gap in part.gaps()]

    def _on_several(self) -> Iterator[str]:
        yield "runs stand beside each other and are not judged; for a verdict, name one --baseline"
        if differing := differing_facts(self):
            names = sorted({name for found in differing.values() for name in found})
            listed = ", ".join(names[:_MOST_NAMES])
            if len(names) > _MOST_NAMES:
                listed += f" and {len(names) - _MOST_NAMES} more"
            cases = "1 case" if len(differing) == 1 else f"{len(differing)} cases"
            yield f"not comparable across these runs: {cases}, measured with another {listed}"

    def _on_costs(self) -> Iterator[str]:
        if self.cost == CostSettings():  # of each its own, or none at all
            for part in self.runs:
                if basis := basis_of(part.cost):
                    yield f"{part.session.run}: {basis}"


def together(summaries: Sequence[Summary]) -> Summary:
    """Return one summary of all runs; of a single one, itself.

    The rows of a case, or of a group, follow each other, those of the oldest run first.
    """
    if len(summaries) == 1:
        return summaries[0]
    runs = sorted(summaries, key=_started)
    costs = [part.cost for part in runs]
    found = SeveralRuns(
        session=_session(runs),
        rows=(),
        fields=runs[0].fields,
        cost=costs[0] if all(cost == costs[0] for cost in costs) else CostSettings(),
        runs=runs,
    )
    found.rows = [row for rows in _by_name(runs, found.derived) for row in rows]
    return found


def differing_facts(summary: Summary) -> dict[str, list[str]]:
    """Return, by the digest of a case, the names of facts that must agree and do not."""
    facts: dict[str, list[dict[str, object]]] = {}
    for part in summary.parts:
        for entry in part.session.entries:
            known = part.session.facts.get(entry.comparability, NOTHING_KNOWN)
            facts.setdefault(entry.digest, []).append(comparable(known.refuse))
    found = {
        name: sorted({d.name for other in rest for d in differences(first, other)})
        for name, (first, *rest) in facts.items()
    }
    return {name: names for name, names in found.items() if names}


def _by_name(runs: Sequence[Summary], derived: Sequence[str]) -> Iterator[list[Row]]:
    """Yield the rows that have a name in common, those of the oldest run first."""
    rows: dict[str, list[Row]] = {}
    for part in runs:
        for row in part.rows:
            name = digest(row.labels) if part.fields else row.entries[0].digest
            rows.setdefault(name, []).append(_of_run(row, part, derived))
    yield from rows.values()


def _of_run(row: Row, part: Summary, derived: Sequence[str]) -> Row:
    """Return a row with its run, and with the derived figures that only other runs have."""
    none = {
        name: Estimate(name=name, unit=unit_of(name, part.cost), reason="its run sets no cost")
        for name in derived
        if name not in row.figures
    }
    labels = {**row.labels, RUN: part.session.run}
    return replace(row, labels=labels, figures={**row.figures, **none})


def _session(runs: Sequence[Summary]) -> Session:
    """Return a session of all entries, with what the runs agree in."""
    versions = dict.fromkeys(part.session.definitions_version for part in runs)
    session = Session(
        run=" ".join(part.session.run for part in runs),
        started=runs[0].session.started,
        definitions_version=" ".join(versions),
    )
    session.entries = [entry for part in runs for entry in part.session.entries]
    return session


def _started(part: Summary) -> float:
    try:
        return datetime.fromisoformat(part.session.started).timestamp()
    except ValueError:
        return 0.0
