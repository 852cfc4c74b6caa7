"""Joules per token against throughput: each case a point, the Pareto front marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_lem.reports.figures import digits, scaled
from pytest_lem.reports.html.chart import Chart, axis, colour, spanning, symbol
from pytest_lem.reports.html.markup import label
from pytest_lem.reports.html.pareto import front
from pytest_lem.reports.html.values import figure_text
from pytest_lem.reports.html.view import View, source_of

_COST, _GAIN = "energy_per_output_token_j", "output_throughput_tok_s"
_MOST_NAMED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    view: View
    joules: float
    rate: float
    group: str


def trade_offs(views: Sequence[View]) -> list[Chart]:
    """Return a chart for each way in which energy came about: estimates stand by themselves.

    A single case has nothing to be held against.
    """
    sources: dict[str, list[_Point]] = {}
    for view in views:
        cost, gain = view.record.metrics[_COST], view.record.metrics[_GAIN]
        if cost.value and gain.value and not view.is_spoilt:
            source = source_of(cost, view.record)
            group = str(view.record.case.settings.backend)
            point = _Point(view=view, joules=cost.value, rate=gain.value, group=group)
            sources.setdefault(source, []).append(point)
    return [_chart(source, points) for source, points in sources.items() if len(points) > 1]


def _chart(source: str, points: Sequence[_Point]) -> Chart:
    flags = front([(p.joules, p.rate) for p in points])
    best = [p for p, is_best in zip(points, flags, strict=True) if is_best]
    best.sort(key=lambda p: p.rate)
    groups = sorted({p.group for p in points})
    data: list[dict[str, object]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "Pareto front",
            "x": [p.rate for p in best],
            "y": [p.joules for p in best],
            "line": {"color": "@faint", "dash": "dot", "width": 2},
            "hoverinfo": "skip",
        }
    ]
    for number, group in enumerate(groups):
        for is_front in (False, True):
            chosen = [
                p
                for p, is_best in zip(points, flags, strict=True)
                if p.group == group and is_best is is_front
            ]
            if chosen:
                data.append(_trace(chosen, number, group, is_front=is_front))
    layout = {
        "xaxis": axis("token/s", **spanning([p.rate for p in points])),
        "yaxis": axis("J/token", **spanning([p.joules for p in points])),
        "legend": {"orientation": "h"},
    }
    return Chart(
        title=f"Energy against throughput ({source})",
        words=_words(points, best),
        data=data,
        layout=layout,
        height=440,
    )


def _trace(
    points: Sequence[_Point], number: int, group: str, *, is_front: bool
) -> dict[str, object]:
    """Return the points of a backend; those on the front are large filled diamonds with a rim."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label(f"{group}, on the front" if is_front else group),
        "x": [p.rate for p in points],
        "y": [p.joules for p in points],
        "text": [_hover(p) for p in points],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "color": colour(number),
            "symbol": "diamond" if is_front else f"{symbol(number)}-open",
            "size": 14 if is_front else 9,
            "line": {"color": "@ink" if is_front else colour(number), "width": 2},
        },
    }


def _hover(point: _Point) -> str:
    metrics = point.view.record.metrics
    energy, rate = figure_text(metrics[_COST]), figure_text(metrics[_GAIN])
    return f"{label(point.view.name)}<br>{label(energy)}, {label(rate)}"


def _words(points: Sequence[_Point], best: Sequence[_Point]) -> str:
    count = f"{len(best)} of {len(points)} cases"
    named = [
        f"{p.view.name} ({scaled(p.joules, 'J')}/token, {digits(p.rate)} token/s)"
        for p in best[:_MOST_NAMED]
    ]
    rest = f" and {len(best) - _MOST_NAMED} more" if len(best) > _MOST_NAMED else ""
    return (
        f"{count} are on the Pareto front (diamonds): no other takes less energy without being "
        f"slower, or is faster without taking more: {'; '.join(named)}{rest}."
    )
