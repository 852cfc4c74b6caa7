"""When samples are taken, and what is said about them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_lem.energy.sampling.child import Sampling, open_boards, open_zones


class World:
    """A clock that only waiting moves, one device and the other side of the pipes."""

    device = "machine"
    columns: tuple[str, ...] = ("temperature_c",)
    source = None

    def __init__(self) -> None:
        self.now_s = 50.0
        self.read_s: dict[int, float] = {}
        self.orders: dict[int, dict[str, int]] = {}
        self.said: list[Any] = []
        self.is_closed = False
        self.waits = 0
        self._reads = 0

    def now(self) -> float:
        return self.now_s

    def read(self, now_s: float) -> list[float | None]:
        """Take as long as is written for this reading."""
        self.now_s += self.read_s.get(self._reads, 0)
        self._reads += 1
        return [self._reads]

    def wait(self, timeout_s: float) -> list[bytes]:
        """Let the time pass, and give the order that is written for this turn."""
        self.now_s += max(timeout_s, 0)
        self.waits += 1
        order = self.orders.get(self.waits)
        return [json.dumps(order).encode()] if order else []

    def say(self, text: str) -> None:
        self.said += map(json.loads, text.split("\n"))

    def run(self, turns: int, interval_s: float = 0.1, boards: Sequence[Any] = ()) -> None:
        """Sample for so many turns."""
        sampling = Sampling([self], boards, self, interval_s=interval_s, now=self.now)
        sampling.run_while(lambda: self.waits < turns)

    @property
    def times_s(self) -> list[float]:
        """Return the times of the samples that were said, from the start on."""
        return [round(one[0][0][0] - 50, 6) for one in self.said if isinstance(one, list)]


@pytest.fixture
def world() -> World:
    """Return a world in which nothing has happened."""
    return World()


def test_samples_follow_the_clock(world: World) -> None:
    """The k-th one is due at the start and k intervals; what reading takes does not add up."""
    world.read_s = dict.fromkeys(range(100), 0.03)
    world.orders[5] = {"take": 1, "at_least": 0}
    world.run(5)
    assert world.times_s == [0, 0.1, 0.2, 0.3, 0.4]


def test_missed_samples_are_not_made_up_for(world: World) -> None:
    """After a reading that took long, the next one is taken when one would be due anyway."""
    world.read_s[1] = 0.25
    world.orders[4] = {"take": 1, "at_least": 0}
    world.run(4)
    assert world.times_s == [0, 0.1, 0.4, 0.5]


def test_nothing_is_said_until_it_is_asked_for(world: World) -> None:
    """Then all is said once, and marked with the number of the request."""
    world.run(3)
    assert world.said == []
    world.waits = 0
    world.orders = {2: {"take": 7, "at_least": 0}, 3: {"take": 8, "at_least": 0}}
    world.run(3)
    assert [one for one in world.said if isinstance(one, dict)] == [{"taken": 7}, {"taken": 8}]
    assert len(world.times_s) == len(set(world.times_s)) == 3


def test_an_answer_waits_for_enough_samples(world: World) -> None:
    """It comes with the sample that makes them enough."""
    world.orders[1] = {"take": 1, "at_least": 3}
    world.run(2)
    assert world.said == []
    world.waits = 0
    world.run(3)
    assert len(world.times_s) == 3
    assert world.said[-1] == {"taken": 1}


def test_it_ends_when_the_other_side_is_gone(world: World) -> None:
    """Also when nothing else would end it."""
    world.is_closed = True
    world.run(10**9)
    assert world.waits == 0


def test_its_parent_is_looked_for_once_a_second(world: World) -> None:
    """A long interval does not keep a process without a parent."""
    world.run(10, interval_s=60)
    assert world.now_s == pytest.approx(60)


def test_processes_come_with_their_sample(world: World) -> None:
    """Each kind is told with its time and its board."""
    board = SimpleNamespace(device="GPU-a", processes={50.0: {"compute": [7], "mps": []}}.get)
    world.orders[1] = {"take": 1, "at_least": 0}
    world.run(1, boards=[board])
    assert world.said[0][1] == [[50.0, "GPU-a", "compute", [7]], [50.0, "GPU-a", "mps", []]]


def test_zones_that_cannot_be_read_say_why(powercap: SimpleNamespace) -> None:
    """One that is unreadable would make a sum of all worthless."""
    powercap.zone("intel-rapl:0", "package-0", 5)
    hidden = powercap.zone("intel-rapl:1", "package-1", None)
    faults: dict[str, str] = {}
    assert open_zones(powercap.root, 0.1, faults) == []
    assert set(faults) == {"package-0", "package-1"}
    assert all(f"the RAPL counter {hidden}" in sentence for sentence in faults.values())


def test_zones_that_can_be_read_are_sampled(powercap: SimpleNamespace) -> None:
    """Those that are in the figures of the meter, and no others."""
    powercap.zone("intel-rapl:0", "package-0", 5)
    powercap.zone("intel-rapl:1", "psys", 5)
    powercap.zone("intel-rapl:0:0", "dram", 5)
    faults: dict[str, str] = {}
    found = open_zones(powercap.root, 0.1, faults)
    assert [zone.device for zone in found] == ["package-0", "dram-0"]
    assert faults == {}


def test_without_boards_no_driver_is_asked() -> None:
    """Work on the CPU needs none, and a machine without GPUs has no fault."""
    faults: dict[str, str] = {}
    assert open_boards([], faults) == []
    assert faults == {}


def test_it_imports_little() -> None:
    """What it does not need would cost memory and time beside what is measured."""
    script = "import sys, pytest_lem.energy.sampling.child; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    tops = {name.partition(".")[0] for name in done.stdout.split()}
    assert "json" in tops
    assert not tops & {"numpy", "psutil", "pydantic", "pynvml", "pytest", "rich", "filelock"}
