"""The verdicts of a gate in the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from rich.console import RenderableType
from rich.text import Text

from pytest_lem.gate.sentence import case_text, change_text, parts_text
from pytest_lem.gate.verdict import ORDER, Verdict, text_of
from pytest_lem.reports.console import text_from
from pytest_lem.reports.figures import SHORT_NAMES, UNKNOWN, counted
from pytest_lem.reports.fitting import (
    is_too_narrow,
    kept,
    stacked_figures,
    wanted,
)
from pytest_lem.reports.grid import Column, grid
from pytest_lem.results.comparison import Comparison

_STYLES = {
    Verdict.PASS: "green",
    Verdict.IMPROVED: "bold green",
    Verdict.PROVISIONAL: "yellow",
    Verdict.REGRESSED: "bold red",
}
#: Verdicts that need no row of their own: a count says enough.
_QUIET = frozenset({Verdict.PASS, Verdict.PROVISIONAL})


def render_verdicts(
    comparisons: Sequence[Comparison], *, width: int, is_colored: bool, verbosity: int
) -> str:
    """Return a line that counts, a row for each verdict that matters, and the reasons below.

    With verbosity 1 and more every verdict has its row, and so has what compares two sides: how far
    they are apart is what was asked.
    """
    shown = [c for c in comparisons if verbosity > 0 or c.verdict not in _QUIET or c.pairs]
    parts: list[RenderableType] = [Text(_counted(comparisons))]
    if verbosity >= 0:
        parts += [*(_table(shown, width) if shown else []), *_reasons(comparisons)]
    return text_from(parts, width=width, is_colored=is_colored)


def render_notes(notes: Sequence[str], *, width: int, is_colored: bool) -> str:
    """Return what else has to be said of a gate, folded to the width."""
    return text_from(map(Text, notes), width=width, is_colored=is_colored)


def _counted(comparisons: Sequence[Comparison]) -> str:
    counts = Counter(c.verdict for c in comparisons)
    text = ", ".join(f"{counts[v]} {v}" for v in reversed(ORDER) if counts[v])
    cases = len({c.case for c in comparisons})
    line = f"{counted(len(comparisons), 'figure')} of {counted(cases, 'case')} against "
    line += f"{comparisons[0].baseline}: {text}"
    least = [c.mde for c in comparisons if c.mde is not None]
    return f"{line}; changes from {_least(least)} up are found" if least else line


def _least(shares: Sequence[float]) -> str:
    """Return the least change that is found, or the range where figures differ."""
    low, high = 100 * min(shares), 100 * max(shares)
    return f"{low:.1f} %" if f"{low:.1f}" == f"{high:.1f}" else f"{low:.1f} to {high:.1f} %"


Shown = tuple[str, Callable[[Comparison], str]]

_CHANGE = "change [95 %]"
_FIGURES: tuple[Shown, ...] = (
    (_CHANGE, lambda c: change_text(c) or UNKNOWN),
    ("power, speed", lambda c: parts_text(c) or UNKNOWN),
    ("found from", lambda c: UNKNOWN if c.mde is None else f"{100 * c.mde:.1f} %"),
    ("sessions", lambda c: UNKNOWN if c.sessions is None else str(c.sessions)),
    ("pairs", lambda c: UNKNOWN if c.pairs is None else str(c.pairs)),
)
#: What a narrow terminal gives up, the first first: the change is what was asked.
_DISPENSABLE = ("pairs", "sessions", "found from", "power, speed")


def _table(comparisons: Sequence[Comparison], width: int) -> list[RenderableType]:
    """Return a row for each comparison, the worst first; lines where a table would be cut."""
    ordered = sorted(comparisons, key=_rank, reverse=True)
    cells = {name: [cell(c) for c in ordered] for name, cell in _FIGURES}
    widths = {
        name: max(len(name), *map(len, texts))
        for name, texts in cells.items()
        if any(text != UNKNOWN for text in texts)
    }
    fixed = [max(len(word(c)) for c in ordered) for word in (_word, _figure)]
    named = [max(len(case_text(c)) for c in ordered)]
    room = width - wanted([*fixed, *named])
    shown = [(name, dict(_FIGURES)[name]) for name in kept(widths, _DISPENSABLE, room)]
    if is_too_narrow(named, [*fixed, *(widths[name] for name, _ in shown)], width):
        return [part for c in ordered for part in _lines(c, shown)]
    columns = [Column("verdict", is_whole=True), Column("case"), Column("figure", is_whole=True)]
    columns += [Column(name, is_number=True) for name, _ in shown]
    rows = [
        [_word(c), case_text(c), _figure(c), *(cells[name][n] for name, _ in shown)]
        for n, c in enumerate(ordered)
    ]
    return [grid(columns, rows, width, styles=list(map(_style, ordered)), is_first_styled=True)]


def _lines(c: Comparison, shown: Sequence[Shown]) -> list[RenderableType]:
    """Return a comparison as lines, the verdict and the case in the first."""
    first = Text.assemble((_word(c), _style(c)), " ", case_text(c))
    others = [(name, cell(c)) for name, cell in shown if name != _CHANGE]
    return [first, *stacked_figures([(_figure(c), change_text(c) or UNKNOWN), *others])]


def _word(c: Comparison) -> str:
    return c.verdict.upper()


def _style(c: Comparison) -> str:
    return _STYLES.get(Verdict(c.verdict), "red")


def _figure(c: Comparison) -> str:
    return SHORT_NAMES.get(c.metric, c.metric)


def _rank(comparison: Comparison) -> int:
    return ORDER.index(Verdict(comparison.verdict))


def _reasons(comparisons: Sequence[Comparison]) -> list[RenderableType]:
    """Explain each reason once, and name what differs."""
    reasons = Counter(reason for c in comparisons for reason in c.reasons)
    lines = [f"* {r}: {text_of(r)}{_where(n, comparisons)}" for r, n in sorted(reasons.items())]
    differing = sorted({d for c in comparisons for d in c.differences})
    tested = sorted({d for c in comparisons for d in c.under_test})
    lines += [f"differs: {difference}" for difference in differing]
    lines += [f"under test: {difference}" for difference in tested]
    return [Text(line, style="dim") for line in lines]


def _where(count: int, comparisons: Sequence[Comparison]) -> str:
    total = len(comparisons)
    return "" if count == total else f" ({count} of {total} figures)"
