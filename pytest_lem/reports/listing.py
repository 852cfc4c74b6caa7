"""A plain list of things: a row for each, names to the left, numbers to the right."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.table import Table
from rich.text import Text

from pytest_lem.reports.console import text_from

#: Spaces between columns.
_GAP = 2


def listing(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int,
    is_colored: bool,
    numbers: Collection[str] = (),
    whole: Collection[str] = (),
    dispensable: Sequence[str] = (),
) -> str:
    """Return the rows below their heads, to the letter.

    Columns of numbers, and those named as `whole`, are not folded. Where it is narrow, those that
    are dispensable are given up, the first first.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    kept = _kept(heads, rows, width, dispensable)
    for head in (heads[n] for n in kept):
        table.add_column(
            Text(head),
            justify="right" if head in numbers else "left",
            overflow="fold",
            no_wrap=head in numbers or head in whole,
        )
    for row in rows:
        table.add_row(*(Text(row[n]) for n in kept))
    return text_from([table], width=width, is_colored=is_colored)


def _kept(
    heads: Sequence[str], rows: Sequence[Sequence[str]], width: int, dispensable: Sequence[str]
) -> list[int]:
    """Return the places of the columns that are shown."""
    kept = list(range(len(heads)))
    widths = [max(len(head), *(len(row[n]) for row in rows)) for n, head in enumerate(heads)]
    for head in dispensable:
        if sum(widths[n] + _GAP for n in kept) - _GAP <= width:
            break
        kept = [n for n in kept if heads[n] != head]
    return kept
