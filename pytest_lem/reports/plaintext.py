"""The summary of a run as text for a file: no limit of width, no colours."""

from __future__ import annotations

from typing import ClassVar

from pytest_lem.reports.choice import choose_columns
from pytest_lem.reports.console import UNLIMITED, trimmed
from pytest_lem.reports.faces import encoded
from pytest_lem.reports.material import Material
from pytest_lem.reports.overview import overview


class TableReport:
    """The tables that `lem report` draws in a terminal, where it fits them to its width."""

    name: ClassVar = "table"
    requires: ClassVar[tuple[str, ...]] = ()
    install: ClassVar = "pip install pytest-lem"
    follows: ClassVar[tuple[str, ...]] = ("group-by", "sort", "columns")
    is_printable: ClassVar = True

    def render(self, material: Material) -> bytes:
        """Return tables and notes."""
        summary = choose_columns(material.summary, material.columns, "--columns")
        return encoded(trimmed(overview(summary, width=UNLIMITED, is_colored=False)))
