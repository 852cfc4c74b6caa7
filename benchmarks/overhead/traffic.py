"""The load generator: 500 requests a second in an open loop, each answered with 16 tokens.

The server is a stub without a model, in a process of its own on the same CPUs, which sends every
token in a piece of its own. How late requests are sent is compared with a bare timer of the same
event loop that has the same schedule and nothing else to do, by turns; CPU time is that of the
whole process of the load generator, the reading of the answers included.
"""

from __future__ import annotations

import asyncio
import time
from itertools import takewhile
from pathlib import Path

import uvloop
from pairing import Figure, alternate, difference, exactly

from pytest_lem.backends.host.load import Load
from pytest_lem.backends.openai import OpenAiBackend
from pytest_lem.backends.openai.options import OpenAiOptions
from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.results.statistics import percentile
from pytest_lem.workloads.traffic import Traffic
from pytest_lem.workloads.workload import Workload

STUB = Path(__file__).resolve().parents[2] / "tests" / "stub_server" / "stub_server.py"
RATE, TOKENS = 500.0, 16
TRAFFIC = Traffic(arrivals="poisson", rate=RATE, ramp_s=0.5)


def measure(*, quick: bool, threads: int | None) -> list[Figure]:
    """Return lateness, CPU time and the rate that was achieved."""
    seconds = 3.0 if quick else 10.0
    backend = _started()
    prepared = backend.prepare(Workload(output_tokens=TOKENS), 1)
    seeds = iter(range(1000))

    def bare() -> float:
        return 1000 * percentile(_timed(next(seeds), seconds), 0.99)

    costs, rates = [], []

    def loaded() -> float:
        load = Load(backend.sender(prepared.batches), TRAFFIC, seed=next(seeds), drain_s=10.0)
        load.start(timeout_s=30.0)
        before_s, start_s = time.process_time(), time.monotonic()
        load.hold(seconds)
        costs.append(1000 * (time.process_time() - before_s) / (RATE * seconds))
        end_s = time.monotonic()
        load.stop()
        done = [r for r in load.requests if start_s <= r.done_s < end_s]
        assert all(r.error is None and r.output_tokens == TOKENS for r in done)
        rates.append(len(done) / (end_s - start_s))
        return 1000 * percentile([r.sent_s - r.scheduled_s for r in load.requests], 0.99)

    pairs = alternate(6 if quick else 10, bare, loaded)
    costs.sort()
    middle = costs[len(costs) // 2]
    return [
        Figure("p99 of the lateness, above a bare timer's", "ms", difference(pairs), "<= 10"),
        Figure("CPU of a request", "ms", exactly(middle), "<= 1.3", "median of the stretches"),
        Figure("answered", "requests/s", exactly(sum(rates) / len(rates)), f">= {0.98 * RATE}"),
    ]


def _started() -> OpenAiBackend:
    """Return the backend with its server, which ends with this process."""
    backend = OpenAiBackend()
    options = OpenAiOptions(command=f"python {STUB} --port {{port}} --itl 0.005", metrics=None)
    backend.load(LoadSpec(backend="openai", model="stub", precision="auto", options=options))
    return backend


def _timed(seed: int, seconds: float) -> list[float]:
    """Return how late a timer was that had the schedule of the traffic."""

    async def wait() -> list[float]:
        late, start_s = [], time.monotonic()
        for due in takewhile(lambda due: due < seconds, TRAFFIC.schedule(seed)):
            await asyncio.sleep(max(start_s + due - time.monotonic(), 0))
            late.append(time.monotonic() - start_s - due)
        return late

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(wait())
