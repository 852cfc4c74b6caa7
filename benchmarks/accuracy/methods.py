"""Four ways to measure the energy of a stretch of work on one board."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

import pynvml

from pytest_lem.energy.meter import Scope
from pytest_lem.energy.nvml import NvmlMeter

#: Time between two samples of the power, as monitoring tools take them.
SAMPLE_S = 0.1


class Method(Protocol):
    """Measures the work done in a call, in joules; the second figure is its own claim (k = 2)."""

    def __call__(self, work: Callable[[], tuple[float, float]]) -> tuple[float, float | None]:
        """Do the work, which returns when it began and ended, and return what it used."""


class Ours:
    """Windows between ticks, with idle padding."""

    def __init__(self, index: int) -> None:
        self._meter = NvmlMeter()
        self._meter.open(Scope(pids=(), gpu_uuids=(_uuid(index),)))

    def __call__(self, work: Callable[[], tuple[float, float]]) -> tuple[float, float | None]:
        edge = self._meter.begin()
        start_s, end_s = work()
        (energy,) = self._meter.end(edge, start_s, end_s)
        assert energy.value_j is not None
        assert energy.u_random_j is not None
        return energy.value_j, 2 * energy.u_random_j


class Edges:
    """The counter, read before and after."""

    def __init__(self, index: int) -> None:
        self._handle = pynvml.nvmlDeviceGetHandleByIndex(index)

    def __call__(self, work: Callable[[], tuple[float, float]]) -> tuple[float, float | None]:
        first_mj = pynvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)
        work()
        last_mj = pynvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)
        return (last_mj - first_mj) / 1000, None


class Polling:
    """The power that `nvidia-smi` shows, sampled every 100 ms and integrated over the window."""

    def __init__(self, index: int) -> None:
        self._handle = pynvml.nvmlDeviceGetHandleByIndex(index)

    def __call__(self, work: Callable[[], tuple[float, float]]) -> tuple[float, float | None]:
        samples: list[tuple[float, float]] = []
        is_over = threading.Event()
        thread = threading.Thread(target=self._sample, args=(samples, is_over))
        thread.start()
        start_s, end_s = work()
        is_over.set()
        thread.join()
        mean_w = sum(power_w for _, power_w in samples) / len(samples)
        return mean_w * (end_s - start_s), None

    def _sample(self, samples: list[tuple[float, float]], is_over: threading.Event) -> None:
        while True:
            power_w = pynvml.nvmlDeviceGetPowerUsage(self._handle) / 1000
            samples.append((time.monotonic(), power_w))
            if is_over.wait(SAMPLE_S):
                return


class Zeus:
    """`ZeusMonitor.begin_window` and `end_window` of the package zeus."""

    def __init__(self, index: int) -> None:
        from zeus.monitor import ZeusMonitor

        self._index = index
        self._monitor = ZeusMonitor(gpu_indices=[index], cpu_indices=[])

    def __call__(self, work: Callable[[], tuple[float, float]]) -> tuple[float, float | None]:
        self._monitor.begin_window("work", sync_execution=False)
        work()
        found = self._monitor.end_window("work", sync_execution=False)
        return float(found.gpu_energy[self._index]), None


METHODS: dict[str, Callable[[int], Method]] = {
    "pytest-lem": Ours,
    "counter at both edges": Edges,
    "ZeusMonitor": Zeus,
    "power every 100 ms": Polling,
}


def _uuid(index: int) -> str:
    return str(pynvml.nvmlDeviceGetUUID(pynvml.nvmlDeviceGetHandleByIndex(index)))
