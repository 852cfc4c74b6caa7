"""The summary of a run for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from pytest_lem.reports.cells import (
    DISPENSABLE,
    columns_of,
    figure_cell,
    label_of,
    title_of,
)
from pytest_lem.reports.console import text_from
from pytest_lem.reports.grouping import shown
from pytest_lem.reports.rows import Row
from pytest_lem.reports.summary import Summary
from pytest_lem.reports.verdicts import render_verdicts

#: Width that a name needs at most before it is folded.
_NAME_WIDTH = 40
_GAP = 2


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
        yield _table(rows, found, width, is_chosen=summary.chosen is not None)
    yield from (Text(note, style="dim") for note in summary.notes(columns))


def sections(summary: Summary) -> list[list[Row]]:
    """Return the rows that share a table: groups all do, cases do with those of their kind."""
    if summary.fields:
        return [list(summary.rows)]
    kinds: dict[str, list[Row]] = {}
    for row in summary.rows:
        kinds.setdefault(row.entries[0].kind, []).append(row)
    return list(kinds.values())


def _table(rows: Sequence[Row], columns: Sequence[str], width: int, *, is_chosen: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    labels = list(rows[0].labels)
    for label in labels:
        table.add_column(Text(label), overflow="fold")
    shown_columns = columns if is_chosen else _fitting(rows, labels, columns, width)
    for name in shown_columns:
        table.add_column(title_of(name), justify="right", no_wrap=True)
    for row in rows:
        cells = [label_of(row, label) for label in labels]
        cells += [figure_cell(row, name) for name in shown_columns]
        is_failed = any(entry.status == "failed" for entry in row.entries)
        table.add_row(*map(Text, cells), style="red" if is_failed else "")
    return table


def _fitting(
    rows: Sequence[Row], labels: Sequence[str], columns: Sequence[str], width: int
) -> list[str]:
    """Leave out dispensable figures until the rest fits beside the names."""
    left = list(columns)
    widths = {n: max(len(title_of(n)), *(len(figure_cell(r, n)) for r in rows)) for n in columns}
    named = sum(
        min(_NAME_WIDTH, max(len(label), *(len(shown(r.labels[label])) for r in rows))) + _GAP
        for label in labels
    )
    for name in DISPENSABLE:
        if named + sum(widths[n] + _GAP for n in left) <= width:
            break
        left = [column for column in left if column != name]
    return left
