"""The command line over `parametrize`: `--lem-batch-size=1,8` replaces a test's own list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from pytest_lem.errors import LemError
from pytest_lem.plugin.options import AXES
from pytest_lem.plugin.settings import axis_values, session_layers


class Axes:
    """The axes of one test function: what it asks for, what is given for it."""

    def __init__(self, metafunc: pytest.Metafunc) -> None:
        self._metafunc = metafunc
        self._parametrize = metafunc.parametrize
        self._done: set[str] = set()

    def intercept(self) -> None:
        """See every `parametrize` of this test, wherever its mark stands."""
        self._metafunc.parametrize = self._with_given_values  # type: ignore[method-assign]

    def fill_in(self) -> None:
        """Parametrize the axes that the test asks for and nothing else has given it."""
        for name in AXES:
            if name in self._metafunc.fixturenames and name not in self._done:
                values = self._given(name)
                if values is None and self._is_fixture(name):
                    continue
                self._parametrize(name, values or [default_of(self._metafunc.config, name)])

    def _with_given_values(
        self, argnames: str | Sequence[str], argvalues: Iterable[Any], *args: Any, **kwargs: Any
    ) -> None:
        names = _names(argnames)
        self._done.update(names)
        rows = list(argvalues)
        for column, name in enumerate(names):
            values = self._given(name) if name in AXES else None
            if values is not None:
                rows = _replace(rows, column, len(names), values)
                if not callable(kwargs.get("ids")):
                    kwargs.pop("ids", None)  # a list of ids belonged to the old values
        self._parametrize(argnames, rows, *args, **kwargs)

    def _given(self, name: str) -> list[Any] | None:
        try:
            found = axis_values(self._metafunc.config, name)
        except LemError as error:
            raise pytest.UsageError(str(error)) from None
        return found.value if found else None

    def _is_fixture(self, name: str) -> bool:
        # No public name tells whether a fixture stands behind an argument.
        return name in getattr(self._metafunc, "_arg2fixturedefs", {})


def default_of(config: pytest.Config, name: str) -> Any:
    """Return the value of an axis that nobody parametrized."""
    layers = session_layers(config)
    if found := layers.leaves.get((name,)):
        return found.value
    from pytest_lem.config.models import Settings

    return Settings.model_fields[name].default


def _names(argnames: str | Sequence[str]) -> list[str]:
    if isinstance(argnames, str):
        return [name.strip() for name in argnames.split(",") if name.strip()]
    return list(argnames)


def _replace(rows: list[Any], column: int, width: int, values: list[Any]) -> list[Any]:
    """Return rows in which a column has the given values, for each distinct rest of a row.

    A row that has a value already is kept as it is, with its marks and its id.
    """
    found: list[Any] = []
    seen: list[tuple[Any, ...]] = []
    for row in rows:
        rest = _without(_cells(row, width), column)
        if rest in seen:
            continue
        seen.append(rest)
        for value in values:
            same = (
                old
                for old in rows
                if _cells(old, width)[column] == value
                and _without(_cells(old, width), column) == rest
            )
            found.append(next(same, None) or _row(rest, column, value, width))
    return found


def _cells(row: Any, width: int) -> tuple[Any, ...]:
    values = getattr(row, "values", None)  # a `pytest.param`
    if isinstance(values, tuple):
        return values
    return (row,) if width == 1 else tuple(row)


def _without(cells: tuple[Any, ...], column: int) -> tuple[Any, ...]:
    return cells[:column] + cells[column + 1 :]


def _row(rest: tuple[Any, ...], column: int, value: Any, width: int) -> Any:
    return value if width == 1 else (*rest[:column], value, *rest[column:])
