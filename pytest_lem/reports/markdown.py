"""The summary of a run as GitHub shows it in comments and job summaries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from pytest_lem.gate.sentence import case_text, change_text
from pytest_lem.gate.verdict import text_of
from pytest_lem.reports.cells import columns_of, figure_cell, label_of, title_of
from pytest_lem.reports.choice import choose_columns
from pytest_lem.reports.faces import encoded
from pytest_lem.reports.figures import SHORT_NAMES, UNKNOWN
from pytest_lem.reports.material import Material
from pytest_lem.reports.overview import sections
from pytest_lem.reports.spelling import unturned
from pytest_lem.reports.summary import Gate, Summary
from pytest_lem.results.comparison import Comparison

#: What would be read as markup. An underscore within a word stands for itself.
_MARKUP = re.compile(r"[\\`*\[\]<>|~&$]|(?<![^\W_])_|_(?![^\W_])")
#: Columns of the verdicts that hold no figures.
_WORDS = ("verdict", "case", "figure", "reasons")


class MarkdownReport:
    """Tables for a comment, a wiki or a job summary."""

    name: ClassVar = "md"
    requires: ClassVar[tuple[str, ...]] = ()
    install: ClassVar = "pip install pytest-lem"
    follows: ClassVar[tuple[str, ...]] = ("group-by", "sort", "columns")
    is_printable: ClassVar = True

    def render(self, material: Material) -> bytes:
        """Return tables and notes."""
        summary = choose_columns(material.summary, material.columns, "--columns")
        return encoded(markdown(summary))


def markdown(summary: Summary) -> str:
    """Return tables and a list of what a reader has to know."""
    return "\n".join(_lines(summary)) + "\n"


def escaped(text: str) -> str:
    """Return a text so that it is shown to the letter, in a cell of a table too."""
    lines = unturned(text).splitlines()
    return "<br>".join(_MARKUP.sub(r"\\\g<0>", line) for line in lines) or " "


def _lines(summary: Summary) -> Iterator[str]:
    yield f"**{escaped(summary.title)}**"
    columns: list[str] = []
    for rows in sections(summary):
        found = columns_of(rows, summary.chosen)
        columns += found
        labels = list(rows[0].labels)
        yield ""
        yield from _table(
            [*labels, *map(title_of, found)],
            [
                [*(label_of(r, x) for x in labels), *(figure_cell(r, n) for n in found)]
                for r in rows
            ],
            left=labels,
        )
    if summary.gate:
        yield from _verdicts(summary.gate)
    notes = summary.notes(columns)
    yield from ["", *(f"- {escaped(note)}" for note in notes)] if notes else []


def _verdicts(gate: Gate) -> Iterator[str]:
    yield from ["", f"**{escaped(gate.title)}**", ""]
    basis = "pairs" if any(c.pairs is not None for c in gate.comparisons) else "sessions"
    heads = ["verdict", "case", "figure", "change [95 %]", "found from", basis, "reasons"]
    yield from _table(heads, [_cells(c) for c in gate.comparisons], left=_WORDS)
    reasons = sorted({reason for c in gate.comparisons for reason in c.reasons})
    differing = sorted({difference for c in gate.comparisons for difference in c.differences})
    tested = sorted({difference for c in gate.comparisons for difference in c.under_test})
    lines = [f"{reason}: {text_of(reason)}" for reason in reasons]
    lines += [f"differs: {difference}" for difference in differing]
    lines += [f"under test: {difference}" for difference in tested]
    yield from ["", *(f"- {escaped(line)}" for line in lines)] if lines else []


def _cells(c: Comparison) -> list[str]:
    return [
        c.verdict.upper(),
        case_text(c),
        SHORT_NAMES.get(c.metric, c.metric),
        change_text(c) or UNKNOWN,
        UNKNOWN if c.mde is None else f"{100 * c.mde:.1f} %",
        next((str(count) for count in (c.pairs, c.sessions) if count is not None), UNKNOWN),
        ", ".join(c.reasons),
    ]


def _table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[str]
) -> Iterator[str]:
    """Yield the lines of a table: words begin at the left, figures end at the right."""
    yield _line(heads)
    yield "|" + "".join("---|" if head in left else "--:|" for head in heads)
    yield from map(_line, rows)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(escaped, cells)) + " |"
