"""What fits into the width of a terminal: which columns a table keeps, and lines instead of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pytest_lem.reports.figures import UNKNOWN
from pytest_lem.reports.grid import GAP

#: Width that a name needs at most before it is folded.
NAME_WIDTH = 40
#: Narrower than this, folded names cannot be read.
_LEAST_NAME = 16
_INDENT = 2


def kept(widths: Mapping[str, int], dispensable: Sequence[str], room: int) -> list[str]:
    """Return the columns that are left when dispensable ones, the first first, are given up.

    `widths` are those of the cells, and `room` is what there is for them and the gaps before them.
    """
    left = list(widths)
    for name in dispensable:
        if sum(widths[n] + GAP for n in left) <= room:
            break
        left = [column for column in left if column != name]
    return left


def wanted(names: Iterable[int]) -> int:
    """Return the width that names of such lengths, with the gaps after them, should have."""
    return sum(min(NAME_WIDTH, width) + GAP for width in names) - GAP


def is_too_narrow(names: Iterable[int], figures: Iterable[int], width: int) -> bool:
    """Tell whether figures would be cut, or names folded beyond recognition."""
    least = sum(min(_LEAST_NAME, name) + GAP for name in names) - GAP
    return least + sum(figure + GAP for figure in figures) > width


def stacked(
    name: str, figures: Sequence[tuple[str, str]], *, style: str = ""
) -> list[RenderableType]:
    """Return a row as lines: its name, and its figures below."""
    return [Text(name, style=style), *stacked_figures(figures, style=style)]


def stacked_figures(figures: Sequence[tuple[str, str]], *, style: str = "") -> list[RenderableType]:
    """Return each figure in a line, behind what it is called.

    The first is there in any case, the others where they are known.
    """
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for number, (head, cell) in enumerate(figures):
        if number == 0 or cell != UNKNOWN:
            table.add_row(Text(head), Text(cell), style=style)
    return [Padding(table, (0, 0, 0, _INDENT), expand=False)]
