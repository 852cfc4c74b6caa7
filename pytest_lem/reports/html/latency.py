"""How latencies are distributed over the requests of a case."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pytest_lem.reports.figures import scaled
from pytest_lem.reports.html.chart import Chart, axis, colour, spanning
from pytest_lem.reports.html.thinning import steps
from pytest_lem.reports.html.view import View
from pytest_lem.results.record import RequestRecord
from pytest_lem.results.statistics import percentile

#: Points of a curve at most.
_MOST = 160
_LEAST = 2
_DASHES = ("solid", "dash", "dot")


def latencies(view: View) -> Chart | None:
    """Return the share of requests that were as fast or faster; None with fewer than two."""
    rounds = view.record.rounds
    requests = [r for round_ in rounds for r in round_.requests if r.error is None]
    samples = {name: [x for r in requests for x in of(r)] for name, of in _LATENCIES.items()}
    known = {name: values for name, values in samples.items() if len(values) >= _LEAST}
    if not known:
        return None
    return Chart(
        title="Latencies of the requests",
        words="; ".join(_words(name, values) for name, values in known.items()) + ".",
        data=[_trace(i, name, values) for i, (name, values) in enumerate(known.items())],
        layout={
            "xaxis": axis("seconds", **spanning([x for values in known.values() for x in values])),
            "yaxis": axis("share of requests", range=[0, 1.02]),
            "legend": {"orientation": "h"},
        },
        height=320,
    )


def _trace(number: int, name: str, values: Sequence[float]) -> dict[str, object]:
    x, y = steps(values, _MOST)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [_short(value) for value in x],
        "y": [round(share, 4) for share in y],
        "line": {"shape": "hv", "color": colour(number), "dash": _DASHES[number]},
    }


def _words(name: str, values: Sequence[float]) -> str:
    shown = [f"p{round(100 * q)} {scaled(percentile(values, q), 's')}" for q in (0.5, 0.9, 0.99)]
    return f"{name} of {len(values)} requests: {', '.join(shown)}, most {scaled(max(values), 's')}"


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _due(request: RequestRecord) -> float:
    return request.sent if request.scheduled is None else request.scheduled


def _ttft(request: RequestRecord) -> list[float]:
    return [request.token_times[0] - _due(request)] if request.token_times else []


def _tpot(request: RequestRecord) -> list[float]:
    times, tokens = request.token_times, request.output_tokens or 0
    return [(times[-1] - times[0]) / (tokens - 1)] if times and tokens > 1 else []


def _e2e(request: RequestRecord) -> list[float]:
    return [request.done - _due(request)]


_LATENCIES: dict[str, Callable[[RequestRecord], list[float]]] = {
    "TTFT": _ttft,
    "TPOT": _tpot,
    "E2E": _e2e,
}
