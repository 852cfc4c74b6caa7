"""A meter whose energies are set by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_lem.backends.protocol import Request
from pytest_lem.clock import Clock
from pytest_lem.energy.meter import Availability, Scope
from pytest_lem.energy.panel import Panel
from pytest_lem.energy.reading import Domain, Energy, Tier
from pytest_lem.measure.rest import Rests


@dataclass
class GivenMeter:
    """Returns 3 W over each window, or what it was told to; notes what happens to it."""

    tier: Tier
    values_j: list[float | None] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    name: str = "given"
    method: str = "given-1"
    tick_s: float | None = None

    def open(self, scope: Scope) -> None:
        self.events.append(f"open {scope.pids[0]}")

    def begin(self) -> int:
        self.events.append("begin")
        return len(self.events)

    def end(self, edge: int, start_s: float, end_s: float) -> list[Energy]:
        self.events.append("end")
        value_j = self.values_j.pop(0) if self.values_j else 3 * (end_s - start_s)
        domain = Domain.ESTIMATE if self.tier is Tier.ESTIMATED else Domain.PACKAGE
        return [Energy(domain=domain, device="given", tier=self.tier, value_j=value_j)]

    def close(self) -> None:
        self.events.append("close")


@dataclass
class GivenClock:
    """A clock that only passes when somebody rests, and notes for how long."""

    time_s: float = 0.0
    rests_s: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.time_s

    def sleep(self, duration_s: float) -> None:
        self.rests_s.append(duration_s)
        self.time_s += duration_s


class NVMLError(Exception):
    """What pynvml raises."""

    value = 6


@dataclass
class Boards:
    """The part of `pynvml` that tells the memory of boards. The handle of a board is its UUID."""

    used_bytes: dict[str, int]
    growth_bytes: int = 0
    looks: int = 0
    NVMLError = NVMLError

    def nvmlInit(self) -> None:  # noqa: N802 - pynvml's name
        pass

    def nvmlShutdown(self) -> None:  # noqa: N802
        pass

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        if uuid not in self.used_bytes:
            raise NVMLError
        return uuid

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> SimpleNamespace:  # noqa: N802
        """Tell what is in use; with each look it is as much more as `growth_bytes` says."""
        self.looks += 1
        self.used_bytes[handle] += self.growth_bytes
        return SimpleNamespace(used=self.used_bytes[handle] - self.growth_bytes)


@pytest.fixture
def boards() -> Boards:
    """Return a board with half a GiB in use."""
    return Boards({"GPU-a": 1 << 29})


@pytest.fixture
def clock() -> Clock:
    """Return a clock that passes only in rests."""
    return GivenClock()


@pytest.fixture
def rests(clock: Clock) -> Callable[..., Rests]:
    """Make the rests of a case on that clock."""
    return lambda method, panel: Rests(method, panel, clock, "case")


@pytest.fixture
def metered() -> Callable[..., tuple[Panel, GivenMeter]]:
    """Make a panel of one meter with the given tier and values."""

    def make(
        tier: Tier = Tier.COUNTER, values_j: list[float | None] | None = None
    ) -> tuple[Panel, GivenMeter]:
        meter = GivenMeter(tier, list(values_j or []))
        return Panel([meter], {"given": Availability(tier=tier, sentence="given")}), meter

    return make


@pytest.fixture
def request_of() -> Callable[..., dict[str, Any]]:
    """Make a request of 7 prompt tokens, as a host tells of it: sent, then tokens at these times.

    Without times it took a second; keywords replace fields.
    """

    def make(sent_s: float, *times_s: float, **fields: Any) -> dict[str, Any]:
        error = fields.get("error")
        plain = {
            "input_tokens": 7,
            "token_ids": [],
            "reported_tokens": None,
            "sent_s": sent_s,
            "token_times_s": list(times_s),
            "done_s": times_s[-1] if times_s else sent_s + 1,
            "batch": None,
            "output_tokens": None if error else len(times_s),
        }
        return asdict(Request(**{**plain, **fields}))

    return make
