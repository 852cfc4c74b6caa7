"""What a report is."""

from __future__ import annotations

from typing import ClassVar, Protocol

from pytest_lem.reports.material import Material


class Report(Protocol):
    """Shows a run, or several, in one format. One file and one entry point make a new one.

    The entry point stands in the group `pytest_lem.reports`, names a class, and its name is that of
    the report: what `lem report --format` and `pytest --lem-report` take. The class attributes are
    read before anything is measured, so importing the file must not import what it `requires`:
    modules that have to be there, installed by the command `install`. `follows` names the options
    of `lem report` that it heeds (`group-by`, `sort`, `columns`, `rows`); any other is refused, not
    ignored. `is_printable` tells whether its bytes are text that people want in a terminal.
    """

    name: ClassVar[str]
    requires: ClassVar[tuple[str, ...]]
    install: ClassVar[str]
    follows: ClassVar[tuple[str, ...]]
    is_printable: ClassVar[bool]

    def render(self, material: Material) -> bytes:
        """Return the content of the report, and change nothing of the material.

        A LemError is told as it is, and any other exception in a sentence.
        """
