"""Grouping: cases that agree in some of their fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pytest_lem.case import digest
from pytest_lem.errors import config_error, did_you_mean
from pytest_lem.reports.figures import UNKNOWN
from pytest_lem.reports.rows import Row, row_of_group
from pytest_lem.results.entry import Entry
from pytest_lem.results.record import CaseSettings

#: Fields of a case beside its settings.
_OWN = ("kind", "key", "tier")


def group_rows(entries: Sequence[Entry], fields: Sequence[str], origin: str) -> list[Row]:
    """Return a row for each combination of values that occurs, in the order of the values.

    A field is a setting by its dotted name, all settings below a name, or what else tells cases
    apart. Raises LemError for one that no case has, with a name that is near.
    """
    _check(entries, fields, origin)
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        values = [value_of(entry, field) for field in fields]
        groups.setdefault(digest(values), []).append(entry)
    rows = [
        row_of_group({field: value_of(found[0], field) for field in fields}, found)
        for found in groups.values()
    ]
    return sorted(rows, key=lambda row: [rank(value) for value in row.labels.values()])


def value_of(entry: Entry, field: str) -> Any:
    """Return the value of a field: one setting, those below the name, or None for neither."""
    if field in _OWN:
        return getattr(entry, field)
    if field in entry.settings:
        return entry.settings[field]
    prefix = f"{field}."
    below = {n.removeprefix(prefix): v for n, v in entry.settings.items() if n.startswith(prefix)}
    return below or None


def shown(value: Any) -> str:
    """Return a value as people read it."""
    if isinstance(value, dict):
        return " ".join(f"{name}={shown(inner)}" for name, inner in value.items())
    if isinstance(value, bool):
        return str(value).lower()
    return UNKNOWN if value is None else str(value)


def known_fields(entries: Sequence[Entry]) -> set[str]:
    """Return the fields that any of the cases has."""
    settings = {name for entry in entries for name in entry.settings}
    above = {".".join(parts) for name in settings for parts in _above(name.split("."))}
    return {*_OWN, *CaseSettings.model_fields, *settings, *above}


def rank(value: Any) -> tuple[int, float, str]:
    """Return what sorts values of any kind: numbers by size, then texts, then what is absent."""
    if isinstance(value, int | float):
        return 0, float(value), ""
    return (2, 0.0, "") if value is None else (1, 0.0, shown(value))


def _check(entries: Sequence[Entry], fields: Sequence[str], origin: str) -> None:
    known = known_fields(entries)
    for field in fields:
        if field not in known:
            raise config_error(
                f"{origin}: no case of the run has a field {field!r}; "
                f"{did_you_mean(field, sorted(known))}"
            )


def _above(parts: Sequence[str]) -> Iterator[Sequence[str]]:
    return (parts[:count] for count in range(1, len(parts)))
