"""Arguments that say how a report looks: what has a row, in which order and format, and where to.

Read at every start of `lem`, so nothing but the standard library is imported here.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CASES = "cases"
#: Formats of what a program reads row by row.
SHEETS = ("csv", "parquet")
#: Arguments that mean figures of cases, which rounds and samples do not have.
_OF_CASES = {
    "baseline": "--baseline",
    "config": "--config",
    "settings": "--set",
    "group_by": "--group-by",
    "sort": "--sort",
}

#: Arguments that choose among what a page has anyway.
_NOT_IN_PAGES = ("rows", "group_by", "sort", "columns", "format", "output")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a report looks, as it was typed; `output` None: it is printed."""

    form: str
    rows: str = CASES
    output: Path | None = None
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
        type=_names,
        default=(),
        metavar="NAMES",
        help="only these columns, comma-separated: figures and fields for tables, any column for "
        "csv and parquet",
    )
    report.add_argument(
        "--format",
        choices=["table", "json", "md", *SHEETS],
        help="how it is shown (default: table, of rounds and samples csv)",
    )
    report.add_argument(
        "--output", type=Path, metavar="FILE", help="write it here instead of printing it"
    )


def shape_of(arguments: argparse.Namespace) -> Shape:
    """Return what was typed; what does not go together ends the command."""
    if arguments.html is not None:
        given = (n for n in _NOT_IN_PAGES if getattr(arguments, n) not in (None, (), CASES))
        if typed := next(given, None):
            flag = typed.replace("_", "-")
            arguments.error(f"--html shows all of every case and has no use for --{flag}")
    is_of_cases = arguments.rows == CASES
    form = arguments.format or ("table" if is_of_cases else "csv")
    if not is_of_cases:
        typed = next((flag for n, flag in _OF_CASES.items() if getattr(arguments, n)), None)
        if typed:
            arguments.error(f"{typed} is about figures of cases, which --rows {arguments.rows} "
                            "does not show; take one of the two out")  # fmt: skip
        if form not in SHEETS:
            arguments.error(f"--rows {arguments.rows} is shown as csv or parquet, not as {form}")
    if form == "parquet" and arguments.output is None:
        arguments.error("--format parquet is no text; say with --output which file it becomes")
    if form == "json" and arguments.columns:
        arguments.error("--columns chooses columns, and json has none; its readers take what "
                        "they want")  # fmt: skip
    return Shape(
        form=form,
        rows=arguments.rows,
        output=arguments.output,
        sort=arguments.sort,
        columns=arguments.columns,
    )


def _names(text: str) -> tuple[str, ...]:
    """Read a comma list, each name once."""
    names = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if not names:
        raise argparse.ArgumentTypeError(f"{text!r} names no column")
    return names
