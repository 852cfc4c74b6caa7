"""A sheet: rows for other programs, with columns that have a name and a type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from pytest_lem.errors import config_error, did_you_mean


class Column(NamedTuple):
    """A column. `kind` is str, float or int; `value` takes it from a row, None where unknown."""

    name: str
    kind: type
    value: Callable[[Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Columns over rows of any class; `about` says of the whole what a file can say of itself."""

    columns: Sequence[Column]
    rows: Iterable[Any]
    about: Mapping[str, str] = field(default_factory=dict)

    def only(self, names: Sequence[str], origin: str) -> Sheet:
        """Return the sheet with these columns, in this order; all of them where none is named.

        Raises LemError (`config`) for one that it does not have, with a name that is near.
        """
        known = {column.name: column for column in self.columns}
        for name in names:
            if name not in known:
                raise config_error(
                    f"{origin}: there is no column {name!r}; {did_you_mean(name, list(known))}"
                )
        return replace(self, columns=[known[name] for name in names]) if names else self

    def cells(self, row: Any) -> list[Any]:
        """Return the values of a row."""
        return [column.value(row) for column in self.columns]


def below(sheets: Sequence[Sheet]) -> Sheet:
    """Put sheets below each other; what one of them has no column for is unknown in its rows."""
    if len(sheets) == 1:
        return sheets[0]
    kinds = {column.name: column.kind for sheet in sheets for column in sheet.columns}
    known = [{column.name: column.value for column in sheet.columns} for sheet in sheets]

    def column(name: str) -> Column:
        def value(place: tuple[int, Any]) -> Any:
            number, row = place
            of = known[number].get(name)
            return None if of is None else of(row)

        return Column(name, kinds[name], value)

    return Sheet(
        columns=[column(name) for name in kinds],
        rows=((number, row) for number, sheet in enumerate(sheets) for row in sheet.rows),
        about=_joined([sheet.about for sheet in sheets]),
    )


def _joined(abouts: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return what sheets say of themselves, each thing once."""
    names = dict.fromkeys(name for about in abouts for name in about)
    return {n: " ".join(dict.fromkeys(a[n] for a in abouts if n in a)) for n in names}
