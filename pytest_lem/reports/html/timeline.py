"""Power, temperature, clocks and slow-downs over time, with the rounds and phases drawn in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from math import isnan
from typing import Any

from pytest_lem.energy.gpu.throttling import slowdowns_in
from pytest_lem.energy.sampling.series import Series
from pytest_lem.energy.sampling.track import Track
from pytest_lem.reports.figures import digits
from pytest_lem.reports.html.chart import Chart, axis, colour, range_of
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
#: What a panel spans at least, so that its marks are whole numbers, and a value that stays, or
#: differs by a step of its sensor, is seen to be steady.
_LEAST_SPAN = {"power, W": 5, "°C": 5, "SM clock, MHz": 100, "CPU clock, MHz": 100}
_BITS, _SLOWED = "throttle_bits", "slowed down"
_DASHES = ("solid", "dash", "dot", "dashdot")
#: Of the whole height, between two panels.
_GAP = 0.05
_PANEL_PX = 130
#: Above the panels, where the names of rounds and phases stand; below them, for the marks of the
#: seconds and their title.
_ABOVE_PX, _BELOW_PX = 48, 46
#: At the lower edge of the chart, where the library itself takes from the panels what a legend
#: needs that wraps. On a phone each device has a line, and the chart is as much higher.
_LEGEND = {"orientation": "h", "xref": "container", "x": 0, "tracegroupgap": 0}
_LEGEND |= {"yref": "container", "y": 0, "yanchor": "bottom"}
_LEGEND_PX, _LINE_PX = 10, 20
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
    data, axes = _stacked(panels)
    devices = len({trace["legendgroup"] for trace in data})
    legend_px = _LEGEND_PX + _LINE_PX * devices
    return Chart(
        title="Over time",
        words=_words(record, series),
        data=data,
        layout={
            "xaxis": axis("seconds", anchor="free", position=0),
            **axes,
            "showlegend": True,
            "legend": _LEGEND,
            "shapes": _shapes(record, start_s),
            "annotations": _names(record, start_s),
            "margin": {"t": _ABOVE_PX, "b": _BELOW_PX},
        },
        height=_ABOVE_PX + _PANEL_PX * len(panels) + _BELOW_PX + legend_px,
    )


def _stacked(
    panels: dict[str, list[dict[str, Any]]],
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the traces of all panels with their axes; the legend has each device once."""
    data, axes, named = [], {}, set[str]()
    height = (1 - _GAP * (len(panels) - 1)) / len(panels)
    for number, (title, traces) in enumerate(panels.items()):
        top = 1 - number * (height + _GAP)
        suffix = str(number + 1) if number else ""
        domain = [max(0.0, top - height), top]
        axes[f"yaxis{suffix}"] = axis(title, domain=domain, **_range(title, traces))
        for trace in traces:
            is_first = trace["legendgroup"] not in named
            named.add(trace["legendgroup"])
            data.append({**trace, "yaxis": f"y{suffix}", "showlegend": is_first})
    return data, axes


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
    slowed = [
        list(_slowed(device, number, track, start_s=start_s, buckets=buckets))
        for number, (device, track) in enumerate(series.tracks.items())
    ]
    yield _SLOWED, _in_lanes([traces for traces in slowed if traces])


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
            "line": {"color": colour(number)},
            "meta": label(cause),
            "hovertemplate": "%{meta}",
        }


def _in_lanes(devices: Sequence[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Give bars their places: a row for each cause, in it a lane for each device that told one."""
    causes = _causes_in(chain(*devices))
    for lane, traces in enumerate(devices):
        beside = (lane - (len(devices) - 1) / 2) / (len(devices) + 1)
        for trace in traces:
            row = round(causes.index(trace["meta"]) + beside, 3)
            trace["y"] = [None if time is None else row for time in trace["x"]]
            lanes_px = _PANEL_PX / (len(causes) * (len(devices) + 1))
            trace["line"]["width"] = round(min(10.0, lanes_px / 2), 1)
    return list(chain(*devices))


def _causes_in(traces: Iterable[dict[str, Any]]) -> list[str]:
    return sorted({trace["meta"] for trace in traces})


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


def _range(title: str, traces: Sequence[dict[str, Any]]) -> dict[str, Any]:
    if title == "in use":
        return {"range": [0, 1.05]}
    if title == _SLOWED:
        causes = _causes_in(traces)
        rows = list(range(len(causes)))
        return {"tickvals": rows, "ticktext": causes, "range": [-0.5, len(causes) - 0.5]}
    return range_of([y for t in traces for y in t["y"] if y is not None], _LEAST_SPAN[title])


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
