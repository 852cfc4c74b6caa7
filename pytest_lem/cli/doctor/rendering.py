"""The findings as people read them, in a terminal or a file."""

from __future__ import annotations

import io
from typing import IO

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pytest_lem.cli.doctor.findings import Findings, Section

#: Width of the labels; longer ones are folded.
_LABEL_WIDTH = 12


def show(findings: Findings, file: IO[str]) -> None:
    """Print all sections, then what is wrong, then the verdict. Names are shown to the letter."""
    if isinstance(file, io.TextIOWrapper):  # a terminal may lack the characters ± and °
        file.reconfigure(errors="replace")
    console = Console(file=file, highlight=False)
    with console.capture() as capture:
        _print(findings, console)
    # Cells of tables end in spaces.
    file.writelines(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def _print(findings: Findings, console: Console) -> None:
    for section in findings.sections:
        console.print(Text(section.name, style="bold"))
        console.print(Padding(_table(section), (0, 0, 1, 2)))
    for problem in findings.problems:
        console.print(_marked("problem", problem, "red"))
    for hint in findings.hints:
        console.print(_marked("hint", hint, "yellow"))
    console.print(Text(f"{findings.verdict[0].upper()}{findings.verdict[1:]}.", style="bold"))


def _table(section: Section) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=_LABEL_WIDTH, overflow="fold")
    table.add_column(overflow="fold")
    for row in section.rows:
        table.add_row(Text(row.label), Text(row.text))
    return table


def _marked(mark: str, sentence: str, style: str) -> Table:
    """Return a sentence beside its mark, as a paragraph with a hanging indent."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_row(Text(f"{mark}:", style=style), Text(sentence, overflow="fold"))
    return table
