"""Traffic on senders made here: what waits for what, what ends it, what is kept."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Self

import pytest

from pytest_lem.backends.host import load as module
from pytest_lem.backends.host.load import Load
from pytest_lem.backends.protocol import Request
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.workloads.traffic import Traffic

#: Longer than anything here takes.
PATIENCE_S = 30.0
#: Timers of an event loop count in milliseconds, and may run out so much too soon.
TIMER_S = 0.002
FAST = Traffic(arrivals="constant", rate=500.0)

Answer = Callable[["Sender", int], Awaitable[str | None]]


class Sender:
    """Answers as it is told to; counts what is under way.

    Attributes:
        events: `+` for each request that was sent and `-` for each that was answered.
        gate: what an answer may wait for; `open` opens it from any thread.

    """

    def __init__(self, answer: Answer, *, looks: list[dict[str, float]] | None = None) -> None:
        self._answer = answer
        self._looks = looks or []
        self.events: list[str] = []
        self.most = self.under_way = 0
        self.is_left = threading.Event()

    async def __aenter__(self) -> Self:
        self.gate = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.is_left.set()

    async def send(self, number: int) -> Request:
        self.events.append("+")
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        sent_s = time.monotonic()
        try:
            error = await self._answer(self, number)
        finally:
            self.under_way -= 1
            self.events.append("-")
        return Request(
            input_tokens=3,
            token_ids=[],
            reported_tokens=None,
            sent_s=sent_s,
            token_times_s=[],
            done_s=time.monotonic(),
            batch=None,
            output_tokens=None if error else number,
            error=error,
        )

    async def look(self) -> dict[str, float]:
        return self._looks.pop(0) if self._looks else {}


async def at_once(_: Sender, __: int) -> str | None:
    """Answer."""


async def never(_: Sender, __: int) -> str | None:
    """Keep the request."""
    await asyncio.Event().wait()
    return None


async def only_the_first(sender: Sender, number: int) -> str | None:
    """Answer one request, and keep all others."""
    return await never(sender, number) if number else None


def _load(
    answer: Answer | Sender, traffic: Traffic = FAST, *, drain_s: float = PATIENCE_S, seed: int = 1
) -> Load:
    sender = answer if isinstance(answer, Sender) else Sender(answer)
    return Load(sender, traffic, seed=seed, drain_s=drain_s)


def _users(count: int, **fields: Any) -> Traffic:
    return Traffic(arrivals="closed", concurrency=count, **fields)


def _ran(load: Load, seconds: float = 0.05) -> list[Request]:
    load.start(timeout_s=PATIENCE_S)
    load.hold(seconds)
    load.stop()
    return load.requests


def _failure(call: Callable[..., object], *arguments: Any, **keywords: Any) -> tuple[str, str]:
    with pytest.raises(LemError) as caught:
        call(*arguments, **keywords)
    return caught.value.kind, str(caught.value)


def test_an_open_loop_goes_on_while_the_server_stalls() -> None:
    """Nothing is answered before the fortieth request has come, and each was due in its turn.

    A load that waited for answers would end here; one that counted from when it could send again
    would hide the stall.
    """

    async def stalled(sender: Sender, number: int) -> str | None:
        if number == 40:
            sender.gate.set()
        await sender.gate.wait()
        return None

    found = sorted(_ran(_load(stalled)), key=lambda r: r.scheduled_s or 0.0)
    due_s = [request.scheduled_s - found[0].scheduled_s for request in found]
    assert due_s == pytest.approx([number / 500 for number in range(len(found))], abs=1e-6)
    assert all(r.sent_s >= r.scheduled_s - TIMER_S for r in found)
    assert found[0].done_s - found[0].scheduled_s >= 40 / 500 - TIMER_S
    assert not any(request.error for request in found)


def test_a_limit_on_concurrency_lets_what_is_due_wait() -> None:
    """Three are under way, the others are sent as these are answered, and were due in their turn.

    Those that wait when nothing more is due are sent all the same: none is left out.
    """

    async def stalled(sender: Sender, _: int) -> str | None:
        await sender.gate.wait()
        return None

    sender = Sender(stalled)
    load = _load(sender, replace(FAST, max_concurrency=3))
    opening = threading.Timer(0.1, lambda: sender.loop.call_soon_threadsafe(sender.gate.set))
    opening.start()
    found = sorted(_ran(load), key=lambda r: r.scheduled_s or 0.0)
    assert sender.most == 3
    assert sender.events[:4] == ["+", "+", "+", "-"]
    due_s = [request.scheduled_s - found[0].scheduled_s for request in found]
    assert due_s == pytest.approx([number / 500 for number in range(len(found))], abs=1e-6)
    assert found[3].sent_s >= min(r.done_s for r in found[:3])
    assert len(found) > 3
    assert not any(request.error for request in found)


def test_what_waits_for_its_turn_until_the_end_has_failed() -> None:
    """It was never sent, which is told apart from what was not answered."""

    sender = Sender(only_the_first)
    load = _load(sender, replace(FAST, max_concurrency=2), drain_s=0.05)
    load.start(timeout_s=PATIENCE_S)
    load.hold(0.1)
    load.stop()
    errors = [r.error for r in sorted(load.requests, key=lambda r: r.scheduled_s or 0.0)]
    assert errors[:3] == [None, *["not answered before the drain ended"] * 2]
    assert set(errors[3:]) == {"not sent before the drain ended"}
    assert sender.events.count("+") == 3


def test_what_is_sent_late_was_due_all_the_same() -> None:
    """A pause of the load generator itself moves no request: lateness is seen, not hidden."""

    async def paused(_: Sender, number: int) -> str | None:
        if number == 0:
            threading.Event().wait(0.05)  # nothing else runs in this loop
        return None

    found = _ran(_load(paused))
    assert found[1].sent_s - found[0].sent_s >= 0.05
    assert found[1].scheduled_s - found[0].scheduled_s == pytest.approx(1 / 500, abs=1e-6)


@pytest.mark.parametrize("has_uvloop", [True, False])
def test_requests_are_due_as_the_schedule_says(
    monkeypatch: pytest.MonkeyPatch, has_uvloop: bool
) -> None:
    """That of the seed, on whichever loop there is."""
    if not has_uvloop:
        monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    traffic = Traffic(arrivals="poisson", rate=500.0)
    due_s = sorted(r.scheduled_s for r in _ran(_load(at_once, traffic, seed=9)))
    expected_s = list(itertools.islice(traffic.schedule(9), len(due_s)))
    assert len(due_s) > 1
    assert [s - due_s[0] for s in due_s] == pytest.approx(expected_s, abs=1e-6)


def test_users_wait_for_their_answers() -> None:
    """Three users have three requests under way, and a fourth begins only after an answer."""

    async def together(sender: Sender, _: int) -> str | None:
        if sender.under_way == 3:  # long enough for others to come, if any would
            sender.loop.call_later(0.02, sender.gate.set)
        await sender.gate.wait()
        await asyncio.sleep(0)
        return None

    sender = Sender(together)
    found = _ran(_load(sender, _users(3)))
    assert sender.most == 3
    assert len(found) > 3
    for number in range(len(sender.events)):
        sent, answered = (sender.events[: number + 1].count(sign) for sign in "+-")
        assert sent - answered <= 3
    assert sorted(r.output_tokens for r in found) == list(range(len(found)))


def test_in_a_closed_loop_nothing_is_due_at_a_time_of_its_own() -> None:
    """Latencies then count from when a request was sent."""
    found = _ran(_load(at_once, _users(2)))
    assert {request.scheduled_s for request in found} == {None}


def test_a_load_is_steady_after_its_ramp_and_an_answer() -> None:
    """Start returns no sooner, and the users of the ramp have begun."""
    sender = Sender(at_once)
    load = _load(sender, _users(4, ramp_s=0.08))
    began_s = time.monotonic()
    load.start(timeout_s=PATIENCE_S)
    assert time.monotonic() - began_s >= 0.08 - TIMER_S
    load.stop()
    assert sender.events.count("+") >= 4


def test_stopping_waits_for_what_is_under_way() -> None:
    """What was sent is answered after the last window, and nothing more is sent."""

    async def at_the_end(sender: Sender, number: int) -> str | None:
        if number:
            await sender.gate.wait()
        return None

    sender = Sender(at_the_end)
    load = _load(sender)
    load.start(timeout_s=PATIENCE_S)
    load.hold(0.03)
    sender.loop.call_soon_threadsafe(lambda: sender.loop.call_later(0.05, sender.gate.set))
    load.stop()
    assert sender.under_way == 0
    assert sender.events.count("+") == len(load.requests) > 1
    assert not any(request.error for request in load.requests)
    assert sender.is_left.is_set()


def test_what_is_not_answered_in_time_has_failed() -> None:
    """However many they are: it is the server's answer to too much traffic, and no other error."""
    sender = Sender(only_the_first)
    load = _load(sender, drain_s=0.05)
    load.start(timeout_s=PATIENCE_S)
    load.hold(0.1)
    load.stop()
    first, *late = load.requests
    assert first.error is None
    assert len(late) == sender.events.count("+") - 1 > 20
    assert {r.error for r in late} == {"not answered before the drain ended"}
    assert {r.output_tokens for r in late} == {None}
    assert all(r.done_s - r.sent_s >= 0.05 - TIMER_S for r in late)
    assert all(r.sent_s >= r.scheduled_s - TIMER_S for r in late)


