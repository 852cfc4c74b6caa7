"""How latencies are distributed over the requests of a case."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pytest_lem.reports.figures import scaled
from pytest_lem.reports.html.chart import Chart, axis, colour, spanning
from pytest_lem.reports.html.thinning import steps
from pytest_lem.reports.html.view import View
from pytest_lem.results.record import RequestRecord
from pytest_lem.results.statistics import percentile
from pytest_lem.results.timing import e2e_s, known, tpot_s, ttft_s

#: Points of a curve at most.
_MOST = 160
_LEAST = 2
_DASHES = ("solid", "dash", "dot")


def latencies(view: View) -> Chart | None:
    """Return the share of requests that were as fast or faster; None with fewer than two."""
    rounds = view.record.rounds
    requests = [r for round_ in rounds for r in round_.requests if r.error is None]
    samples = {name: known(of, requests) for name, of in _LATENCIES.items()}
    enough = {name: values for name, values in samples.items() if len(values) >= _LEAST}
    if not enough:
        return None
    return Chart(
        title="Latencies of the requests",
        words="; ".join(_words(name, values) for name, values in enough.items()) + ".",
        data=[_trace(i, name, values) for i, (name, values) in enumerate(enough.items())],
        layout={
            "xaxis": axis("seconds", **spanning([x for values in enough.values() for x in values])),
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


_LATENCIES: dict[str, Callable[[RequestRecord], float | None]] = {
    "TTFT": ttft_s,
    "TPOT": tpot_s,
    "E2E": e2e_s,
}
