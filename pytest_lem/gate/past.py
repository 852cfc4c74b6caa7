"""What a history is made of: its sessions, and an entry of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Any, NamedTuple

from pytest_lem.results.entry import FIGURES, LARGEST, SMALLEST, Entry, is_credible
from pytest_lem.results.record import Comparability
from pytest_lem.results.table import MadeTable, Table

#: That of a figure, and the share of the figure below which it cannot be told.
Logarithm = tuple[float, float]


class Night:
    """A session of the history, as much of it as is compared."""

    def __init__(self, run: str, table: Table) -> None:
        self.run = run
        self.table = table
        self._logs: dict[str, list[Logarithm | None]] = {}
        self._conditions: dict[str, list[float | None]] = {}

    def logs(self, metric: str) -> Sequence[Logarithm | None]:
        """Return the logarithm of a figure of every entry; None where it is none, or unjudged."""
        found = self._logs.get(metric)
        if found is None:
            rows = zip(*self.table.figures(metric), self.table.column("unjudged"), strict=True)
            found = self._logs[metric] = [
                (log(value), resolution)
                if value is not None
                and SMALLEST < value < LARGEST
                and 0 <= resolution <= 1  # as `Figure.is_usable` has it, without a figure for each
                and metric not in unjudged
                else None
                for value, resolution, unjudged in rows
            ]
        return found

    def conditions(self, name: str) -> Sequence[float | None]:
        """Return a field or a figure of every entry as it is; None where it can be no number."""
        found = self._conditions.get(name)
        if found is None:
            is_figure = name in FIGURES
            values = self.table.figures(name).values if is_figure else self.table.column(name)
            found = [v if v is not None and is_credible(v) else None for v in values]
            self._conditions[name] = found
        return found


class Past(NamedTuple):
    """An entry of the history, with the facts under which it was measured.

    Attributes:
        night: the session that measured it.
        row: which of its entries it is.
        key: hash of the facts that must agree.
        board: the boards on which it ran, or the machine, as a text.

    """

    night: Night
    row: int
    facts: Comparability
    key: str = ""
    board: str = ""

    @property
    def measured_in(self) -> str:
        """Return the run in which it was measured."""
        return self.field("measured_in") or self.night.run

    def field(self, name: str) -> Any:
        """Return a field of its entry, for which no entry has to be made."""
        return self.night.table.column(name)[self.row]

    @property
    def entry(self) -> Entry:
        """Return all that is known of it."""
        return self.night.table.entry(self.row)


def past_of(run: str, entry: Entry, facts: Comparability) -> Past:
    """Return an entry as the past of another."""
    return Past(Night(run, MadeTable([entry])), 0, facts)
