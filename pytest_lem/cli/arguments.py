"""Arguments that several commands have. Read at every start of `lem`: the standard library only."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

STORE = Path(".lem")


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


def words(text: str, noun: str = "field") -> tuple[str, ...]:
    """Read a comma list, each word once."""
    found = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} names no {noun}")
    return found