def test_a_replay_that_runs_out_ends_the_window() -> None:
    """A window without traffic at its end is not measured."""
    traffic = Traffic(arrivals="replay", times_s=(0.0, 0.01, 0.02))
    load = _load(at_once, traffic)
    load.start(timeout_s=PATIENCE_S)
    kind, sentence = _failure(load.hold, PATIENCE_S)
    assert (kind, sentence) == (
        "data",
        (
            "the last request was due before the window ended; a replay needs timestamps for the "
            "ramp and the whole window"
        ),
    )
    load.stop()
    assert len(load.requests) == 3


@pytest.mark.parametrize(
    ("traffic", "failures"), [(FAST, 20), (_users(3), 20), (_users(30), 30)], ids=str
)
def test_failures_in_a_row_end_the_load(traffic: Traffic, failures: int) -> None:
    """Twenty, or one of each user; the sentence has the last reason and what to do."""

    async def refused(_: Sender, number: int) -> str | None:
        return f"HTTP 429, number {number}"

    load = _load(refused, traffic)
    kind, sentence = _failure(load.start, timeout_s=PATIENCE_S)
    assert kind == "engine"
    assert sentence.startswith(f"{failures} requests in a row failed, the last with: HTTP 429, num")
    assert sentence.endswith("; look into the server's log, or ask for less traffic")
    assert _failure(load.stop) == (kind, sentence)
    assert len(load.requests) >= failures


