"""A list of what there is: a table for a person, JSON or comma-separated values for a program."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from pydantic_core import to_jsonable_python

from pytest_lem.cli.printing import draw, say
from pytest_lem.reports.figures import UNKNOWN
from pytest_lem.reports.listing import listing

Rows = Sequence[Mapping[str, Any]]


def show(
    form: str,
    names: Sequence[str],
    rows: Rows,
    people: Callable[[], None],
    *,
    document: Any = None,
) -> None:
    """Print rows of plain values in a format of `cli.arguments.FORMS`.

    `people` prints them for a person. `document` takes their place where JSON has another shape.
    """
    if form == "json":
        say(json.dumps(_plain(rows if document is None else document), indent=2, allow_nan=False))
    elif form == "csv":
        say(_lines(names, _plain(rows)))
    else:
        people()


def show_named(form: str, names: Sequence[str], rows: Rows, numbers: Collection[str] = ()) -> None:
    """Print rows of which a person sees the same as a program."""
    cells = [[cell(row[name]) for name in names] for row in rows]
    show(form, names, rows, partial(table, names, cells, numbers=numbers, whole=names[:1]))


def table(heads: Sequence[str], cells: Sequence[Sequence[str]], **traits: Any) -> None:
    """Print a table with the traits that `listing` takes; nothing where it has no rows."""
    if cells:
        draw(lambda **screen: listing(heads, cells, **traits, **screen))


def cell(value: Any) -> str:
    """Return a plain value as people read it."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={inner}" for name, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def minute(moment: str) -> str:
    """Return a moment in ISO 8601 to the minute, as people read it."""
    return moment[:16].replace("T", " ")


def _plain(value: Any) -> Any:
    """Return what JSON has words for; a number without end, as in a file of a stranger, is null."""
    return to_jsonable_python(value, inf_nan_mode="null")


def _lines(names: Sequence[str], rows: Rows) -> str:
    from pytest_lem.reports.delimited import delimited  # reads run files: not for every list
    from pytest_lem.reports.sheet import Column, Sheet

    columns = [Column(name, str, partial(_flat, name)) for name in names]
    return delimited(Sheet(columns=columns, rows=rows)).decode()


def _flat(name: str, row: Mapping[str, Any]) -> Any:
    """Return a value for a line: lists, objects and truth values as JSON."""
    value = row[name]
    return json.dumps(value) if isinstance(value, bool | list | dict) else value
