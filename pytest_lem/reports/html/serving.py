"""Energy against goodput, along the load that was offered."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_lem.reports.html.chart import Chart, axis, colour, symbol
from pytest_lem.reports.html.markup import label
from pytest_lem.reports.html.values import figure_text
from pytest_lem.reports.html.view import View, source_of
from pytest_lem.results.entry import flat_settings
from pytest_lem.results.record import Metric

_ENERGIES = (
    ("energy_per_good_request_j", "J/good request"),
    ("energy_per_output_token_j", "J/token"),
)
_Point = tuple[float, float, str]


def load_curves(views: Sequence[View]) -> list[Chart]:
    """Return a chart for each way to count energy, where traffic of several loads was measured."""
    served = [v for v in views if v.record.case.kind == "serve" and not v.is_spoilt]
    charts = (_chart(name, title, served) for name, title in _ENERGIES)
    return [chart for chart in charts if chart is not None]


def _chart(name: str, title: str, views: Sequence[View]) -> Chart | None:
    curves: dict[tuple[str, str], list[_Point]] = {}
    for view in views:
        metric, speed = view.record.metrics[name], _speed(view)
        if metric.value is None or speed.value is None:
            continue
        group = (_rest(view), source_of(metric, view.record))
        words = f"{view.name}: {figure_text(metric)}, {figure_text(speed)}"
        curves.setdefault(group, []).append((speed.value, metric.value, words))
    several = {group: sorted(points) for group, points in curves.items() if len(points) > 1}
    if not several:
        return None
    data = [_trace(number, points) for number, points in enumerate(several.values())]
    ends = [f"{points[0][2]}, and {points[-1][2]}" for points in several.values()]
    return Chart(
        title=f"{title} against good requests per second",
        words=f"From the least to the most (all requests without limits): {'; '.join(ends)}.",
        data=data,
        layout={
            "xaxis": axis("good request/s"),
            "yaxis": axis(title, rangemode="tozero"),
            "showlegend": len(data) > 1,
            "legend": {"orientation": "h"},
        },
    )


def _trace(number: int, points: Sequence[_Point]) -> dict[str, object]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": label(points[0][2].rpartition("/")[0]),
        "x": [speed for speed, _, _ in points],
        "y": [joules for _, joules, _ in points],
        "text": [label(words) for _, _, words in points],
        "hovertemplate": "%{text}<extra></extra>",
        "line": {"color": colour(number), "dash": ("solid", "dash", "dot")[number % 3]},
        "marker": {"color": colour(number), "symbol": symbol(number), "size": 10},
    }


def _speed(view: View) -> Metric:
    good = view.record.metrics["goodput_req_s"]
    return good if good.value is not None else view.record.metrics["request_throughput_req_s"]


def _rest(view: View) -> str:
    """Return what defines the case apart from its traffic."""
    flat = flat_settings(view.record.case.settings)
    return repr(sorted((n, v) for n, v in flat.items() if not n.startswith("traffic.")))
