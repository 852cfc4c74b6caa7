"""Arguments that several commands have. Read at every start of `lem`: the standard library only."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

STORE = Path(".lem")
#: How a list can be printed, the default first.
FORMS = ("table", "json", "csv")


def add_command(parent: Any, name: str, short: str, long: str, epilog: str) -> Any:
    """Add a command; the epilog is shown as it is written."""
    return parent.add_parser(
        name,
        help=short,
        description=long,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_store(parser: Any) -> None:
    """Add `--store`."""
    parser.add_argument(
        "--store",
        type=Path,
        default=STORE,
        metavar="DIR",
        help="folder of runs and baselines (default: .lem)",
    )


def add_format(parser: Any) -> None:
    """Add `--format` of a list, with `--json` as a short word for one of them."""
    one = parser.add_mutually_exclusive_group()
    one.add_argument(
        "--format",
        choices=FORMS,
        default=FORMS[0],
        help="how it is printed: for people (default), or for programs, with plain values",
    )
    one.add_argument(
        "--json",
        dest="format",
        action="store_const",
        const="json",
        default=FORMS[0],
        help="short for --format json",
    )


def words(text: str, noun: str = "field") -> tuple[str, ...]:
    """Read a comma list, each word once."""
    found = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} names no {noun}")
    return found
