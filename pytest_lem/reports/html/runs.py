"""A case over several runs: its energy in each, side by side and along the time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pytest_lem.reports.cells import figure_cell, title_of
from pytest_lem.reports.figures import scaled
from pytest_lem.reports.html.chart import Chart, axis, colour
from pytest_lem.reports.html.markup import Markup, element, label, path_like
from pytest_lem.reports.html.past import ENERGIES
from pytest_lem.reports.html.values import NO_REASON, UNKNOWN, counted, unknown
from pytest_lem.reports.material import Material
from pytest_lem.reports.rows import Row
from pytest_lem.reports.several import RUN, differing_facts

#: Points that make a line.
_LEAST = 2


def over_runs(material: Material) -> Markup | None:
    """Return the section about cases that several runs have; None for a single run."""
    if not material.has_several_runs:
        return None
    ids = [run.id for run in material.runs]
    cases: dict[str, list[Row]] = {}
    for row in material.summary.rows:
        cases.setdefault(row.entries[0].digest, []).append(row)
    shared = [rows for rows in cases.values() if len(rows) >= _LEAST]
    differing = differing_facts(material.summary)
    notes = {d: f"not comparable: {', '.join(names)} differ" for d, names in differing.items()}
    return element(
        "section",
        element("h2", "Over the runs", id="runs-title"),
        element(
            "p",
            f"{len(shared)} of {counted(len(cases), 'case')} are in more than one run. Runs stand "
            "beside each other and are not judged; ± is half of the 95 % interval over cycles.",
        ),
        _table(shared, ids, notes) if shared else None,
        *_histories(shared, notes),
        aria_labelledby="runs-title",
    )


def _table(cases: Sequence[list[Row]], ids: Sequence[str], notes: dict[str, str]) -> Markup:
    heads = [element("th", head, scope="col") for head in ("case", "figure", *ids)]
    body = []
    for rows in cases:
        entry, name = rows[0].entries[0], _figure_of(rows)
        cells = {row.labels[RUN]: _cell(row, name) for row in rows}
        note = notes.get(entry.digest)
        body.append(
            element(
                "tr",
                element(
                    "th",
                    path_like(entry.key),
                    element("div", note, class_="why") if note else None,
                    scope="row",
                ),
                element("td", title_of(name) if name else UNKNOWN, class_="short"),
                *(element("td", cells.get(run, "not in it"), class_="number") for run in ids),
            )
        )
    table = element(
        "table", element("thead", element("tr", *heads)), element("tbody", *body), class_="plain"
    )
    return element(
        "div", table, class_="scroll", tabindex="0", role="region", aria_label="table: runs"
    )


def _cell(row: Row, name: str | None) -> str:
    """Return the figure of a run; of one that is unknown, the reason is there to read as well."""
    if name is None or row.figures[name].value is None:
        own = (n for n in ENERGIES if n in row.entries[0].unknown)
        reason = row.figures[name or next(own, ENERGIES[0])].reason
        return unknown(reason or NO_REASON)
    return f"{'! ' if row.is_invalid else ''}{figure_cell(row, name)}"


def _histories(cases: Sequence[list[Row]], notes: dict[str, str]) -> Iterator[Markup]:
    """Yield the chart of each case that has two values of one kind, folded away."""
    for rows in cases:
        name = _figure_of(rows)
        chart = _chart(rows, name, notes) if name else None
        if chart is not None:
            key = path_like(rows[0].entries[0].key)
            yield element("details", element("summary", key), chart.markup(), class_="part history")


def _chart(rows: Sequence[Row], name: str, notes: dict[str, str]) -> Chart | None:
    kinds: dict[str, list[Row]] = {}
    for row in rows:
        if row.figures[name].value is not None:
            kinds.setdefault(_kind(row), []).append(row)
    if not any(len(found) >= _LEAST for found in kinds.values()):
        return None
    words = [_words(kind, found, name) for kind, found in kinds.items()]
    if note := notes.get(rows[0].entries[0].digest):
        words.append(note)
    return Chart(
        title=f"{title_of(name)} over the runs",
        words=f"{'; '.join(words)}.",
        data=[_trace(n, kind, found, name) for n, (kind, found) in enumerate(kinds.items())],
        layout={
            "xaxis": {"type": "category", "automargin": True},
            "yaxis": axis(title_of(name), rangemode="tozero"),
            "legend": {"orientation": "h"},
        },
        height=300,
    )


def _trace(number: int, kind: str, rows: Sequence[Row], name: str) -> dict[str, Any]:
    values = [row.figures[name].value or 0.0 for row in rows]
    ends = [row.figures[name].interval or (v, v) for row, v in zip(rows, values, strict=True)]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": kind,
        "x": [label(row.labels[RUN]) for row in rows],
        "y": values,
        "error_y": {
            "type": "data",
            "array": [high - v for (_, high), v in zip(ends, values, strict=True)],
            "arrayminus": [v - low for (low, _), v in zip(ends, values, strict=True)],
            "color": colour(number),
        },
        "line": {"color": colour(number), "dash": ("solid", "dash", "dot")[number % 3]},
        "marker": {"color": colour(number), "size": 8},
    }


def _words(kind: str, rows: Sequence[Row], name: str) -> str:
    values = [row.figures[name].value or 0.0 for row in rows]
    return (
        f"{kind}: {scaled(values[0], 'J')} in the first of {counted(len(rows), 'run')}, "
        f"{scaled(values[-1], 'J')} in the last, from {scaled(min(values), 'J')} to "
        f"{scaled(max(values), 'J')}"
    )


def _kind(row: Row) -> str:
    """Return how an energy came about: what differs in it has a line of its own."""
    (entry,) = row.entries
    return "simulated" if entry.origin == "simulated" else str(entry.tier)


def _figure_of(rows: Sequence[Row]) -> str | None:
    """Return the energy that any of the rows knows."""
    known = (n for n in ENERGIES if any(row.figures[n].value is not None for row in rows))
    return next(known, None)
