"""Columns of texts beside each other, to the letter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from pytest_lem.reports.spelling import unturned

#: Spaces between columns.
GAP = 2
_HEAD_STYLE = "bold"


class Column(NamedTuple):
    """A column: numbers stand to the right; what is whole, as numbers are, is never folded."""

    head: str
    is_number: bool = False
    is_whole: bool = False


def grid(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    width: int,
    *,
    styles: Sequence[str] = (),
    is_first_styled: bool = False,
) -> RenderableType:
    """Return the rows below their heads; what is too wide is folded.

    `styles` has one for each row, which `is_first_styled` confines to its first cell.
    """
    rows = [list(map(unturned, row)) for row in rows]
    heads = [column.head for column in columns]
    widths = [max(map(_width, cells)) for cells in zip(heads, *rows, strict=True)]
    has_room = sum(widths) + GAP * (len(widths) - 1) <= width
    draw = _aligned if has_room and _is_plain(rows) else _folded
    styled = [(style, 1 if is_first_styled else len(columns)) for style in styles]
    return draw(columns, rows, widths, styled or [("", 0)] * len(rows))


Styled = Sequence[tuple[str, int]]


def _aligned(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], widths: Sequence[int], styled: Styled
) -> Text:
    """Return lines, each as it is: a table that measures and folds takes ten times as long."""
    lines = [_line(columns, row, widths) for row in ([c.head for c in columns], *rows)]
    text = Text("\n".join(lines), no_wrap=True, overflow="ignore")
    text.stylize(_HEAD_STYLE, 0, len(lines[0]))
    start = len(lines[0]) + 1
    for line, row, (style, cells) in zip(lines[1:], rows, styled, strict=True):
        if style:
            length = len(line) if cells > 1 else len(row[0])
            text.stylize(style, start, start + length)
        start += len(line) + 1
    return text


def _line(columns: Sequence[Column], row: Sequence[str], widths: Sequence[int]) -> str:
    cells = []
    for column, cell, width in zip(columns, row, widths, strict=True):
        space = " " * (width - _width(cell))
        cells.append(space + cell if column.is_number else cell + space)
    return (" " * GAP).join(cells)


def _folded(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], _: Sequence[int], styled: Styled
) -> Table:
    table = Table(box=None, pad_edge=False, header_style=_HEAD_STYLE)
    for column in columns:
        table.add_column(
            Text(column.head),
            justify="right" if column.is_number else "left",
            overflow="fold",
            no_wrap=column.is_number or column.is_whole,
        )
    for row, (style, cells) in zip(rows, styled, strict=True):
        table.add_row(*(Text(x, style=style if n < cells else "") for n, x in enumerate(row)))
    return table


def _width(cell: str) -> int:
    return len(cell) if cell.isascii() else cell_len(cell)


def _is_plain(rows: Sequence[Sequence[str]]) -> bool:
    """Tell whether every cell is one line, without tabs."""
    return all(cell.isprintable() for row in rows for cell in row)
