"""Power, temperature, clocks and slow-downs over time, with the rounds and phases drawn in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isnan
from typing import Any

from pytest_lem.energy.gpu.throttling import slowdowns_in
from pytest_lem.energy.sampling.series import Series
from pytest_lem.energy.sampling.track import Track
from pytest_lem.reports.figures import digits
from pytest_lem.reports.html.chart import Chart, axis, colour
from pytest_lem.reports.html.markup import label
from pytest_lem.reports.html.thinning import broken, stretches, thin
from pytest_lem.reports.html.values import counted
from pytest_lem.results.record import Record

#: What is drawn, from the top: columns with their titles, and places after the dot.
_PANELS = (
    ("power_w", "power, W", 1),
    ("temperature_c", "°C", 1),
    ("sm_clock_mhz", "SM clock, MHz", 0),
    ("frequency_mhz", "CPU clock, MHz", 0),
    ("utilisation", "in use", 2),
)
_BITS, _SLOWED = "throttle_bits", "slowed down"
_DASHES = ("solid", "dash", "dot", "dashdot")
#: Of the whole height, between two panels.
_GAP = 0.05
_PANEL_PX = 130
#: Of the whole height, from the last panel to the legend.
_BELOW = 0.09
#: Share of the width that a stretch has at least if its name stands over it.
_LEAST_NAMED = 0.025
#: Characters of a device that tell it apart.
_DEVICE = 12


def timeline(record: Record, series: Series, buckets: int) -> Chart | None:
    """Return the chart of a case; None where nothing was sampled.

    Of each column at most two samples a bucket are drawn, the smallest and the largest.
    """
    start_s = _start_s(record, series)
    panels = {title: found for title, found in _panels(series, start_s, buckets) if found}
    if not panels:
        return None
    layout: dict[str, Any] = {
        "xaxis": axis("seconds"),
        "showlegend": True,
        "legend": {"orientation": "h", "y": -_BELOW, "yanchor": "top"},
        "shapes": _shapes(record, start_s),
        "annotations": _names(record, start_s),
        "margin": {"t": 48, "b": 84},
    }
    data = []
    height = (1 - _GAP * (len(panels) - 1)) / len(panels)
    for number, (title, traces) in enumerate(panels.items()):
        top = 1 - number * (height + _GAP)
        name = f"y{number + 1}" if number else "y"
        layout[f"yaxis{number + 1}" if number else "yaxis"] = axis(
            title, domain=[max(0.0, top - height), top], **_range(title)
        )
        data += [{**trace, "yaxis": name, "showlegend": not number} for trace in traces]
    layout["xaxis"]["anchor"] = "free"
    layout["xaxis"]["position"] = 0
    return Chart(
        title="Over time",
        words=_words(record, series),
        data=data,
        layout=layout,
        height=_PANEL_PX * len(panels) + 130,
    )


def _panels(
    series: Series, start_s: float, buckets: int
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield each panel with its traces, one for each device that has the column."""
    gaps = series.gaps
    for column, title, places in _PANELS:
        traces = []
        for number, device in enumerate(series.tracks):
            track = series.tracks[device]
            if column in track.columns:
                points = thin(track.times_s, track.columns[column], buckets)
                if points[0]:
                    x, y = broken(points, gaps)
                    trace = _line(device, number, x, y, start_s=start_s, places=places)
                    traces.append(trace)
        yield title, traces
    found = [
        trace
        for number, (device, track) in enumerate(series.tracks.items())
        for trace in _slowed(device, number, track, start_s=start_s, buckets=buckets)
    ]
    yield _SLOWED, found


def _line(
    device: str, number: int, x: Sequence[float], y: Sequence[Any], *, start_s: float, places: int
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": label(device[:_DEVICE]),
        "legendgroup": label(device),
        "x": [round(time - start_s, 2) for time in x],
        "y": [None if value is None else round(value, places or None) for value in y],
        "line": {"color": colour(number), "dash": _DASHES[number % len(_DASHES)], "width": 1.5},
    }


