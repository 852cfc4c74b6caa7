"""A list of named things, for a person or for a program."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pytest_lem.cli.printing import draw, say
from pytest_lem.reports.figures import UNKNOWN
from pytest_lem.reports.listing import listing


def show(
    rows: Sequence[Mapping[str, Any]], *, is_json: bool, numbers: Collection[str] = ()
) -> None:
    """Print rows, which have the same fields, as a table or as one JSON document."""
    if is_json:
        say(json.dumps(rows, indent=2, allow_nan=False))
    elif rows:
        heads = list(rows[0])
        cells = [[_cell(row[head]) for head in heads] for row in rows]
        draw(lambda **screen: listing(heads, cells, numbers=numbers, whole=heads[:1], **screen))


def _cell(value: Any) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={inner}" for name, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
