"""A plain list of things: a row for each, names to the left, numbers to the right."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pytest_lem.reports.console import text_from
from pytest_lem.reports.grid import GAP, Column, grid


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
    kept = _kept(heads, rows, width, dispensable)
    columns = [Column(heads[n], heads[n] in numbers, heads[n] in whole) for n in kept]
    table = grid(columns, [[row[n] for n in kept] for row in rows], width)
    return text_from([table], width=width, is_colored=is_colored)


def _kept(
    heads: Sequence[str], rows: Sequence[Sequence[str]], width: int, dispensable: Sequence[str]
) -> list[int]:
    """Return the places of the columns that are shown."""
    kept = list(range(len(heads)))
    widths = [max(len(head), *(len(row[n]) for row in rows)) for n, head in enumerate(heads)]
    for head in dispensable:
        if sum(widths[n] + GAP for n in kept) - GAP <= width:
            break
        kept = [n for n in kept if heads[n] != head]
    return kept
