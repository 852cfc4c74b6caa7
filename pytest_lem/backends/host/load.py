"""Traffic on an engine: requests sent as they are due, from a thread with a loop of its own.

In an open loop the next request never waits for the last: a server that is slow gets no rest from
it, and the time that a request was late counts from when it was due.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

from pytest_lem.backends.protocol import Request, Sender, failed_request
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.workloads.traffic import Traffic

#: After so many failures in a row, or one of each user, a server is given up.
_MOST_FAILURES = 20
#: Thresholds of the collector meanwhile: young objects alone are looked at, and those seldom.
_CALM = (50_000, 20, 1000)
#: How often the engine is asked how it is.
_LOOK_S = 0.5
#: What ending the loop may take beyond the drain.
_MARGIN_S = 10.0


class Load:
    """One stretch of traffic: `start`, `hold` as often as wanted, `stop`.

    Attributes:
        requests: what was sent, in the order in which it ended; complete after `stop`.
        looks: what the engine said of itself, each with its time.

    """

    def __init__(self, sender: Sender, traffic: Traffic, *, seed: int, drain_s: float) -> None:
        self.requests: list[Request] = []
        self.looks: list[dict[str, float]] = []
        self._sender = sender
        self._traffic = traffic
        self._seed = seed
        self._drain_s = drain_s
        self._most_failures = max(_MOST_FAILURES, traffic.concurrency or 0)
        self._failures = 0
        self._numbers = itertools.count()
        limit = traffic.max_concurrency
        self._slots = asyncio.Semaphore(limit) if limit else nullcontext()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._error: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._dispatcher: asyncio.Task[None] | None = None
        self._is_steady = threading.Event()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lem-load", daemon=True)

    def start(self, *, timeout_s: float) -> None:
        """Begin, and return once the ramp has passed and an answer has come, so long after it.

        Raises LemError when that is not reached in time, or the load ends before.
        """
        self._thread.start()
        if not self._is_steady.wait(self._traffic.ramp_s + timeout_s):
            self._drain_s = 0.0  # nobody waits for the rest
            raise LemError(
                f"no request was answered within {timeout_s:g} s; the server is too slow for this "
                "load, or stuck (its log may say more)",
                kind=FailureKind.TIMEOUT,
            )
        self._check()

    def hold(self, seconds: float) -> None:
        """Let it run on for so long; raises LemError as soon as it cannot."""
        self._is_over.wait(seconds)
        self._check()

    def stop(self) -> None:
        """Send nothing more and wait for what is under way; what takes too long has failed."""
        if self._thread.is_alive():
            if self._loop is not None:
                with suppress(RuntimeError):  # it has ended in between
                    self._loop.call_soon_threadsafe(self._end)
            self._thread.join(self._drain_s + _MARGIN_S)
        if self._error is not None:
            raise self._error
        if self._thread.is_alive():
            raise LemError("the load did not end in time", kind=FailureKind.TIMEOUT)

    def _end(self) -> None:
        if self._dispatcher is not None:
            self._dispatcher.cancel()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
        if self._is_over.is_set():
            raise LemError(
                "the last request was due before the window ended; a replay needs timestamps for "
                "the ramp and the whole window",
                kind=FailureKind.DATA,
            )

    def _run(self) -> None:
        try:
            with _calm_collector(), asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(self._drive())
        except Exception as error:  # noqa: BLE001 - told to whoever waits for the load
            self._error = self._error or error
        finally:
            self._is_over.set()
            self._is_steady.set()

    async def _drive(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._has_answer = asyncio.Event()
        async with self._sender:
            self._start_s = time.monotonic()
            arrive = self._arrive_open if self._traffic.is_open else self._arrive_closed
            self._dispatcher = asyncio.create_task(arrive())
            helpers = [asyncio.create_task(work()) for work in (self._ramp, self._look)]
            await asyncio.wait([self._dispatcher])
            self._is_over.set()  # nothing is due any more
            await self._drain()
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            if not self._dispatcher.cancelled():
                self._dispatcher.result()  # what went wrong in it goes on

    async def _arrive_open(self) -> None:
        for number, due in enumerate(self._traffic.schedule(self._seed)):
            due_s = self._start_s + due
            # Late or not, others must get on as well.
            await asyncio.sleep(max(due_s - time.monotonic(), 0))
            self._launch(number, due_s)

    async def _arrive_closed(self) -> None:
        await asyncio.gather(*map(self._user, self._traffic.schedule(self._seed)))

    async def _user(self, due: float) -> None:
        await asyncio.sleep(max(self._start_s + due - time.monotonic(), 0))
        while True:
            # A user who is gone leaves the request under way.
            await asyncio.wait([self._launch(next(self._numbers), time.monotonic())])

    def _launch(self, number: int, due_s: float) -> asyncio.Task[None]:
        task = asyncio.create_task(self._exchange(number, due_s))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)
        return task

    async def _exchange(self, number: int, due_s: float) -> None:
        sent_s = None
        try:
            async with self._slots:
                sent_s = time.monotonic()
                request = await self._sender.send(number)
        except asyncio.CancelledError:
            # After the last window, so it is no reason to end the load.
            what = "sent" if sent_s is None else "answered"
            why = f"not {what} before the drain ended"
            self._keep(failed_request(sent_s or time.monotonic(), why), due_s)
            return
        except Exception as error:  # noqa: BLE001 - ends the load, which tells it
            self._give_up(error)
            return
        self._keep(request, due_s)
        self._judge(request)

    def _keep(self, request: Request, due_s: float) -> None:
        request.scheduled_s = due_s if self._traffic.is_open else None
        self.requests.append(request)

    def _judge(self, request: Request) -> None:
        if request.error is None:
            self._failures = 0
            self._has_answer.set()
            return
        self._failures += 1
        if self._failures >= self._most_failures:
            self._give_up(
                LemError(
                    f"{self._failures} requests in a row failed, the last with: {request.error}; "
                    "look into the server's log, or ask for less traffic",
                    kind=FailureKind.ENGINE,
                )
            )

    def _give_up(self, error: Exception) -> None:
        self._error = self._error or error
        self._drain_s = 0.0
        self._end()

    async def _ramp(self) -> None:
        await asyncio.sleep(self._traffic.ramp_s)
        await self._has_answer.wait()
        self._is_steady.set()

    async def _look(self) -> None:
        while True:
            if seen := await self._sender.look():
                self.looks.append({"time_s": time.monotonic(), **seen})
            await asyncio.sleep(_LOOK_S)

    async def _drain(self) -> None:
        if not self._in_flight:
            return
        _, late = await asyncio.wait(self._in_flight, timeout=self._drain_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


@contextmanager
def _calm_collector() -> Iterator[None]:
    """Collect garbage seldom: a full collection keeps every request waiting for 20 ms."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*_CALM)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _loop_factory() -> Callable[[], Any] | None:
    """Return the loop of uvloop where it is installed, which takes half the CPU time."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop

    factory: Callable[[], Any] = uvloop.new_event_loop
    return factory
