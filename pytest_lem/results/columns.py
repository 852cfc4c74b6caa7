"""Entries as columns: a line of JSON for each of their fields, compact to write, quick to read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, NonNegativeInt, TypeAdapter, ValidationError
from pydantic_core import to_json

from pytest_lem.errors import FailureKind, LemError
from pytest_lem.results.entry import Entry
from pytest_lem.results.record import Stored

_FIELDS: dict[str, Any] = Entry.__pydantic_fields__  # type: ignore[attr-defined]
_FIGURES = "figures"
_VALUES, _RESOLUTIONS = "values", "resolutions"
#: The fields that have a column of their own; figures have two each.
PLAIN = tuple(name for name in _FIELDS if name != _FIGURES)


class _Head(Stored):
    """What stands above the columns: how many entries there are, and the names of the columns."""

    entries: NonNegativeInt
    columns: list[str]


def lines_of(entries: Sequence[Entry]) -> list[bytes]:
    """Return entries as lines: the head, then a list for each column.

    A figure that an entry does not have is null there. Raises ValueError for text that is none.
    """
    columns: dict[str, list[Any]] = {name: [getattr(e, name) for e in entries] for name in PLAIN}
    found = [dict(entry.figures) for entry in entries]
    for figure in dict.fromkeys(name for figures in found for name in figures):
        values, resolutions = columns_of(figure)
        columns[values] = [f[figure].value if figure in f else None for f in found]
        columns[resolutions] = [f[figure].resolution if figure in f else 0.0 for f in found]
    head = {"entries": len(entries), "columns": list(columns)}
    return [to_json(part, inf_nan_mode="constants") for part in (head, *columns.values())]


def named_lines(lines: Sequence[bytes], origin: Path) -> tuple[int, dict[str, bytes]]:
    """Return how many entries there are, and the line of each column by its name.

    `origin` is the file, for the LemError (`data`) that is raised for lines that are others.
    """
    try:
        head = _Head.model_validate_json(lines[0] if lines else b"")
    except ValidationError as error:
        raise unreadable(origin, _told("columns", error)) from error
    names, columns = head.columns, lines[1:]
    if len(names) != len(columns) or len(set(names)) < len(names):
        raise unreadable(origin, f"it names {len(names)} columns and has {len(columns)}")
    return head.entries, dict(zip(names, columns, strict=True))


def column_from(line: bytes | None, name: str, count: int, origin: Path) -> list[Any]:
    """Validate the line of a column; one that is not there has defaults, if its field has one.

    A release that has further fields reads the files of one that has not. Raises LemError (`data`).
    """
    field = _FIELDS.get(name)
    if line is None and field is not None:
        if field.is_required():
            raise unreadable(origin, f"`{name}`: Field required")
        return [field.get_default(call_default_factory=True) for _ in range(count)]
    try:
        column: list[Any] = _adapter(list[_kind_of(name)]).validate_json(line or b"")  # type: ignore[misc]
    except ValidationError as error:
        raise unreadable(origin, _told(name, error)) from error
    if len(column) != count:
        raise unreadable(origin, f"`{name}` has {len(column)} entries, and there are {count}")
    return column


def columns_of(figure: str) -> tuple[str, str]:
    """Return the names of the columns of a figure: its values, and their resolutions."""
    return f"{_FIGURES}.{figure}.{_VALUES}", f"{_FIGURES}.{figure}.{_RESOLUTIONS}"


def figure_of(column: str) -> str | None:
    """Return the figure of which a column holds the values; None for any other column."""
    field, _, rest = column.partition(".")
    figure, _, part = rest.rpartition(".")
    return figure if (field, part) == (_FIGURES, _VALUES) else None


class OtherFormatError(LemError):
    """A session in the format of another release."""


def unreadable(origin: Path, why: str) -> LemError:
    """Return the error for a session that cannot be read."""
    return LemError(f"cannot read the session {origin}: {why}", kind=FailureKind.DATA)


def _kind_of(name: str) -> Any:
    """Return what a column is a list of, checked as it is in an entry."""
    if name.startswith(f"{_FIGURES}."):
        return float if name.endswith(_RESOLUTIONS) else float | None
    field = _FIELDS[name]
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Return what validates; it is made when it is needed, and there are few kinds."""
    return TypeAdapter(kind, config=ConfigDict(allow_inf_nan=False))


def _told(name: str, error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, (name, *first["loc"])))
    return f"`{place}`: {first['msg']}"
