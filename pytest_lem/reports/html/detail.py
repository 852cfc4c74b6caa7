"""All that is known about one case, folded away until somebody opens it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from pytest_lem.errors import LemError
from pytest_lem.flags import text_of
from pytest_lem.reports.figures import duration, scaled
from pytest_lem.reports.html.latency import latencies
from pytest_lem.reports.html.markup import Markup, element, path_like
from pytest_lem.reports.html.past import history
from pytest_lem.reports.html.timeline import timeline
from pytest_lem.reports.html.values import UNKNOWN, figure_text, marks
from pytest_lem.reports.html.verdicts import verdict
from pytest_lem.reports.html.view import View
from pytest_lem.results.definitions import METRICS
from pytest_lem.results.record import EnergyRecord, PhaseRecord, Record, RoundRecord

#: From so many seconds on, hundredths say nothing.
_LONG_S = 60
_PERCENTILES = ("p50", "p90", "p95", "p99")


def detail(view: View, *, settings: Markup, buckets: int) -> Markup:
    """Return the part of a case; samples that cannot be read are said to be so."""
    record = view.record
    latency, history_ = latencies(view), history(view)
    return element(
        "details",
        element(
            "summary",
            marks(record),
            path_like(view.name),
            f", run {view.run.id}" if view.needs_run else None,
        ),
        _trouble(record),
        _verdicts(view),
        _over_time(view, buckets),
        latency.markup() if latency else None,
        history_.markup() if history_ else None,
        _folded("Figures", _metrics(record)),
        _folded("Rounds", _rounds(record)) if record.rounds else None,
        _folded("Phases", _phases(record)) if record.phases else None,
        _folded("Configuration", settings),
        _sample(record),
        element("p", "test: ", element("code", element("bdi", record.nodeid)), class_="key"),
        class_="case",
        id=view.anchor,
    )


def _trouble(record: Record) -> Markup | None:
    """Return what failed, what spoils or limits the figures, and warnings."""
    lines: list[tuple[str, str]] = []
    if record.status == "failed":
        lines.append((f"failed ({record.failure_kind})", record.message or "it does not say why"))
    lines += [(f"! {reason}", text_of(reason)) for reason in record.reasons]
    lines += [(flag, text_of(flag)) for flag in record.flags]
    lines += [(warned.category, warned.message) for warned in record.warnings]
    items = [element("li", element("b", word), f": {text}") for word, text in lines]
    return element("ul", *items, class_="reasons") if items else None


def _verdicts(view: View) -> Markup | None:
    lines = [
        element("li", verdict(c.verdict), f" {c.message or c.metric}") for c in view.comparisons
    ]
    return element("ul", *lines, class_="reasons") if lines else None


def _over_time(view: View, buckets: int) -> Markup | None:
    record = view.record
    if record.series is None:
        return None
    try:
        chart = timeline(record, view.run.series(record), buckets)
    except LemError as error:
        return element("p", f"No chart over time: {error}", class_="gap")
    if chart is None:
        return element("p", "No chart over time: no device could be sampled.", class_="gap")
    return chart.markup()


def _metrics(record: Record) -> Markup:
    """Return every figure with what it rests on; below, those that are unknown, by their reason."""
    rows, unknown = [], defaultdict[str, list[str]](list)
    for name, metric in {**record.metrics, **record.derived}.items():
        if metric.value is None:
            unknown[metric.reason or "no reason is stored"].append(name)
            continue
        spread = [
            f"{p} {scaled(v, metric.unit)}"
            for p in _PERCENTILES
            if (v := getattr(metric, p)) is not None
        ]
        rest = [f"n = {metric.n}", *([metric.tier] if metric.tier else []), *spread]
        what = METRICS[name].text if name in METRICS else None
        rows.append((element("span", name, title=what), figure_text(metric), ", ".join(rest)))
    lines = [
        element("li", f"{UNKNOWN} {', '.join(names)}: {reason}")
        for reason, names in unknown.items()
    ]
    return element(
        "div",
        _table(("figure", "value", "rests on"), rows) if rows else None,
        element("ul", *lines, class_="reasons") if lines else None,
    )


def _rounds(record: Record) -> Markup:
    heads = ("round", "from, s", "seconds", "energy", "work", "state")
    rows = [
        (
            f"{r.seq + 1}{f' {r.side}' if r.side else ''}",
            f"{r.t0 - record.rounds[0].t0:.2f}",
            f"{r.t1 - r.t0:.3f}",
            _energies(r.energies),
            _work(r),
            ", ".join([r.validity, *r.reasons]),
        )
        for r in record.rounds
    ]
    return _table(heads, rows)


def _phases(record: Record) -> Markup:
    rows = [
        (
            p.name + (", shared with the case before" if p.is_shared else ""),
            _span(p.t1 - p.t0),
            _energies(p.energies),
            _work(p),
        )
        for p in record.phases
    ]
    return _table(("phase", "time", "energy", "work"), rows)


def _span(seconds: float) -> str:
    return duration(seconds) if seconds >= _LONG_S else f"{seconds:.2f} s"


def _energies(energies: Sequence[EnergyRecord]) -> str:
    shown = []
    for e in energies:
        value = f"{UNKNOWN} ({e.reason or 'no reason is stored'})"
        if e.value is not None:
            value = f"{'~' if e.tier == 'estimated' else ''}{scaled(e.value, 'J')}"
        shown.append(f"{e.domain} {e.device[:12]}: {value}")
    return "; ".join(shown) or UNKNOWN


def _work(part: RoundRecord | PhaseRecord) -> str:
    counts = part.work.model_dump() if part.work else {}
    known = (f"{n:g} {name.replace('_', ' ')}" for name, n in counts.items() if n is not None)
    return ", ".join(known) or UNKNOWN


def _sample(record: Record) -> Markup | None:
    sample = record.sample
    if sample is None:
        return None
    end = " …" if sample.is_truncated else ""
    return _folded(
        "What the model said",
        element(
            "div",
            element("h4", "Prompt"),
            element("pre", sample.prompt, dir="auto"),
            element("h4", "Text"),
            element("pre", f"{sample.text}{end}", dir="auto"),
        ),
    )


def _folded(title: str, content: Markup) -> Markup:
    return element("details", element("summary", title), content, class_="part")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    body = [
        element(
            "tr",
            element("th", first, scope="row"),
            *(element("td", cell) for cell in rest),
        )
        for first, *rest in rows
    ]
    head = element("tr", *(element("th", name, scope="col") for name in heads))
    table = element("table", element("thead", head), element("tbody", *body), class_="plain")
    return element("div", table, class_="scroll")
