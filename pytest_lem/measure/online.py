"""Traffic: requests arrive over time, and a window is cut out of what goes on.

The load begins before the window and ends after it, so both edges lie inside. Tokens count where
they came, whatever request they are of; latencies are of the requests that were due in the window,
of which the last are answered after it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from math import sqrt
from statistics import median
from typing import Any

from pytest_lem.backends.host.pool import Loaded
from pytest_lem.energy.conditions import Reading
from pytest_lem.energy.panel import Panel
from pytest_lem.errors import LemError
from pytest_lem.flags import Flag, Reason
from pytest_lem.measure.asking import Asking, audit
from pytest_lem.measure.gauges import engine_between
from pytest_lem.measure.plan import InferPlan, TrafficPlan
from pytest_lem.measure.round import Measurement, Phase, Round, Work, round_of
from pytest_lem.measure.slo import Slo, due_s, e2e_s
from pytest_lem.measure.warmup import BIN_S, Bin, WarmUp

_log = logging.getLogger(__name__)

#: Windows of traffic are at least so long, whatever was asked for.
SHORTEST_S = 1.0
#: A schedule is missed where one request in a hundred was sent later than this.
LATE_S = 0.010
_LATE_SHARE = 0.01
#: More than this share of the arrivals unanswered at the end, and more than chance leaves.
_BACKLOG_SHARE, _BACKLOG_SIGMAS = 0.1, 3.0
#: The seed of the warm-up, which no round has.
_WARM_UP = -1
#: The phase of traffic that could not go on.
GIVEN_UP = "given up"

Requests = Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, its end not in it."""

    start_s: float
    end_s: float

    def has(self, time_s: float) -> bool:
        """Tell whether a moment lies in it."""
        return self.start_s <= time_s < self.end_s


class Online:
    """Puts traffic on a host for each round: ramp, window, drain."""

    def __init__(
        self, plan: InferPlan, online: TrafficPlan, panel: Panel, measurement: Measurement
    ) -> None:
        self._plan = plan
        self._online = online
        self._panel = panel
        self._measurement = measurement
        self._asking = Asking(plan, measurement)

    def prepare(self, loaded: Loaded) -> None:
        """Have each prompt written as a request of its own."""
        self._asking.prepare(loaded, self._plan.workload, 1)

    def warm_up(self, loaded: Loaded) -> None:
        """Run the traffic until the power is steady; a warm host is not warmed again."""
        if loaded.is_warm:
            return
        method = self._plan.method
        max_s = min(method.warmup_max_s, self._online.traffic.lasts_s - 2 * BIN_S)
        warm_up = WarmUp(cv=method.warmup_cv, max_s=max_s, calm_s=method.warmup_calm_s)
        with self._traffic(loaded, _WARM_UP):
            while not warm_up.is_over:
                start_s = time.monotonic()
                self._hold(loaded, BIN_S)
                end_s = time.monotonic()
                warm_up.add(
                    Bin(
                        start_s=start_s,
                        end_s=end_s,
                        power_w=self._panel.power_w(start_s, end_s),
                        temperature_c=self._panel.temperature_c(start_s, end_s),
                    )
                )
        if not warm_up.is_steady and method.warmup_max_s > 0:
            self._measurement.flags.add(Flag.UNSTEADY)
        _log.debug("warm-up: %s", warm_up)
        loaded.is_warm = True

    def round(self, loaded: Loaded, seq: int) -> tuple[Round, Reading]:
        """Measure one window, with traffic of its own."""
        asked_s, least_s = self._plan.method.min_window_s, self._online.traffic.least_window_s
        with self._traffic(loaded, seq):
            edges = self._panel.begin()
            start_s = time.monotonic()
            self._hold(loaded, max(asked_s, least_s, SHORTEST_S))
            end_s = time.monotonic()
            reading = self._panel.end(edges, start_s, end_s)
        collected = self._asking.ask(loaded, "collect", "collected")
        self._asking.keep(collected)
        span, sent = Span(start_s, end_s), collected["requests"]
        due = [request for request in sent if span.has(due_s(request))]
        self._measurement.flags |= _flags(sent, due, span, is_open=self._online.traffic.is_open)
        found = round_of(
            seq,
            start_s,
            end_s,
            reading,
            work_in(sent, span, self._plan.slo),
            requests=due,
            reasons=self._doubts(sent, due),
        )
        return replace(found, engine=engine_between(collected["looks"], start_s, end_s)), reading

    def _doubts(self, sent: Requests, due: Requests) -> list[Reason]:
        reasons = audit((r for r in sent if r["error"] is None), self._plan.workload)
        failed = sum(r["error"] is not None for r in due)
        if failed > self._online.most_failed * len(due):
            reasons.append(Reason.REQUESTS_FAILED)
        if not due:
            reasons.append(Reason.NO_REQUESTS)
        return reasons

    @contextmanager
    def _traffic(self, loaded: Loaded, seq: int) -> Iterator[None]:
        """Have traffic meanwhile; what was sent of one that cannot go on is kept as a phase."""
        begin_s = time.monotonic()
        self._asking.arm(loaded)
        try:
            self._start(loaded, seq)
            yield
            self._stop(loaded)
        except LemError:
            self._keep_given_up(loaded, begin_s)
            raise

    def _keep_given_up(self, loaded: Loaded, begin_s: float) -> None:
        """Keep the requests of traffic that was given up, in no figure: they are what is known."""
        with suppress(LemError):  # it ends with its reason once more
            self._stop(loaded)
        with suppress(LemError):  # a host that is gone has them no more
            sent = self._asking.ask(loaded, "collect", "collected")["requests"]
            end_s = time.monotonic()
            work = work_in(sent, Span(begin_s, end_s), Slo())
            self._measurement.phases.append(
                Phase(name=GIVEN_UP, start_s=begin_s, end_s=end_s, work=work, requests=sent)
            )

    def _start(self, loaded: Loaded, seq: int) -> None:
        online = self._online
        self._asking.ask(
            loaded,
            "start",
            "started",
            further_s=online.drain_s + online.traffic.ramp_s,
            traffic=asdict(online.traffic),
            seed=online.seed + seq,
            drain_s=online.drain_s,
            limit_s=self._plan.timeout_s,
        )

    def _hold(self, loaded: Loaded, seconds: float) -> None:
        self._asking.ask(loaded, "hold", "held", further_s=seconds, seconds=seconds)

    def _stop(self, loaded: Loaded) -> None:
        self._asking.ask(loaded, "stop", "stopped", further_s=self._online.drain_s)


