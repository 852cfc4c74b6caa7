"""`lem ls params`: everything that can be set, for a person or for a program."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from functools import partial
from typing import IO, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pytest_lem.cli.ls.listed import show
from pytest_lem.cli.printing import complain
from pytest_lem.config.parameter import Parameter, option_parameters, settings_parameters
from pytest_lem.errors import LemError
from pytest_lem.registry import BACKENDS, entries, find

#: Into a file or a pipe a parameter has one line, however long.
_UNLIMITED = 10_000

Sections = Mapping[str, Sequence[Parameter]]


def run(*, backend: str | None, form: str) -> int:
    """Print the settings and all options, or the options of one backend.

    Returns 2 for a backend that nobody registers, 1 when one cannot be loaded, else 0.
    """
    try:
        names = sorted(entries(BACKENDS)) if backend is None else [find(BACKENDS, backend).name]
    except LemError as error:
        complain(str(error))
        return 2
    settings = settings_parameters() if backend is None else []
    options = {name: found for name in names if (found := _options(name)) is not None}
    sections = {"settings": settings} if settings else {}
    sections |= {f"backends.{name}": found for name, found in options.items()}
    plain = {name: [asdict(p) for p in found] for name, found in options.items()}
    show(
        form,
        [field.name for field in fields(Parameter)],
        [_row(parameter) for found in sections.values() for parameter in found],
        partial(_show, sections, sys.stdout),
        document={"settings": [asdict(p) for p in settings], "backends": plain},
    )
    return 0 if len(options) == len(names) else 1


def _options(name: str) -> list[Parameter] | None:
    """Return the options of a backend, or None, with a sentence, where it is broken."""
    try:
        return option_parameters(find(BACKENDS, name).load().Options, f"backends.{name}.")
    except Exception as error:  # noqa: BLE001 - a stranger's code, whatever is wrong with it
        complain(
            f"the options of the backend `{name}` cannot be listed "
            f"({type(error).__name__}: {error}); install its package anew, or remove it"
        )
        return None


def _row(parameter: Parameter) -> dict[str, Any]:
    """Return a parameter for a line, where the default null is not to be taken for unknown."""
    default = parameter.default
    is_plain = default is not None and not isinstance(default, str)
    return {**asdict(parameter), "default": default if is_plain else json.dumps(default)}


def _show(sections: Sections, file: IO[str]) -> None:
    """Print a table for each section. What stands in it is shown to the letter."""
    if isinstance(file, io.TextIOWrapper):  # a terminal may lack the character ≥
        file.reconfigure(errors="replace")
    is_read = file.isatty()
    console = Console(file=file, highlight=False, width=None if is_read else _UNLIMITED)
    with console.capture() as capture:
        for title, parameters in sections.items():
            console.print(Text(title, style="bold"))
            console.print(_table(parameters, title, "\n" if is_read else "; "))
            console.print()
    # Cells of tables end in spaces.
    file.writelines(f"{line.rstrip()}\n" for line in capture.get().rstrip().splitlines())


def _table(parameters: Sequence[Parameter], title: str, separator: str) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for parameter in parameters:
        name = parameter.path.removeprefix(f"{title}.")
        words = Text(separator.join(_takes(parameter)))
        table.add_row(Text(name, style="bold"), words, Text(parameter.description))
    return table


def _takes(parameter: Parameter) -> Iterator[str]:
    """Yield what a parameter takes: type, default, examples, and those that need a GPU."""
    yield parameter.type
    yield f"default {json.dumps(parameter.default)}"
    if parameter.examples:
        yield f"such as {', '.join(map(json.dumps, parameter.examples))}"
    if parameter.gpu_examples:
        yield f"on a GPU {', '.join(map(json.dumps, parameter.gpu_examples))}"
