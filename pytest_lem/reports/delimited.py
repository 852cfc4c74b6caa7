"""A sheet as comma-separated values."""

from __future__ import annotations

import csv
from typing import Any

from pytest_lem.reports.sheet import Sheet

#: A text that begins with one of these is taken for a formula by spreadsheets.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
#: The writer quotes only what could end a line of its own.
_END = "\r\n"


def delimited(sheet: Sheet) -> str:
    """Return the lines, the first of them with the names of the columns.

    Figures are unrounded; what is not known is empty. An apostrophe stands before a text that a
    spreadsheet would run as a formula: names of tests and messages are anybody's.
    """
    lines = _Lines()
    writer = csv.writer(lines, lineterminator=_END)
    writer.writerow([_inert(column.name) for column in sheet.columns])
    writer.writerows(map(_inert, sheet.cells(row)) for row in sheet.rows)
    return "".join(lines)


class _Lines(list[str]):
    """Lines that end as everywhere on Linux, with both parts of a longer end quoted inside them."""

    def write(self, line: str) -> None:
        """Take a line."""
        self.append(f"{line.removesuffix(_END)}\n")


def _inert(value: Any) -> Any:
    is_formula = isinstance(value, str) and value.startswith(_FORMULA)
    return f"'{value}" if is_formula else value
