"""Sources that a meter can read: a NVML driver and a powercap tree, both set by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest


@dataclass
class Driver:
    """The part of `pynvml` that the meter calls. A board's next reading is the next in its list.

    A reading that is an exception is raised. `sessions` counts open NVML sessions.
    """

    boards: dict[str, list[int | Exception]] = field(default_factory=dict)
    init_error: Exception | None = None
    sessions: int = 0
    reads: list[str] = field(default_factory=list)

    class NVMLError(Exception):
        """What pynvml raises."""

    def nvmlInit(self) -> None:  # noqa: N802 - pynvml's name
        if self.init_error:
            raise self.init_error
        self.sessions += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self._check()
        self.sessions -= 1

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        self._check()
        return len(self.boards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:  # noqa: N802
        self._check()
        return list(self.boards)[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        self._check()
        if uuid not in self.boards:
            raise self.NVMLError("Not Found")
        return uuid

    def nvmlDeviceGetName(self, handle: str) -> str:  # noqa: N802
        return f"Board {handle[-1]}"

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: str) -> int:  # noqa: N802
        self._check()
        self.reads.append(handle)
        reading = self.boards[handle].pop(0)
        if isinstance(reading, Exception):
            raise reading
        return reading

    def _check(self) -> None:
        if self.sessions < 1:
            raise self.NVMLError("Uninitialized")


@pytest.fixture
def driver() -> Callable[..., Driver]:
    """Make a driver from boards: UUID to the readings, in millijoules."""

    def make(**boards: list[int | Exception]) -> Driver:
        return Driver({name.replace("_", "-"): list(readings) for name, readings in boards.items()})

    return make


@pytest.fixture
def powercap(tmp_path: Path) -> SimpleNamespace:
    """Make zones of a powercap tree as the kernel lays them out, and set their counters."""
    root = tmp_path / "powercap"
    root.mkdir()

    def zone(folder: str, name: str, energy_uj: int | None = 0, turn_uj: int = 999_999) -> Path:
        path = root / folder
        path.mkdir(parents=True)
        (path / "name").write_text(f"{name}\n")
        (path / "max_energy_range_uj").write_text(f"{turn_uj}\n")
        if energy_uj is not None:
            (path / "energy_uj").write_text(f"{energy_uj}\n")
        return path

    def count(folder: str, energy_uj: int) -> None:
        (root / folder / "energy_uj").write_text(f"{energy_uj}\n")

    return SimpleNamespace(root=root, zone=zone, count=count)