def work_in(sent: Requests, span: Span, slo: Slo) -> Work:
    """Return what was done within a span of time.

    Output tokens count where they came, prompt tokens where the first output token did, requests
    where they ended; those that failed count nothing. `failed_requests` and `good_requests` are of
    those that were due in it, `failed_outside` of the others.
    """
    answered = [request for request in sent if request["error"] is None]
    due = [request for request in sent if span.has(due_s(request))]
    failed = sum(request["error"] is not None for request in due)
    return Work(
        requests=sum(span.has(request["done_s"]) for request in answered),
        input_tokens=_prompt_tokens(answered, span),
        output_tokens=round(sum(_tokens_in(request, span) for request in answered)),
        due_requests=len(due),
        failed_requests=failed,
        good_requests=sum(map(slo.is_met_by, due)) if slo.is_set else None,
        failed_outside=len(sent) - len(answered) - failed,
    )


def _prompt_tokens(answered: Iterable[Mapping[str, Any]], span: Span) -> int | None:
    lengths = [
        request["input_tokens"]
        for request in answered
        if span.has((request["token_times_s"] or [request["done_s"]])[0])
    ]
    return None if None in lengths else sum(lengths)


def _tokens_in(request: Mapping[str, Any], span: Span) -> float:
    """Return the tokens that came within a span; those of a piece of text came together."""
    times_s = request["token_times_s"] or [request["done_s"]]
    return float(request["output_tokens"] * sum(map(span.has, times_s)) / len(times_s))


def _flags(sent: Requests, due: Requests, span: Span, *, is_open: bool) -> set[Flag]:
    """Tell what limits the figures of a window."""
    flags = set()
    late = sum(r["sent_s"] - due_s(r) > LATE_S for r in due)
    if is_open and late > _LATE_SHARE * len(due):
        flags.add(Flag.MISSED_SCHEDULE)
    # Due, not sent: under a limit on concurrency, what arrives waits before it is sent.
    backlog = len(due) - sum(span.has(r["done_s"]) for r in sent)
    if is_open and backlog > max(_BACKLOG_SHARE * len(due), _BACKLOG_SIGMAS * sqrt(len(due))):
        flags.add(Flag.OVERLOADED)
    answered = [r for r in due if r["error"] is None]
    if answered and median(map(e2e_s, answered)) > span.end_s - span.start_s:
        flags.add(Flag.WINDOW_BELOW_LATENCY)
    if len(answered) < len(due):
        flags.add(Flag.SOME_FAILED)
    if any(r["error"] is not None and not span.has(due_s(r)) for r in sent):
        flags.add(Flag.FAILED_OUTSIDE)
    if any(0 < len(r["token_times_s"]) < (r["output_tokens"] or 0) for r in due):
        flags.add(Flag.TOKENS_TOGETHER)
    return flags
