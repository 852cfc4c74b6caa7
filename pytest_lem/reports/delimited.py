"""A sheet as comma-separated values."""

from __future__ import annotations

import csv
import io
from typing import Any, ClassVar

from pytest_lem.reports.faces import encoded
from pytest_lem.reports.material import Material
from pytest_lem.reports.sheet import Sheet
from pytest_lem.reports.sheets import sheet_of

#: A text that begins with one of these is taken for a formula by spreadsheets.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
#: The writer quotes only what could end a line of its own.
_END = "\r\n"


class CsvReport:
    """Rows for any program that reads text."""

    name: ClassVar = "csv"
    requires: ClassVar[tuple[str, ...]] = ()
    install: ClassVar = "pip install pytest-lem"
    follows: ClassVar[tuple[str, ...]] = ("group-by", "sort", "columns", "rows")
    is_printable: ClassVar = True

    def render(self, material: Material) -> bytes:
        """Return the lines."""
        return delimited(sheet_of(material))


def delimited(sheet: Sheet) -> bytes:
    """Return the lines, encoded, the first of them with the names of the columns.

    Figures are unrounded; what is not known is empty. An apostrophe stands before a text that a
    spreadsheet would run as a formula: names of tests and messages are anybody's.
    """
    lines = _Lines()
    writer = csv.writer(lines, lineterminator=_END)
    writer.writerow([_inert(column.name) for column in sheet.columns])
    writer.writerows(map(_inert, sheet.cells(row)) for row in sheet.rows)
    return lines.content.getvalue()


class _Lines:
    """Lines that end as everywhere on Linux, with both parts of a longer end quoted inside them.

    They are encoded at once: rows come by the million.
    """

    def __init__(self) -> None:
        self.content = io.BytesIO()

    def write(self, line: str) -> None:
        """Take a line."""
        self.content.write(encoded(f"{line.removesuffix(_END)}\n"))


def _inert(value: Any) -> Any:
    is_formula = isinstance(value, str) and value.startswith(_FORMULA)
    return f"'{value}" if is_formula else value