def _slowed(
    device: str, number: int, track: Track, *, start_s: float, buckets: int
) -> Iterator[dict[str, Any]]:
    """Yield a bar for each cause that slowed a device down, drawn when it did."""
    bits = track.columns.get(_BITS)
    if bits is None or not len(bits):
        return
    found = {b: slowdowns_in(int(b)) for b in set(bits) if not isnan(b)}
    causes = [found.get(b, frozenset()) for b in bits]
    least = (track.times_s[-1] - track.times_s[0]) / buckets
    for cause in sorted(frozenset().union(*causes)):
        x: list[float | None] = []
        for begin, end in stretches(track.times_s, [cause in now for now in causes], least):
            x += [round(begin - start_s, 2), round(end - start_s, 2), None]
        yield {
            "type": "scatter",
            "mode": "lines",
            "name": label(device[:_DEVICE]),
            "legendgroup": label(device),
            "x": x,
            "y": [None if time is None else label(cause) for time in x],
            "line": {"color": colour(number), "width": 10},
        }


def _start_s(record: Record, series: Series) -> float:
    stamps = [t.times_s[0] for t in series.tracks.values() if len(t.times_s)]
    stamps += [r.t0 for r in record.rounds]
    stamps += [p.t0 for p in record.phases if not p.is_shared]
    return min(stamps, default=0.0)


def _stretches_of(record: Record) -> Iterator[tuple[str, float, float, bool]]:
    """Yield phases and rounds with their names; True marks a round."""
    for phase in record.phases:
        if not phase.is_shared:
            yield phase.name, phase.t0, phase.t1, False
    for r in record.rounds:
        side = f" {r.side}" if r.side else ""
        yield f"round {r.seq + 1}{side}", r.t0, r.t1, True


def _shapes(record: Record, start_s: float) -> list[dict[str, Any]]:
    """Return a filled band for each round, and a dotted edge where a phase begins and ends."""
    return [
        {
            "type": "rect",
            "xref": "x",
            "yref": "paper",
            "x0": round(t0 - start_s, 2),
            "x1": round(t1 - start_s, 2),
            "y0": 0,
            "y1": 1,
            "layer": "below",
            "fillcolor": "@band" if is_round else "rgba(0,0,0,0)",
            "line": {"color": "@faint", "width": 1, "dash": "solid" if is_round else "dot"},
        }
        for _, t0, t1, is_round in _stretches_of(record)
    ]


def _names(record: Record, start_s: float) -> list[dict[str, Any]]:
    """Return the names of what is wide enough for one; the table of phases has them all."""
    spans = list(_stretches_of(record))
    whole_s = max((t1 for _, _, t1, _ in spans), default=start_s) - start_s
    return [
        {
            "xref": "x",
            "yref": "paper",
            "x": round((t0 + t1) / 2 - start_s, 2),
            "y": 1,
            "yanchor": "bottom",
            "textangle": -30,
            "showarrow": False,
            "text": label(name),
            "font": {"size": 10},
        }
        for name, t0, t1, _ in spans
        if t1 - t0 >= _LEAST_NAMED * whole_s
    ]


def _range(title: str) -> dict[str, Any]:
    if title == "in use":
        return {"range": [0, 1.05]}
    return {"type": "category"} if title == _SLOWED else {}


def _words(record: Record, series: Series) -> str:
    parts = []
    for device in series.tracks:
        shown = device[:_DEVICE]
        for column, what, unit in (
            ("power_w", "power", "W"),
            ("temperature_c", "temperature", "°C"),
            ("sm_clock_mhz", "SM clock", "MHz"),
        ):
            _, known = thin(*_column(series.tracks[device], column), 1)  # the extremes stay
            if known:
                low, high = digits(min(known)), digits(max(known))
                parts.append(f"{shown}: {what} from {low} to {high} {unit}")
    told = [_causes(t) for t in series.tracks.values() if _BITS in t.columns]
    causes = sorted(frozenset().union(*told))
    none = "no slow-down was seen" if told else "no device told of slow-downs"
    parts.append(f"slowed down by {', '.join(causes)}" if causes else none)
    parts.append(counted(len(record.rounds), "round"))
    if record.series:
        parts.append(counted(record.series.samples, "sample"))
        if gaps := record.series.gaps:
            parts.append(f"{counted(len(gaps), 'gap')} between them")
    return "; ".join(parts) + "."


def _column(track: Track, name: str) -> tuple[Sequence[float], Sequence[float]]:
    return (track.times_s, track.columns[name]) if name in track.columns else ((), ())


def _causes(track: Track) -> frozenset[str]:
    known = (int(bits) for bits in set(track.columns[_BITS]) if not isnan(bits))
    return frozenset().union(*map(slowdowns_in, known))
