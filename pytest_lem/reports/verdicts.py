"""The verdicts of a gate in the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from pytest_lem.gate.sentence import change_text
from pytest_lem.gate.verdict import ORDER, Verdict, text_of
from pytest_lem.reports.console import text_from
from pytest_lem.reports.figures import SHORT_NAMES, UNKNOWN
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
        parts += [*([_table(shown, width)] if shown else []), *_reasons(comparisons)]
    return text_from(parts, width=width, is_colored=is_colored)


def _counted(comparisons: Sequence[Comparison]) -> str:
    counts = Counter(c.verdict for c in comparisons)
    text = ", ".join(f"{counts[v]} {v}" for v in reversed(ORDER) if counts[v])
    cases = len({c.case for c in comparisons})
    line = f"{_plural(len(comparisons), 'figure')} of {_plural(cases, 'case')} against "
    line += f"{comparisons[0].baseline}: {text}"
    least = [c.mde for c in comparisons if c.mde is not None]
    return f"{line}; changes from {_least(least)} up are found" if least else line


def _least(shares: Sequence[float]) -> str:
    """Return the least change that is found, or the range where figures differ."""
    low, high = 100 * min(shares), 100 * max(shares)
    return f"{low:.1f} %" if f"{low:.1f}" == f"{high:.1f}" else f"{low:.1f} to {high:.1f} %"


def _parts(comparison: Comparison) -> str:
    parts = comparison.attribution
    return f"{parts['power_pct']:+.1f} %, {parts['speed_pct']:+.1f} %" if parts else UNKNOWN


Column = tuple[str, Callable[[Comparison], str]]

_FIGURES: tuple[Column, ...] = (
    ("change [95 %]", lambda c: change_text(c) or UNKNOWN),
    ("power, speed", _parts),
    ("found from", lambda c: UNKNOWN if c.mde is None else f"{100 * c.mde:.1f} %"),
    ("sessions", lambda c: UNKNOWN if c.sessions is None else str(c.sessions)),
    ("pairs", lambda c: UNKNOWN if c.pairs is None else str(c.pairs)),
)
#: Width that the name of a case needs at most before it is folded.
_NAME_WIDTH = 40


def _table(comparisons: Sequence[Comparison], width: int) -> Table:
    """Return a row for each comparison; columns at the right are given up where it is narrow."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("verdict", no_wrap=True)
    table.add_column("case", overflow="fold")
    table.add_column("figure", no_wrap=True)
    shown = _fitting(comparisons, width)
    for name, _ in shown:
        table.add_column(name, justify="right", no_wrap=True)
    for c in sorted(comparisons, key=_rank, reverse=True):
        table.add_row(
            Text(c.verdict.upper(), style=_STYLES.get(Verdict(c.verdict), "red")),
            Text(c.case),
            SHORT_NAMES.get(c.metric, c.metric),
            *(cell(c) for _, cell in shown),
        )
    return table


def _fitting(comparisons: Sequence[Comparison], width: int) -> list[Column]:
    left = width - max(len(c.verdict) for c in comparisons) - 2
    left -= min(_NAME_WIDTH, max(len(c.case) for c in comparisons)) + 2
    left -= max(len(SHORT_NAMES.get(c.metric, c.metric)) for c in comparisons)
    shown = []
    for name, cell in _FIGURES:
        cells = [cell(c) for c in comparisons]
        left -= max(len(name), *map(len, cells)) + 2
        if left >= 0 and any(text != UNKNOWN for text in cells):
            shown.append((name, cell))
    return shown


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


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
