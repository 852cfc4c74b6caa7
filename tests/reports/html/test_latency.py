"""Latencies of the requests of a case."""

from pytest_lem.reports.html.latency import latencies


def test_each_latency_has_its_curve_in_seconds(model, view):
    """Requests were sent at 10 s; the first token was there after 0.5 s, the last after 1.25 s."""
    chart = latencies(view(model()))
    curves = {t["name"]: (t["x"], t["y"]) for t in chart.data}
    assert curves == {
        "TTFT": ([0.5, 0.5], [0.5, 1.0]),
        "TPOT": ([0.25, 0.25], [0.5, 1.0]),
        "E2E": ([1.25, 1.25], [0.5, 1.0]),
    }
    assert len({t["line"]["dash"] for t in chart.data}) == 3
    assert "E2E of 2 requests: p50 1.25 s" in chart.words


def test_a_failed_request_has_no_latency(model, view):
    """One answered request alone has no distribution."""
    record = model()
    record.rounds[0].requests[0] = (
        record.rounds[0].requests[0].model_copy(update={"error": "refused"})
    )
    assert latencies(view(record)) is None


def test_an_open_loop_counts_from_when_a_request_was_due(model, view):
    """A request that was sent late was late."""
    record = model()
    requests = record.rounds[0].requests
    record.rounds[0].requests = [r.model_copy(update={"scheduled": r.sent - 1.0}) for r in requests]
    chart = latencies(view(record))
    assert chart.data[0]["x"] == [1.5, 1.5]
