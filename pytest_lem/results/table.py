"""The entries of a session by rows and by columns, read no further than somebody asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from pytest_lem.results.columns import PLAIN, column_from, columns_of, figure_of
from pytest_lem.results.entry import Entry, Figure


class Figures(NamedTuple):
    """A figure of every entry: None for those without it, and then whatever resolution."""

    values: Sequence[float | None]
    resolutions: Sequence[float]


class Table(Protocol):
    """Entries, of which fields and figures can be had for all at once."""

    def entry(self, row: int, /) -> Entry:
        """Return one of them."""

    def column(self, name: str, /) -> Sequence[Any]:
        """Return a field of every entry."""

    def figures(self, name: str, /) -> Figures:
        """Return a figure of every entry."""


class MadeTable:
    """A table of entries that are there, as they were when a column was first asked for."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._columns: dict[str, list[Any]] = {}
        self._figures: dict[str, Figures] = {}

    def entry(self, row: int) -> Entry:
        """Return one of them."""
        return self._entries[row]

    def column(self, name: str) -> Sequence[Any]:
        """Return a field of every entry."""
        if name not in self._columns:
            self._columns[name] = [getattr(entry, name) for entry in self._entries]
        return self._columns[name]

    def figures(self, name: str) -> Figures:
        """Return a figure of every entry."""
        if name not in self._figures:
            found = [entry.figures.get(name) for entry in self._entries]
            values = [figure.value if figure else None for figure in found]
            self._figures[name] = Figures(values, [f.resolution if f else 0.0 for f in found])
        return self._figures[name]


class StoredTable(Sequence[Entry]):
    """A table in a file, of which a column is validated when it is first asked for.

    Of a long history a few columns are compared. Entries are made, all of them, when one is asked
    for, and kept: they may be changed, and the columns stay as they were read. Whatever has to
    be read may raise LemError (`data`).
    """

    def __init__(self, origin: Path, count: int, lines: dict[str, bytes]) -> None:
        """Take the lines of the columns; `origin` is the file, for messages."""
        self._origin = origin
        self._count = count
        self._lines = lines  # each is dropped when it has been read
        self._columns: dict[str, list[Any]] = {}
        self._figures: dict[str, Figures] = {}
        self._entries: list[Entry] = []
        #: The figures that any entry has.
        self.figure_names = [figure for name in lines if (figure := figure_of(name)) is not None]

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, row: Any) -> Any:
        if len(self._entries) < self._count:
            self._entries = self._made()
        return self._entries[row]

    def entry(self, row: int) -> Entry:
        """Return one of them."""
        made: Entry = self[row]
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # what can be changed has none

    def column(self, name: str) -> Sequence[Any]:
        """Return a field of every entry."""
        found = self._columns.get(name)
        if found is None:
            found = self._columns[name] = self._read(name)
        return found

    def figures(self, name: str) -> Figures:
        """Return a figure of every entry."""
        found = self._figures.get(name)
        if found is None:
            found = self._figures[name] = self._read_figures(name)
        return found

    def check(self) -> None:
        """Validate every column, and keep none: most of them nobody will ask for."""
        unread = [name for name in self.figure_names if name not in self._figures]
        for name in chain(PLAIN, chain.from_iterable(map(columns_of, unread))):
            if name not in self._columns:
                column_from(self._lines.get(name), name, self._count, self._origin)

    def _read(self, name: str) -> list[Any]:
        """Validate a column; its line is not needed again."""
        column = column_from(self._lines.get(name), name, self._count, self._origin)
        self._lines.pop(name, None)
        return column

    def _read_figures(self, name: str) -> Figures:
        if name not in self.figure_names:
            return Figures([None] * self._count, [0.0] * self._count)
        return Figures(*map(self._read, columns_of(name)))

    def _made(self) -> list[Entry]:
        entries = [object.__new__(Entry) for _ in range(self._count)]  # columns are checked
        for name in PLAIN:
            for entry, value in zip(entries, self.column(name), strict=True):
                setattr(entry, name, value)
        for row, entry in enumerate(entries):
            entry.figures = RowFigures(self, row)
        return entries


class RowFigures(Mapping[str, Figure]):
    """The figures of one entry, out of the table."""

    __slots__ = ("_row", "_table")

    def __init__(self, table: StoredTable, row: int) -> None:
        self._table = table
        self._row = row

    def __getitem__(self, name: str) -> Figure:
        found: Figure | None = self.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def get(self, name: str, default: Any = None) -> Any:
        """Return a figure, or the default where the entry does not have it."""
        values, resolutions = self._table.figures(name)
        value = values[self._row]
        return default if value is None else Figure(value, resolutions[self._row])

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._table.figure_names if self.get(name))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return next(iter(self), None) is not None
