"""Arguments that say how a report looks: what has a row, in which order and format, and where to.

Read at every start of `lem`, so nothing but the standard library is imported here.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_lem.cli.arguments import words

if TYPE_CHECKING:
    from pytest_lem.reports.protocol import Report

CASES = "cases"
#: Drawn for the terminal, unless it goes into a file.
TABLE = "table"
#: Arguments that mean figures of cases, which rounds and samples do not have.
_OF_CASES = ("baseline", "config", "settings", "group_by", "sort")
#: Arguments that a report follows, or has no use for.
_FOLLOWED = ("group_by", "sort", "columns", "rows")
_FLAGS = {"settings": "--set"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a report looks, as it was typed; `output` None: it is printed. `flag` named the file."""

    form: str
    report: Report
    rows: str = CASES
    output: Path | None = None
    flag: str = "--output"
    sort: str | None = None
    columns: Sequence[str] = ()


def add_shape(report: Any) -> None:  # the class of argparse has no public name
    """Add the arguments."""
    report.add_argument(
        "--rows",
        choices=[CASES, "rounds", "samples"],
        default=CASES,
        help="what has a row: cases or their groups, measured windows, or samples of power, clocks "
        "and temperature; the last two as csv or parquet (default: cases)",
    )
    report.add_argument(
        "--sort",
        metavar="NAME[:desc]",
        help="order of the rows: a figure, such as energy_per_output_token_j, or a field of the "
        "cases; what is unknown comes last",
    )
    report.add_argument(
        "--columns",
        type=partial(words, noun="column"),
        default=(),
        metavar="NAMES",
        help="only these columns, comma-separated: figures and fields for tables, any column for "
        "csv and parquet",
    )
    report.add_argument(
        "--format",
        metavar="NAME",
        help="how it is shown: table, json, md, csv, parquet, html, or what another package "
        "registers (default: table, of rounds and samples csv)",
    )
    report.add_argument(
        "--output", type=Path, metavar="FILE", help="write it here instead of printing it"
    )
    report.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="short for --format html --output FILE: a page with charts that opens offline",
    )


def shape_of(arguments: argparse.Namespace) -> Shape:
    """Return what was typed; what does not go together ends the command.

    Raises LemError for a report that there is not, or that cannot be made here.
    """
    form, output, flag = _place(arguments)
    report = _report(form)
    what = flag if flag == "--html" else f"--format {form}"
    if arguments.rows != CASES:
        rows = f"--rows {arguments.rows}"
        refuse_idle(arguments, _OF_CASES, f"{rows} shows no figures of cases, and")
        if "rows" not in report.follows:
            arguments.error(f"{what} shows cases, and not {rows}; csv and parquet do")
    idle = (name for name in _FOLLOWED if name.replace("_", "-") not in report.follows)
    refuse_idle(arguments, idle, what)
    if output is None and not report.is_printable:
        arguments.error(f"{what} is not for a terminal; say with --output which file it becomes")
    return Shape(
        form=form,
        report=report,
        rows=arguments.rows,
        output=output,
        flag=flag,
        sort=arguments.sort,
        columns=arguments.columns,
    )


def refuse_idle(arguments: argparse.Namespace, names: Iterable[str], what: str) -> None:
    """End the command where an argument was typed that would change nothing."""
    for name in names:
        if getattr(arguments, name) not in (None, (), [], CASES):
            flag = _FLAGS.get(name, f"--{name.replace('_', '-')}")
            arguments.error(f"{what} has no use for {flag}; take one of the two out")


def _place(arguments: argparse.Namespace) -> tuple[str, Path | None, str]:
    """Return the format, the file, and the option that names it."""
    if arguments.html is not None:
        refuse_idle(arguments, ("format", "output"), "--html")
        return "html", arguments.html, "--html"
    default = TABLE if arguments.rows == CASES else "csv"
    return arguments.format or default, arguments.output, "--output"


def _report(form: str) -> Report:
    if form == TABLE:  # drawn by us, whoever is registered
        from pytest_lem.reports.plaintext import TableReport

        return TableReport()
    from pytest_lem.reports.faces import report_named

    return report_named(form)
