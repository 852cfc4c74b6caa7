"""Several processes in a record: each with its raw entry, all in one pool."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_lem.case import call_case
from pytest_lem.measure.round import Measurement, Round
from pytest_lem.results.build import Context, build_record
from pytest_lem.results.pool import Pool
from pytest_lem.results.processes import wait_share
from pytest_lem.results.record import Record


def entry(rank: int, start_s: float, end_s: float, busy_s: float) -> dict[str, Any]:
    """Return what the host tells of a process."""
    return {
        "rank": rank,
        "pid": 100 + rank,
        "device": "cpu",
        "start_s": start_s,
        "end_s": end_s,
        "busy_s": busy_s,
        "requests": 1,
        "input_tokens": 5,
        "output_tokens": 3,
        "peak_host_memory_bytes": 7,
        "peak_device_memory_bytes": None,
    }


def both(found: Round, *busy_s: float) -> Round:
    """Return a round in which processes were at work for so long."""
    entries = [entry(n, found.start_s, found.end_s, s) for n, s in enumerate(busy_s)]
    requests = [{**r, "rank": n % len(busy_s)} for n, r in enumerate(found.requests)]
    return replace(found, processes=entries, requests=requests)


def test_waiting_is_what_is_left_of_the_time_of_all(window: Callable[..., Round]) -> None:
    """Of 2 x 2 s and 2 x 4 s, 9 s were work."""
    rounds = [both(window(2.0, 1.0), 2.0, 1.0), both(window(4.0, 1.0), 4.0, 2.0)]
    found = wait_share(Pool(rounds, on_gpu=True))
    assert found.value == pytest.approx(3 / 12)
    assert (found.n, found.unit, found.direction) == (2, "1", "lower")
    assert found.u == pytest.approx(0.0)


def test_one_process_waits_for_nobody(window: Callable[..., Round]) -> None:
    """The figure is null with its reason, not 0."""
    found = wait_share(Pool([window(2.0, 1.0)], on_gpu=True))
    assert found.value is None
    assert found.reason == "one process did the work, or the engine does not tell"


def test_a_record_keeps_each_process_raw(
    measured: Callable[..., Measurement], infer_record: Callable[..., Record]
) -> None:
    """Its times are relative to the round, and each request names who served it."""
    measurement = measured()
    measurement.rounds = [both(r, 0.5, 0.25) for r in measurement.rounds]
    alone = infer_record()
    case = call_case("two")
    record = build_record(case, measurement, Context(nodeid="t.py::t"))
    for found, given in zip(record.rounds, measurement.rounds, strict=True):
        window_s = round(given.window_s, 6)
        assert [(p.rank, p.pid, p.start, p.end, p.busy) for p in found.processes] == [
            (0, 100, 0.0, window_s, 0.5),
            (1, 101, 0.0, window_s, 0.25),
        ]
        assert {request.rank for request in found.requests} == {0, 1}
    assert record.metrics["process_wait_share"].value is not None
    assert alone.rounds[0].processes == []
    assert {request.rank for request in alone.rounds[0].requests} == {None}
