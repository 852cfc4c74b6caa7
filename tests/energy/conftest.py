"""A made world: a clock that only passes when told, a load, a counter that ticks; and the sources
that meters read: a NVML driver over such counters, and a powercap tree.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_lem.energy.fault import Fault


@dataclass
class GivenClock:
    """A clock that a test moves."""

    time_s: float = 100.0

    def now(self) -> float:
        return self.time_s

    def sleep(self, duration_s: float) -> None:
        self.time_s += max(0.0, duration_s)


@dataclass
class Load:
    """Power over time: rest, then from `start_s` the pieces over and over, then a fall to rest.

    Pieces are seconds and watts. The fall begins `left_w` above rest and decays with `decay_s`.
    """

    rest_w: float
    pieces: list[tuple[float, float]]
    left_w: float = 0.0
    decay_s: float = 0.01
    start_s: float = math.inf
    end_s: float = math.inf

    def energy_j(self, time_s: float) -> float:
        """Return the joules used from 0 to `time_s`."""
        if time_s <= self.start_s:
            return self.rest_w * time_s
        worked_j = self._worked_j(min(time_s, self.end_s) - self.start_s)
        rested_s = max(0.0, time_s - self.end_s)
        fallen_j = self.left_w * self.decay_s * (1 - math.exp(-rested_s / self.decay_s))
        return self.rest_w * (self.start_s + rested_s) + worked_j + fallen_j

    def _worked_j(self, duration_s: float) -> float:
        turn_s = sum(seconds for seconds, _ in self.pieces)
        turns, left_s = divmod(duration_s, turn_s)
        energy_j = turns * sum(seconds * watts for seconds, watts in self.pieces)
        for seconds, watts in self.pieces:
            energy_j += min(seconds, max(left_s, 0.0)) * watts
            left_s -= seconds
        return energy_j


@dataclass
class TickingCounter:
    """A counter of a load in whole millijoules that advances at its ticks alone.

    `disturbed_j` is added at each reading, `fails_after` the number of readings that succeed.
    """

    clock: GivenClock
    load: Load
    tick_s: float = 0.1
    phase_s: float = 0.03
    gain: float = 1.0
    disturbed_j: float = 0.0
    fails_after: float = math.inf
    fault: Fault | None = None
    rng: Random = field(default_factory=lambda: Random(1))
    reads: int = 0

    def __call__(self) -> float:
        self.clock.sleep(self.rng.uniform(2e-5, 2e-4))
        if self.fault and self.reads >= self.fails_after:
            raise self.fault
        ticks = math.floor((self.clock.now() - self.phase_s) / self.tick_s)
        energy_j = self.gain * self.load.energy_j(self.phase_s + ticks * self.tick_s)
        energy_j += self.reads * self.disturbed_j
        self.reads += 1
        self.clock.sleep(self.rng.uniform(1e-5, 1e-4))
        return math.floor(energy_j * 1000) / 1000


@pytest.fixture
def clock() -> GivenClock:
    """Return a clock that stands at 100 s."""
    return GivenClock()


@pytest.fixture
def counter(clock: GivenClock) -> Callable[..., TickingCounter]:
    """Make a counter of a load that rests at 70 W and works at 500 W."""

    def make(load: Load | None = None, **fields: object) -> TickingCounter:
        return TickingCounter(clock, load or Load(70.0, [(1.0, 500.0)]), **fields)

    return make


@pytest.fixture
def loads() -> type[Load]:
    """Return the class of loads."""
    return Load


@dataclass
class Driver:
    """The part of `pynvml` that the meter calls, over counters that return joules or raise.

    `answers` replaces what a function returns; an exception in it is raised. `sessions` counts
    open NVML sessions.
    """

    boards: dict[str, Callable[[], float]] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    sessions: int = 0
    reads: list[str] = field(default_factory=list)

    class NVMLError(Exception):
        """What pynvml raises, with its code."""

        def __init__(self, value: int) -> None:
            super().__init__(f"error {value}")
            self.value = value

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if not name.startswith("nvml"):
            raise AttributeError(name)
        return lambda *arguments: self._answer(name, arguments)

    def _answer(self, name: str, arguments: tuple[Any, ...]) -> Any:
        if self.sessions < 1 and name != "nvmlInit":
            raise self.NVMLError(1)
        if name in self.answers:
            answer = self.answers[name]
            if isinstance(answer, Exception):
                raise answer
            return answer
        known = getattr(self, f"_{name}", None)
        if known is None:
            raise self.NVMLError(3)
        return known(*arguments)

    def _nvmlInit(self) -> None:  # noqa: N802 - pynvml's names
        self.sessions += 1

    def _nvmlShutdown(self) -> None:  # noqa: N802
        self.sessions -= 1

    def _nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.boards)

    def _nvmlDeviceGetHandleByIndex(self, index: int) -> str:  # noqa: N802
        return list(self.boards)[index]

    def _nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        if uuid not in self.boards:
            raise self.NVMLError(6)
        return uuid

    def _nvmlDeviceGetUUID(self, handle: str) -> str:  # noqa: N802
        return handle

    def _nvmlDeviceGetName(self, handle: str) -> str:  # noqa: N802
        return f"Board {handle[-1]}"

    def _nvmlDeviceGetEnforcedPowerLimit(self, handle: str) -> int:  # noqa: N802
        return 700_000

    def _nvmlDeviceGetTotalEnergyConsumption(self, handle: str) -> int:  # noqa: N802
        self.reads.append(handle)
        return round(self.boards[handle]() * 1000)


@pytest.fixture
def driver() -> Callable[..., Driver]:
    """Make a driver from boards: UUID to the counter, in joules."""

    def make(**boards: Callable[[], float]) -> Driver:
        return Driver({name.replace("_", "-"): counter for name, counter in boards.items()})

    return make


@pytest.fixture
def powercap(tmp_path: Path) -> SimpleNamespace:
    """Make zones of a powercap tree as the kernel lays them out, and set their counters."""
    root = tmp_path / "class" / "powercap"
    root.mkdir(parents=True)

    def zone(
        folder: str, name: str, energy_uj: int | None = 0, turn_uj: int = 262_143_328_850
    ) -> Path:
        path = root / folder
        path.mkdir(parents=True)
        (path / "name").write_text(f"{name}\n")
        (path / "max_energy_range_uj").write_text(f"{turn_uj}\n")
        if energy_uj is not None:
            (path / "energy_uj").write_text(f"{energy_uj}\n")
        return path

    def count(folder: str, energy_uj: int) -> None:
        (root / folder / "energy_uj").write_text(f"{energy_uj}\n")

    def perf(packages: dict[int, int], **events: str) -> None:
        """Give perf events, and the package of each CPU in its mask."""
        unit = tmp_path / "bus/event_source/devices/power"
        (unit / "events").mkdir(parents=True)
        (unit / "type").write_text("9\n")
        (unit / "cpumask").write_text(",".join(map(str, packages)) + "\n")
        for name, event in events.items():
            stem = unit / "events" / name.replace("_", "-")
            stem.write_text(f"{event}\n")
            stem.with_suffix(".scale").write_text("2.3283064365386962890625e-10\n")
            stem.with_suffix(".unit").write_text("Joules\n")
        for cpu, package in packages.items():
            topology = tmp_path / f"devices/system/cpu/cpu{cpu}/topology"
            topology.mkdir(parents=True)
            (topology / "physical_package_id").write_text(f"{package}\n")

    return SimpleNamespace(root=root, sysfs=tmp_path, zone=zone, count=count, perf=perf)
