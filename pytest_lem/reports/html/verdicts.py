"""What comparing with a baseline came to: intervals, verdicts, reasons, attribution."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pytest_lem.gate.sentence import case_text, change_text, parts_text
from pytest_lem.gate.verdict import FAILING, ORDER, Verdict, text_of
from pytest_lem.reports.figures import SHORT_NAMES
from pytest_lem.reports.html.chart import Chart, axis
from pytest_lem.reports.html.markup import Markup, element, label, path_like
from pytest_lem.reports.html.values import UNKNOWN, counted
from pytest_lem.reports.summary import Gate
from pytest_lem.results.comparison import Comparison

#: A sign for each verdict, so that colour is never the only one, and the number of its colour.
_SIGNS = {
    Verdict.PASS: ("✓", "circle", 2),
    Verdict.IMPROVED: ("▲", "triangle-up", 2),
    Verdict.PROVISIONAL: ("?", "circle-open", 3),
    Verdict.REGRESSED: ("▼", "triangle-down", 4),
    Verdict.INCONCLUSIVE: ("≈", "diamond-open", 3),
    Verdict.INVALID: ("!", "x", 4),
    Verdict.INCOMPARABLE: ("≠", "x-open", 4),
    Verdict.MISSING: ("∅", "square-open", 4),
}
#: Verdicts that ask nothing of a reader.
_QUIET = frozenset({Verdict.PASS, Verdict.PROVISIONAL})
#: Intervals that a chart shows; the worst verdicts come first.
_MOST = 60
_HEADS = ("verdict", "case", "figure", "change [95 %]", "power, speed", "found from", "rests on")


def comparison(gate: Gate, number: int = 1, run: str | None = None) -> Markup:
    """Return the section about what a run was compared with.

    `number` tells the sections of a page apart, and so does `run` where there are several.
    """
    name = f"gate-title-{number}" if run else "gate-title"
    ranked = sorted(gate.comparisons, key=lambda c: ORDER.index(Verdict(c.verdict)), reverse=True)
    counts = Counter(c.verdict for c in ranked)
    counted = ", ".join(f"{counts[v]} {v}" for v in reversed(ORDER) if counts[v])
    chart = _chart(ranked)
    missing = ", ".join(gate.unmeasured)
    return element(
        "section",
        element("h2", "Against the baseline", f" (run {run})" if run else None, id=name),
        element("p", f"{gate.title}: {counted or 'no figure was compared'}."),
        element("p", f"Only the baseline has: {missing}.") if missing else None,
        chart.markup() if chart else None,
        *_tables(ranked),
        _reasons(ranked),
        aria_labelledby=name,
    )


def verdict(word: str) -> Markup:
    """Return a verdict with its sign."""
    sign, _, _ = _SIGNS[Verdict(word)]
    kind = "bad" if word in FAILING else "fine" if word in {"pass", "improved"} else "note"
    return element(
        "span", element("span", sign, aria_hidden="true"), f" {word}", class_=f"verdict {kind}"
    )


def _tables(ranked: Sequence[Comparison]) -> Iterator[Markup]:
    """Yield what matters in a table, and the rest in another one that is folded away."""
    quiet = [c for c in ranked if c.verdict in _QUIET]
    loud = [c for c in ranked if c.verdict not in _QUIET]
    if loud:
        yield _table(loud)
    if quiet:
        title = f"{len(quiet)} figures that passed or begin a history"
        yield element(
            "details", element("summary", title), _table(quiet), open=not loud, class_="part"
        )


def _table(comparisons: Sequence[Comparison]) -> Markup:
    heads = [element("th", head, scope="col") for head in _HEADS]
    table = element(
        "table",
        element("thead", element("tr", *heads)),
        element("tbody", *map(_row, comparisons)),
        class_="plain",
    )
    return element(
        "div", table, class_="scroll", tabindex="0", role="region", aria_label="table: verdicts"
    )


def _row(c: Comparison) -> Markup:
    shares = parts_text(c) or UNKNOWN
    rests = counted(c.sessions, "session") if c.sessions else UNKNOWN
    if c.pairs:
        rests = counted(c.pairs, "pair")
    return element(
        "tr",
        element("td", verdict(c.verdict)),
        element("th", path_like(case_text(c)), _why(c), scope="row"),
        element("td", SHORT_NAMES.get(c.metric, c.metric)),
        element("td", change_text(c) or UNKNOWN, class_="number"),
        element("td", shares, class_="number"),
        element("td", UNKNOWN if c.mde is None else f"{100 * c.mde:.1f} %", class_="number"),
        element("td", rests, class_="short"),
    )


def _why(c: Comparison) -> Markup | None:
    """Return the sentence of the gate, or else the reasons; a pass without any says enough."""
    said = c.message or ", ".join(c.reasons)
    return element("div", said, class_="why") if said else None


def _reasons(comparisons: Sequence[Comparison]) -> Markup | None:
    reasons = Counter(reason for c in comparisons for reason in c.reasons)
    lines = [
        element("li", element("b", reason), f": {text_of(reason)} ({counted(count, 'figure')})")
        for reason, count in sorted(reasons.items())
    ]
    lines += [
        element("li", f"{what}: {difference}")
        for what, found in (
            ("differs", {d for c in comparisons for d in c.differences}),
            ("under test", {d for c in comparisons for d in c.under_test}),
        )
        for difference in sorted(found)
    ]
    return element("ul", *lines, class_="reasons") if lines else None


def _chart(ranked: Sequence[Comparison]) -> Chart | None:
    known = [c for c in ranked if c.ratio is not None and c.interval]
    shown = known[:_MOST]
    if not shown:
        return None
    data = [_trace(v, [c for c in shown if c.verdict == v]) for v in reversed(ORDER)]
    rest = f" The {_MOST} worst of {len(known)} are drawn." if len(known) > _MOST else ""
    bad = sum(c.verdict in FAILING for c in known)
    return Chart(
        title="Change against the baseline, with 95 % intervals",
        words=f"{bad} of {len(known)} figures with an interval have a verdict that fails.{rest}",
        data=[trace for trace in data if trace["x"]],
        layout={
            "xaxis": axis("change, %", zeroline=True, zerolinecolor="@ink", zerolinewidth=2),
            "yaxis": {"automargin": True, "autorange": "reversed", "type": "category"},
            "legend": {"orientation": "h"},
        },
        height=160 + 22 * len(shown),
    )


def _trace(word: Verdict, chosen: Sequence[Comparison]) -> dict[str, object]:
    _, symbol, number = _SIGNS[word]
    low = [100 * (c.ratio - c.interval[0]) for c in chosen if c.ratio and c.interval]
    high = [100 * (c.interval[1] - c.ratio) for c in chosen if c.ratio and c.interval]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": str(word),
        "x": [100 * (c.ratio - 1) for c in chosen if c.ratio is not None],
        "y": [label(f"{_short(c.case)}, {SHORT_NAMES.get(c.metric, c.metric)}") for c in chosen],
        "text": [label(f"{case_text(c)}: {change_text(c)}") for c in chosen],
        "hovertemplate": "%{text}<extra></extra>",
        "error_x": {"type": "data", "array": high, "arrayminus": low, "color": f"@{number}"},
        "marker": {"symbol": symbol, "color": f"@{number}", "size": 10},
    }


def _short(case: str, most: int = 32) -> str:
    """Return the end of a name, which tells cases apart."""
    return case if len(case) <= most else f"…{case[-most:]}"
