"""Entries by columns: a list for each of their fields, compact to write and quick to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, create_model
from pydantic_core import to_json

from pytest_lem.results.entry import Entry, Figure


class FigureColumn(BaseModel):
    """A figure of every entry; null where an entry does not have it."""

    model_config = ConfigDict(allow_inf_nan=False)

    values: list[float | None]
    resolutions: list[float]


class FigureTable:
    """The figures of all entries; a column is made when somebody asks for it: few are."""

    def __init__(self, columns: Mapping[str, FigureColumn]) -> None:
        self._columns = columns
        self._made: dict[str, list[Figure | None]] = {}

    @property
    def names(self) -> Iterable[str]:
        """Return the figures that any entry has."""
        return self._columns

    def column(self, name: str) -> Sequence[Figure | None]:
        """Return a figure of every entry; of one that nobody has, nothing."""
        made = self._made.get(name)
        if made is None and name in self._columns:
            column = self._columns[name]
            pairs = zip(column.values, column.resolutions, strict=True)
            made = [None if value is None else Figure(value, share) for value, share in pairs]
            self._made[name] = made
        return made or ()


class RowFigures(Mapping[str, Figure]):
    """The figures of one entry, out of the table."""

    __slots__ = ("_row", "_table")

    def __init__(self, table: FigureTable, row: int) -> None:
        self._table = table
        self._row = row

    def __getitem__(self, name: str) -> Figure:
        column = self._table.column(name)
        found = column[self._row] if column else None
        if found is None:
            raise KeyError(name)
        return found

    def get(self, name: str, default: Any = None) -> Any:
        """Return a figure, or the default where the entry does not have it."""
        column = self._table.column(name)
        return (column[self._row] if column else None) or default

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._table.names if self.get(name))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return next(iter(self), None) is not None


def columns_json(entries: Sequence[Entry]) -> bytes:
    """Return entries as one JSON object. Raises ValueError for text that is none."""
    columns: dict[str, Any] = {name: [getattr(e, name) for e in entries] for name in _FIELDS}
    figures = columns["figures"]
    columns["figures"] = {
        name: {
            "values": [f[name].value if name in f else None for f in figures],
            "resolutions": [f[name].resolution if name in f else 0.0 for f in figures],
        }
        for name in dict.fromkeys(name for found in figures for name in found)
    }
    return to_json(columns, inf_nan_mode="constants")


def entries_from(content: bytes) -> list[Entry]:
    """Validate columns and return the entries in them.

    Raises pydantic's ValidationError, or ValueError where columns are of different lengths.
    """
    found = _COLUMNS.model_validate_json(content)
    columns = {name: getattr(found, name) for name in _FIELDS}
    count = len(columns["key"])
    for name, column in columns.items():
        if column is None:
            default = _FIELDS[name].get_default
            columns[name] = [default(call_default_factory=True) for _ in range(count)]
    columns["figures"] = _figures(columns["figures"], count)
    _check_lengths(columns, count)
    entries = [object.__new__(Entry) for _ in range(count)]  # what was checked is not checked again
    for name, column in columns.items():
        for entry, value in zip(entries, column, strict=True):
            setattr(entry, name, value)
    return entries


def _figures(columns: dict[str, FigureColumn], count: int) -> list[RowFigures]:
    for name, column in columns.items():
        parts = {"values": column.values, "resolutions": column.resolutions}
        _check_lengths({f"figures.{name}.{part}": x for part, x in parts.items()}, count)
    table = FigureTable(columns)
    return [RowFigures(table, row) for row in range(count)]


def _check_lengths(columns: dict[str, Any], count: int) -> None:
    for name, column in columns.items():
        if len(column) != count:
            raise ValueError(f"`{name}` has {len(column)} entries, `key` has {count}")


def _definition(name: str, field: Any) -> tuple[Any, Any]:
    """Return type and default of a column: a list of what entries have, checked as theirs is.

    A release that has further fields reads the files of one that has not.
    """
    item = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    column = dict[str, FigureColumn] if name == "figures" else list[item]  # type: ignore[valid-type]
    return column, ... if field.is_required() else None


_FIELDS: dict[str, Any] = Entry.__pydantic_fields__  # type: ignore[attr-defined]
_COLUMNS: type[BaseModel] = create_model(  # type: ignore[call-overload]
    "Columns",
    __config__=ConfigDict(extra="ignore", allow_inf_nan=False),
    **{name: _definition(name, field) for name, field in _FIELDS.items()},
)
