"""The sampling process: reads the devices again and again, and says what it found when asked.

It is a process of its own so that nothing which holds up the measured one, or its parent, holds up
the samples. It keeps them until it is asked, so that nobody has to listen during a window. It ends
with its parent, however that ends.

It speaks in lines of JSON. First it says what it samples and what it cannot, as answer 0. To each
`{"take": N, "at_least": M}` it says its new samples, a list each, and then `{"taken": N}`.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from math import floor
from pathlib import Path
from typing import Any

from pytest_lem.energy.cpu.counter import CounterFault
from pytest_lem.energy.cpu.powercap import distinct, zones
from pytest_lem.energy.gpu.driver import Driver, DriverFault
from pytest_lem.energy.sampling.board_probe import BoardProbe
from pytest_lem.energy.sampling.machine_probe import MachineProbe
from pytest_lem.energy.sampling.pipes import Pipes
from pytest_lem.energy.sampling.probe import Probe
from pytest_lem.energy.sampling.zone_probe import ZoneProbe

#: How often it is checked that the parent lives, as its forks may hold the pipes open.
_PARENT_CHECK_S = 1.0


class Sampling:
    """Takes samples at t0, t0 + interval and so on; what is missed is not made up for."""

    def __init__(
        self,
        probes: Sequence[Probe],
        boards: Sequence[BoardProbe],
        pipes: Pipes,
        *,
        interval_s: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._probes = probes
        self._boards = boards
        self._pipes = pipes
        self._interval_s = interval_s
        self._now = now
        self._start_s = now()
        self._next = 0
        self._samples: list[Any] = []
        self._order: dict[str, int] | None = None

    def run_while(self, is_wanted: Callable[[], bool]) -> None:
        """Sample and answer until nobody wants it, or the other side of the pipes is gone."""
        while is_wanted() and not self._pipes.is_closed:
            if self._left_s() <= 0:
                self._sample()
            for line in self._pipes.wait(min(self._left_s(), _PARENT_CHECK_S)):
                self._order = json.loads(line)
            self._answer()

    def _left_s(self) -> float:
        """Return the time until the next sample is due."""
        return self._start_s + self._next * self._interval_s - self._now()

    def _sample(self) -> None:
        rows = [self._row(probe) for probe in self._probes]
        now_s = self._now()
        looks = [
            [round(now_s, 6), board.device, kind, pids]
            for board in self._boards
            for kind, pids in board.processes(now_s).items()
        ]
        self._samples.append((rows, looks))
        passed = floor((self._now() - self._start_s) / self._interval_s)
        self._next = max(self._next, passed) + 1

    def _row(self, probe: Probe) -> list[float | None]:
        now_s = self._now()
        return [round(now_s, 6), *probe.read(now_s)]

    def _answer(self) -> None:
        """Say what is new, once there are as many samples as were asked for."""
        order = self._order
        if order is None or len(self._samples) < order["at_least"]:
            return
        said = [*self._samples, {"taken": order["take"]}]
        self._pipes.say("\n".join(json.dumps(one, separators=(",", ":")) for one in said))
        self._samples = []
        self._order = None


def open_boards(uuids: list[str], faults: dict[str, str]) -> list[BoardProbe]:
    """Find the boards; write into `faults` why one is not there."""
    if not uuids:
        return []
    driver = Driver()
    boards = []
    for uuid in uuids:
        try:
            driver.open()
            boards.append(BoardProbe(driver, uuid))
        except DriverFault as fault:
            faults[uuid] = str(fault)
    return boards


def open_zones(root: Path, interval_s: float, faults: dict[str, str]) -> list[ZoneProbe]:
    """Find the RAPL zones; write into `faults` why they cannot be read."""
    found = zones(root)
    try:
        return [ZoneProbe(zone, interval_s) for zone in distinct(found, time.sleep)]
    except CounterFault as fault:
        faults.update({zone.device: str(fault) for zone in found})
        return []


def main(settings: dict[str, Any], pipes: Pipes) -> None:
    """Sample until the parent is gone or closes its pipe."""
    sysfs = Path(settings["sysfs"])
    interval_s = settings["interval_s"]
    faults: dict[str, str] = {}
    boards = open_boards(settings["uuids"], faults)
    rapl = open_zones(sysfs / "class/powercap", interval_s, faults)
    probes: list[Probe] = [MachineProbe(Path(settings["proc"]), sysfs), *rapl, *boards]
    devices = {
        probe.device: {
            "names": probe.columns,
            "source": asdict(probe.source) if probe.source else None,
        }
        for probe in probes
    }
    pipes.say(json.dumps({"taken": 0, "devices": devices, "faults": faults}))
    gc.freeze()  # what is there stays, so that collecting garbage has nothing to look through
    sampling = Sampling(probes, boards, pipes, interval_s=interval_s)
    sampling.run_while(lambda: os.getppid() == settings["parent_pid"])


if __name__ == "__main__":
    outbox = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    main(json.loads(sys.argv[1]), Pipes(sys.stdin.fileno(), outbox))
