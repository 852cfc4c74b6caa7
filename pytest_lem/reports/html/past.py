"""The history of a case: a figure over the sessions of a baseline or a store, and now."""

from __future__ import annotations

from pytest_lem.energy.reading import Tier
from pytest_lem.reports.figures import ESTIMATE_MARK, SHORT_NAMES, scaled
from pytest_lem.reports.html.chart import Chart, axis, colour, range_of
from pytest_lem.reports.html.markup import label
from pytest_lem.reports.html.values import counted
from pytest_lem.reports.html.view import View
from pytest_lem.results.definitions import METRICS

#: Energies that stand for a case, the first that it has.
ENERGIES = ("energy_per_output_token_j", "energy_per_input_token_j", "energy_per_call_j")
#: Of the largest value, what the chart spans at least: energies that are the same stay positive.
_LEAST_SPAN = 0.02


def history(view: View) -> Chart | None:
    """Return the energy of a case over the sessions; None where the history has none of it."""
    past = view.run.past.cases.get(view.record.case.digest, ())
    name = next((n for n in ENERGIES if n in METRICS and _now(view, n) is not None), None)
    known = [(p.night.run, f.value) for p in past if name and (f := p.entry.figures.get(name))]
    if name is None or not known:
        return None
    now = _now(view, name) or 0.0
    sessions = [label(session) for session, _ in known]
    values = [value for _, value in known]
    title = SHORT_NAMES[name]
    # Another tier is another meter, with which nothing is compared: all are estimates, or none is.
    mark = ESTIMATE_MARK if view.record.metrics[name].tier == Tier.ESTIMATED else ""
    return Chart(
        title=f"{title} over {view.run.past.title}",
        words=(
            f"{counted(len(known), 'session')} from {mark}{scaled(min(values), 'J')} to "
            f"{mark}{scaled(max(values), 'J')}; now {mark}{scaled(now, 'J')} (diamond)."
        ),
        data=[
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": "before",
                "x": sessions,
                "y": values,
                "line": {"color": colour(0)},
                "marker": {"symbol": "circle", "color": colour(0), "size": 8},
            },
            {
                "type": "scatter",
                "mode": "markers",
                "name": "this run",
                "x": ["this run"],
                "y": [now],
                "marker": {"symbol": "diamond", "color": colour(4), "size": 13},
            },
        ],
        layout={
            "xaxis": {"type": "category", "automargin": True},
            "yaxis": axis(title, **range_of([*values, now], _LEAST_SPAN * max(*values, now))),
            "legend": {"orientation": "h"},
        },
        height=300,
    )


def _now(view: View, name: str) -> float | None:
    metric = view.record.metrics.get(name)
    return metric.value if metric else None
