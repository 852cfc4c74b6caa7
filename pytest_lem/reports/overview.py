"""The summary of a run for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from pytest_lem.reports.cells import (
    DISPENSABLE,
    columns_of,
    figure_cell,
    label_of,
    title_of,
)
from pytest_lem.reports.console import text_from
from pytest_lem.reports.fitting import is_too_narrow, kept, stacked, wanted
from pytest_lem.reports.grid import Column, grid
from pytest_lem.reports.rows import Row
from pytest_lem.reports.summary import Summary
from pytest_lem.reports.verdicts import render_verdicts


def overview(summary: Summary, *, width: int, is_colored: bool) -> str:
    """Return the figures of a run, what a reader has to know, and the verdicts of a gate.

    Ids are shown to the letter, whatever markup they resemble.
    """
    text = text_from(_parts(summary, width), width=width, is_colored=is_colored)
    if summary.gate is None:
        return text
    title = Text(summary.gate.title, style="bold")
    verdicts = render_verdicts(
        summary.gate.comparisons, width=width, is_colored=is_colored, verbosity=1
    )
    return f"{text}\n{text_from([title], width=width, is_colored=is_colored)}{verdicts}"


def _parts(summary: Summary, width: int) -> Iterator[RenderableType]:
    yield Text(summary.title, style="bold")
    columns: list[str] = []
    for rows in sections(summary):
        found = columns_of(rows, summary.chosen)
        columns += found
        yield from _table(rows, found, width, is_chosen=summary.chosen is not None)
    yield from (Text(note, style="dim") for note in summary.notes(columns))


def sections(summary: Summary) -> list[list[Row]]:
    """Return the rows that share a table: groups all do, cases do with those of their kind."""
    if summary.fields:
        return [list(summary.rows)]
    kinds: dict[str, list[Row]] = {}
    for row in summary.rows:
        kinds.setdefault(row.entries[0].kind, []).append(row)
    return list(kinds.values())


def _table(
    rows: Sequence[Row], columns: Sequence[str], width: int, *, is_chosen: bool
) -> list[RenderableType]:
    """Return a table, of which nothing is given up that somebody chose; lines where it is cut."""
    labels = list(rows[0].labels)
    named = [max(len(label), *(len(label_of(r, label)) for r in rows)) for label in labels]
    cells = {name: [figure_cell(row, name) for row in rows] for name in columns}
    widths = {name: max(map(len, (title_of(name), *found))) for name, found in cells.items()}
    shown = kept(widths, () if is_chosen else DISPENSABLE, width - wanted(named))
    if is_too_narrow(named, [widths[name] for name in shown], width):
        return [part for row in rows for part in _stacked(row, labels, shown)]
    heads = [*map(Column, labels), *(Column(title_of(n), is_number=True) for n in shown)]
    lines = [
        [*(label_of(r, x) for x in labels), *(cells[n][i] for n in shown)]
        for i, r in enumerate(rows)
    ]
    return [grid(heads, lines, width, styles=list(map(_style, rows)))]


def _stacked(row: Row, labels: Sequence[str], shown: Sequence[str]) -> list[RenderableType]:
    figures = [(title_of(name), figure_cell(row, name)) for name in shown]
    return stacked(", ".join(label_of(row, x) for x in labels), figures, style=_style(row))


def _style(row: Row) -> str:
    return "red" if row.has_failed else ""
