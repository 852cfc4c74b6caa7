"""The command line and the sweep over `parametrize`: they give the values of a test's own lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from pytest_lem.errors import LemError
from pytest_lem.plugin.options import AXES, given, has_contest
from pytest_lem.plugin.settings import axis_values, default_of

if TYPE_CHECKING:  # imported only where there is one
    from pytest_lem.plugin.contest import ContestAxis
    from pytest_lem.plugin.sweep import Sweep

#: What a test can take from a sweep as its own arguments.
_SWEPT = (*AXES, "workload")


class Axes:
    """The axes of one test function: what it asks for, what is given for it."""

    def __init__(self, metafunc: pytest.Metafunc) -> None:
        self._metafunc = metafunc
        self._parametrize = metafunc.parametrize
        self._sweep = _varied(metafunc.config)
        asked = [name for name in _SWEPT if name in metafunc.fixturenames]
        self._swept = [name for name in asked if self._sweep and self._sweep.sets(name)]
        self._indirect: set[str] = set()
        self._lists: dict[str, list[Any]] = {}

    def intercept(self) -> None:
        """See every `parametrize` of this test, wherever its mark stands."""
        self._metafunc.parametrize = self._with_given_values  # type: ignore[method-assign]

    def fill_in(self) -> None:
        """Parametrize the axes that the test asks for and nothing else has given it."""
        for name in AXES:
            is_open = name not in self._lists and name not in self._swept
            if name in self._metafunc.fixturenames and is_open:
                values = self._given(name)
                if values is None and self._is_fixture(name):
                    continue
                self._lists[name] = values or [default_of(self._metafunc.config, name)]
                self._parametrize(name, self._lists[name])
        if self._sweep:
            self._spread(self._sweep)

    def _spread(self, sweep: Sweep | ContestAxis) -> None:
        """Run the test with every combination, whose values its arguments get together."""
        found = sweep.combinations(self._lists)
        self._parametrize(
            ["inference", *self._swept],
            [(one, *(one.value(name) for name in self._swept)) for one in found],
            indirect=["inference", *sorted(self._indirect)],
            ids=[one.id for one in found],
        )

    def _with_given_values(
        self, argnames: str | Sequence[str], argvalues: Iterable[Any], *args: Any, **kwargs: Any
    ) -> None:
        kwargs |= dict(zip(("indirect", "ids", "scope"), args, strict=False))
        names, values = _names(argnames), list(argvalues)
        rows = [_row(value, is_bare=isinstance(argnames, str) and len(names) == 1)
                for value in values]  # fmt: skip
        if any(len(row.values) != len(names) for row in rows):
            return self._parametrize(argnames, values, **kwargs)  # which says what is wrong
        listed = _Listed(names, rows, kwargs)
        self._indirect |= listed.indirect.intersection(self._swept)
        if "backend" in names and self._given("backend"):
            listed.label_rows()
        for name in names:
            if name in self._swept:
                listed.drop(name)
            elif name in AXES and (given_values := self._given(name)):
                listed.give(name, given_values)
        self._lists |= listed.columns()
        if listed.names:
            self._parametrize(listed.names, listed.rows, **listed.keywords)
        return None

    def _given(self, name: str) -> list[Any] | None:
        try:
            found = axis_values(self._metafunc.config, name)
        except LemError as error:
            raise pytest.UsageError(str(error)) from None
        return found.value if found else None

    def _is_fixture(self, name: str) -> bool:
        # No public name tells whether a fixture stands behind an argument.
        return name in getattr(self._metafunc, "_arg2fixturedefs", {})


class _Listed:
    """One `parametrize`: its names, a `pytest.param` for each row, its other arguments."""

    def __init__(self, names: Sequence[str], rows: list[Any], keywords: dict[str, Any]) -> None:
        self.names = list(names)
        self.rows = rows
        self.keywords = keywords

    @property
    def indirect(self) -> set[str]:
        """Return the names whose values go to a fixture."""
        given = self.keywords.get("indirect", False)
        return set(given if isinstance(given, Sequence) else self.names if given else ())

    def columns(self) -> dict[str, list[Any]]:
        """Return the values of each name."""
        return {name: [row.values[n] for row in self.rows] for n, name in enumerate(self.names)}

    def label_rows(self) -> None:
        """Let each row keep the id that a list gives it, wherever the row will stand."""
        ids = self.keywords.get("ids")
        if isinstance(ids, list | tuple) and len(ids) == len(self.rows):
            self.rows = [_labelled(row, name) for row, name in zip(self.rows, ids, strict=True)]

    def give(self, name: str, values: list[Any]) -> None:
        """Put given values in the place of a column. Those of backends select among its rows."""
        choose = _select if name == "backend" else _replace
        self.rows = choose(self.rows, self.names.index(name), values)
        self._forget_ids()

    def drop(self, name: str) -> None:
        """Take a column out: what is left are the distinct rests of the rows."""
        self.rows = [pytest.param(*rest) for rest in _rests(self.rows, self.names.index(name))]
        if isinstance(self.keywords.get("indirect"), Sequence):
            self.keywords["indirect"] = [n for n in self.keywords["indirect"] if n != name]
        self.names.remove(name)
        self._forget_ids()

    def _forget_ids(self) -> None:
        """Forget the ids that a list, or an earlier use of the mark, had for the old rows."""
        self.keywords.pop("_param_mark", None)
        if not callable(self.keywords.get("ids")):
            self.keywords.pop("ids", None)


def _varied(config: pytest.Config) -> Sweep | ContestAxis | None:
    """Return what gives several settings at once: a sweep, or the two sides of a comparison."""
    if has_contest(config):
        from pytest_lem.plugin.contest import contest_of

        return contest_of(config)
    if not given(config, "sweep"):
        return None
    from pytest_lem.plugin.sweep import sweep_of

    return sweep_of(config)


def _names(argnames: str | Sequence[str]) -> list[str]:
    if isinstance(argnames, str):
        return [name.strip() for name in argnames.split(",") if name.strip()]
    return list(argnames)


def _row(value: Any, *, is_bare: bool) -> Any:
    """Return a row as a `pytest.param`, which it may be already."""
    if isinstance(getattr(value, "values", None), tuple):
        return value
    is_single = is_bare or not isinstance(value, Iterable)
    return pytest.param(value) if is_single else pytest.param(*value)


def _labelled(row: Any, name: Any) -> Any:
    if row.id is not None or not isinstance(name, str | int | float):
        return row
    return pytest.param(*row.values, marks=row.marks, id=str(name))


def _select(rows: list[Any], column: int, values: list[Any]) -> list[Any]:
    """Return the rows that have one of the values; for one that no row has, a row for each rest."""
    found = []
    for value in values:
        own = [row for row in rows if row.values[column] == value]
        found += own or [_made(rest, column, value) for rest in _rests(rows, column)]
    return found


def _replace(rows: list[Any], column: int, values: list[Any]) -> list[Any]:
    """Return rows in which a column has the given values, for each distinct rest of a row.

    A row that has a value already is kept as it is, with its marks and its id.
    """
    found = []
    for rest in _rests(rows, column):
        for value in values:
            made = _made(rest, column, value)
            found.append(next((row for row in rows if row.values == made.values), made))
    return found


def _rests(rows: list[Any], column: int) -> list[tuple[Any, ...]]:
    """Return what is left of the rows without a column, each once. Values may be unhashable."""
    found: list[tuple[Any, ...]] = []
    for row in rows:
        rest = row.values[:column] + row.values[column + 1 :]
        if rest not in found:
            found.append(rest)
    return found


def _made(rest: tuple[Any, ...], column: int, value: Any) -> Any:
    return pytest.param(*rest[:column], value, *rest[column:])