def test_failures_between_answers_end_nothing() -> None:
    """Nineteen in a row are many, and no server that is gone."""

    async def seldom(_: Sender, number: int) -> str | None:
        return "busy" if number % 20 else None

    found = _ran(_load(seldom, Traffic(arrivals="constant", rate=2000.0)), 0.1)
    assert sum(request.error is None for request in found) >= 3
    assert sum(request.error == "busy" for request in found) >= 40


@pytest.mark.parametrize("number", [0, 5])
def test_a_server_that_is_gone_ends_the_load_with_its_sentence(number: int) -> None:
    """Before it is steady, and in a window; what is under way is not waited for."""

    async def gone(sender: Sender, n: int) -> str | None:
        if n == number:
            raise LemError("the server ended with 3", kind=FailureKind.ENGINE)
        return await only_the_first(sender, n)

    load = _load(gone)
    with pytest.raises(LemError) as caught:
        _ran(load, PATIENCE_S)
    assert str(caught.value) == "the server ended with 3"
    assert _failure(load.stop)[1] == "the server ended with 3"
    assert load.requests == sorted(load.requests, key=lambda r: r.done_s)


def test_a_server_that_answers_nothing_is_not_waited_for_for_ever() -> None:
    """The sentence says so; and since nothing is measured, nothing is drained either."""
    load = _load(never, _users(2), drain_s=3600.0)
    kind, sentence = _failure(load.start, timeout_s=0.05)
    assert kind == "timeout"
    assert sentence == (
        "no request was answered within 0.05 s; the server is too slow for this load, or stuck "
        "(its log may say more)"
    )
    stopping = threading.Thread(target=load.stop, daemon=True)
    stopping.start()
    stopping.join(PATIENCE_S)
    assert not stopping.is_alive()
    assert [request.error for request in load.requests] == [
        "not answered before the drain ended"
    ] * 2


def test_a_sender_that_cannot_connect_ends_the_load() -> None:
    """What went wrong on the way in is told, and stopping is no second error."""

    class Closed(Sender):
        async def __aenter__(self) -> Self:
            raise OSError("no sockets are left")

    load = _load(Closed(at_once))
    with pytest.raises(OSError, match="no sockets are left"):
        load.start(timeout_s=PATIENCE_S)
    with pytest.raises(OSError, match="no sockets are left"):
        load.stop()


def test_a_sender_that_never_connects_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither start nor stop hangs, and a load that goes on is not taken for a finished one."""
    monkeypatch.setattr(module, "_MARGIN_S", 0.05)
    end = threading.Event()

    class Endless(Sender):
        async def __aenter__(self) -> Self:
            await asyncio.to_thread(end.wait)
            raise OSError("let go")

    load = _load(Endless(at_once))
    assert _failure(load.start, timeout_s=0.05)[0] == "timeout"
    assert _failure(load.stop) == ("timeout", "the load did not end in time")
    end.set()


def test_looks_are_kept_with_their_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """From before the first window on, and those that saw nothing are none."""
    monkeypatch.setattr(module, "_LOOK_S", 0.001)
    sender = Sender(at_once, looks=[{"running": 2.0}, {}, {"running": 3.0, "waiting": 1.0}])
    load = _load(sender)
    before_s = time.monotonic()
    _ran(load)
    assert [{k: v for k, v in look.items() if k != "time_s"} for look in load.looks] == [
        {"running": 2.0},
        {"running": 3.0, "waiting": 1.0},
    ]
    times_s = [before_s, *(look["time_s"] for look in load.looks), time.monotonic()]
    assert times_s == sorted(times_s)


def test_a_load_that_cannot_be_seen_goes_on() -> None:
    """Gauges are no part of the work."""

    class Blind(Sender):
        async def look(self) -> dict[str, float]:
            raise ValueError("no page")

    load = _load(Blind(at_once))
    assert _ran(load)
    assert load.looks == []
