"""Which rows of a summary come first, and which columns a table of it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pytest_lem.errors import config_error, did_you_mean
from pytest_lem.reports.grouping import known_fields, rank, value_of
from pytest_lem.reports.rows import Row
from pytest_lem.reports.summary import Summary

_DOWN = "desc"
_FORM = "NAME or NAME:desc"


def sort_rows(summary: Summary, text: str, origin: str) -> None:
    """Put the rows in the order of a figure or field: `NAME`, or `NAME:desc` for the largest first.

    What is not known comes last either way. Raises LemError for a name that nothing has.
    """
    name, colon, order = text.strip().partition(":")
    if colon and order != _DOWN:
        raise config_error(f"{origin}: {text!r} is no order of rows; write {_FORM}")
    _check(summary, name, origin)
    known = [row for row in summary.rows if _value(row, name) is not None]
    unknown = [row for row in summary.rows if _value(row, name) is None]
    known.sort(key=lambda row: rank(_value(row, name)), reverse=bool(colon))
    summary.rows = known + unknown


def choose_columns(summary: Summary, names: Sequence[str], origin: str) -> Summary:
    """Return a summary of these figures and no others, with these fields beside the names of rows.

    Without names it is the same. Raises LemError for a name that nothing has.
    """
    if not names:
        return summary
    for name in names:
        _check(summary, name, origin)
    figures = [name for name in names if name in summary.rows[0].figures]
    fields = [name for name in names if name not in figures]
    rows = [
        replace(row, labels={**row.labels, **{field: _value(row, field) for field in fields}})
        for row in summary.rows
    ]
    return replace(summary, rows=rows, chosen=figures)


def _check(summary: Summary, name: str, origin: str) -> None:
    row = summary.rows[0]
    fields = set(row.labels)
    if not summary.fields:
        fields |= known_fields(summary.session.entries)
    if name not in row.figures and name not in fields:
        known = [*row.figures, *sorted(fields)]
        whose = "the groups have" if summary.fields else "the cases have"
        raise config_error(
            f"{origin}: {whose} no figure and no field {name!r}; {did_you_mean(name, known)}"
        )


def _value(row: Row, name: str) -> Any:
    if name in row.figures:
        return row.figures[name].value
    if name in row.labels:
        return row.labels[name]
    return value_of(row.entries[0], name)
