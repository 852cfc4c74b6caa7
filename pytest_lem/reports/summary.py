"""The summary of a run: its rows, what a gate said, and what a reader has to know about both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pytest_lem.config.cost import CostSettings
from pytest_lem.flags import explained
from pytest_lem.reports.bootstrap import LEAST_CYCLES
from pytest_lem.reports.cells import title_of
from pytest_lem.reports.grouping import group_rows
from pytest_lem.reports.rows import WIDEST, Row, Sufficiency, row_of_case
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.derived import basis_of, cost_in, derived_names
from pytest_lem.results.session import Session

#: Exit statuses of pytest after which every test that was selected has run.
_COMPLETE = (0, 1)
_MOST_NAMES = 6


@dataclass(slots=True, kw_only=True)
class Gate:
    """What a run was compared with, and what came of it.

    Attributes:
        baseline: name or path of the history.
        sessions: how many it has.
        rules: what was gated.
        comparisons: the verdicts.
        unmeasured: keys of cases that only the history has.
        has_failed: whether any verdict fails.
        heading: what stands above the verdicts instead, such as that of two sides by turns.

    """

    baseline: str
    sessions: int
    rules: Sequence[str]
    comparisons: Sequence[Comparison]
    unmeasured: Sequence[str]
    has_failed: bool
    heading: str | None = None

    @property
    def title(self) -> str:
        """Return what is compared with what."""
        if self.heading is not None:
            return self.heading
        sessions = "1 session" if self.sessions == 1 else f"{self.sessions} sessions"
        return f"gate: baseline {self.baseline} ({sessions}), {', '.join(self.rules)}"


@dataclass(slots=True, kw_only=True)
class Summary:
    """All that a report shows. `fields` are those by which the cases were grouped, if they were.

    `chosen` are the figures that tables show; None: all that any row of a table knows.
    """

    session: Session
    rows: Sequence[Row]
    fields: Sequence[str] = field(default=())
    chosen: Sequence[str] | None = None
    gate: Gate | None = None
    cost: CostSettings = field(default_factory=CostSettings)

    def derive(self, cost: CostSettings) -> None:
        """Add to each row what follows from its energy and these settings."""
        self.cost = cost
        for row in self.rows:
            row.derive(cost)

    @property
    def parts(self) -> Sequence[Summary]:
        """Return the runs that it is of: this one."""
        return [self]

    def part_of(self, row: Row) -> Summary:  # noqa: ARG002 - of several runs it depends on the row
        """Return the run that a row is of."""
        return self

    @property
    def derived(self) -> list[str]:
        """Return the names of the figures that are derived."""
        return derived_names(self.cost)

    def compare(self, gate: Gate) -> None:
        """Take what a gate said, and give each row what was said of its cases."""
        self.gate = gate
        by_case: dict[str | None, list[Comparison]] = {}
        for comparison in gate.comparisons:
            by_case.setdefault(comparison.digest, []).append(comparison)
        for row in self.rows:
            row.comparisons = [c for e in row.entries for c in by_case.get(e.digest, ())]

    @property
    def title(self) -> str:
        """Return the run with its time and size."""
        session = self.session
        parts = [f"run {session.run}", session.started, _plural(len(session.entries), "case")]
        if session.preset:
            parts.append(f"preset {session.preset}")
        return ", ".join(parts)

    def notes(self, shown: Sequence[str]) -> list[str]:
        """Return what a reader of the figures with these names has to know, a sentence each."""
        return [
            *self.gaps(),
            *(self._on_groups(shown) if self.fields else ()),
            *self._on_sufficiency(shown),
            *filter(None, [basis_of(self.cost)]),
            *self._on_circumstances(),
        ]

    def gaps(self) -> list[str]:
        """Return what is not in the rows and should perhaps be."""
        return [*self._on_the_run(), *self._on_the_gate()]

    def _on_the_run(self) -> Iterator[str]:
        status = self.session.exit_status
        if status is None:
            yield "the run did not finish, so cases may be missing"
        elif status not in _COMPLETE:
            yield f"the run ended early (exit status {status}), so cases may be missing"
        if not self.session.entries:
            yield "no case was measured"
        for entry in self.session.entries:
            if entry.status == "failed":
                yield f"failed: {entry.key}; its run file says why"

    def _on_groups(self, shown: Sequence[str]) -> Iterator[str]:
        """Say what a mean is, and what is not in it."""
        yield "figures of several cases are their geometric mean"
        invalid = sum(e.validity == "invalid" for row in self.rows for e in row.entries)
        if invalid:
            yield f"left out of the means, not to be trusted: {_plural(invalid, 'case')}"
        lacking: dict[int, list[str]] = {}
        for name in shown:
            missing = sum(row.figures[name].missing for row in self.rows)
            lacking.setdefault(missing, []).append(title_of(name))
        for missing, titles in lacking.items():
            if missing:
                yield (
                    f"left out of the means of {', '.join(titles)}, unknown: "
                    f"{_plural(missing, 'case')}"
                )
        mixed = {e.reason for row in self.rows for e in row.figures.values() if e.cases}
        yield from sorted(reason for reason in mixed if reason)

    def _on_sufficiency(self, shown: Sequence[str]) -> Iterator[str]:
        """Say which figures are not known well enough, and what would help."""
        judged = [(n, s) for r in self.rows for n in shown if (s := r.figures[n].sufficiency)]
        counts = Counter(sufficiency for _, sufficiency in judged)
        if few := counts[Sufficiency.TOO_FEW_CYCLES]:
            yield (
                f"too few cycles to know how {few} of {_plural(len(judged), 'figure')} "
                f"{'scatters' if few == 1 else 'scatter'}: an interval takes {LEAST_CYCLES} "
                f"(--lem-cycles={LEAST_CYCLES})"
            )
        if len(judged) > few:
            yield "± is half of the 95 % interval over cycles"
        if counts[Sufficiency.WIDE]:
            wide = Counter(n for n, s in judged if s is Sufficiency.WIDE)
            names = ", ".join(f"{title_of(n)} ({wide[n]})" for n in shown if wide[n])
            yield f"known to no better than ±{100 * WIDEST:g} %, more cycles would help: {names}"

    def _on_circumstances(self) -> Iterator[str]:
        """Explain every reason and flag that occurs, once."""
        entries = self.session.entries
        reasons = Counter(reason for e in entries for reason in e.reasons)
        flags = Counter(flag for e in entries for flag in e.flags)
        for words in (reasons, flags):
            for word, count in sorted(words.items()):
                where = "" if count == len(entries) else f" ({count} of {len(entries)} cases)"
                yield f"{explained(word)}{where}"

    def _on_the_gate(self) -> Iterator[str]:
        if self.gate is None or not (names := self.gate.unmeasured):
            return
        listed = ", ".join(names[:_MOST_NAMES])
        if len(names) > _MOST_NAMES:
            listed += f" and {len(names) - _MOST_NAMES} more"
        yield (
            f"in {self.gate.baseline}, but not in this run, and not judged, since a run does not "
            f"store what was selected: {listed}"
        )


def summary_of(session: Session, fields: Sequence[str], origin: str) -> Summary:
    """Return a row for each case, or for each group of cases that agree in the fields.

    Raises LemError for a field that no case has; `origin` is what named it.
    """
    if fields:
        rows = group_rows(session.entries, fields, origin)
    else:
        rows = [row_of_case(entry) for entry in session.entries]
    summary = Summary(session=session, rows=rows, fields=fields)
    summary.derive(cost_in(session.cost or {}))
    return summary


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
