"""The machine as the kernel sees it: how busy, how fast, how hot, how full."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pytest_lem.energy.sampling.kernel_file import KernelFile
from pytest_lem.energy.sampling.track import Source

PROC = Path("/proc")
SYSFS = Path("/sys")
#: To tell how busy the machine is, the kernel adds up every CPU and interrupt, which takes some
#: 10 us per CPU. It is asked less often the more there are, so that it takes 0.1 % of one.
_PERIOD_PER_CPU_S = 0.01
#: Some kernels interrupt a CPU to find its frequency, so only the first few are asked.
_FREQUENCIES = 8
_SENSORS = {"coretemp", "k10temp"}
#: The first three lines of /proc/meminfo.
_MEMORY = re.compile(rb"MemTotal: +(\d+) kB\nMemFree: .*\nMemAvailable: +(\d+) kB\n")


class MachineProbe:
    """Facts of the whole machine, whoever uses it. `memory_bytes` is what is not available."""

    device = "machine"
    columns: tuple[str, ...] = ("utilisation", "frequency_mhz", "temperature_c", "memory_bytes")
    source: Source | None = None

    def __init__(self, proc: Path = PROC, sysfs: Path = SYSFS) -> None:
        self._busy = _BusyTime(proc, period_s=_PERIOD_PER_CPU_S * (os.cpu_count() or 1))
        self._memory = KernelFile(proc / "meminfo")
        self._frequencies = _frequency_files(sysfs)
        self._temperatures = _temperature_files(sysfs)

    def read(self, now_s: float) -> list[float | None]:
        """Return the share of busy time, mean frequency, hottest sensor and memory in use."""
        khz = [n for file in self._frequencies if (n := file.number()) is not None]
        hottest_mc = [n for file in self._temperatures if (n := file.number()) is not None]
        return [
            self._busy.share(now_s),
            sum(khz) / len(khz) / 1000 if khz else None,
            max(hottest_mc) / 1000 if hottest_mc else None,
            _used_bytes(self._memory.read()),
        ]


class _BusyTime:
    """The first line of /proc/stat (man page proc_stat(5)), from one reading to the next."""

    def __init__(self, proc: Path, *, period_s: float) -> None:
        self._file = KernelFile(proc / "stat")
        self._period_s = period_s
        self._next_s = -1.0
        self._last: tuple[int, int] | None = None

    def share(self, now_s: float) -> float | None:
        """Return the share of its time that the machine was busy; None between two periods."""
        if now_s < self._next_s:
            return None
        self._next_s = now_s + self._period_s
        before, self._last = self._last, _ticks(self._file.read())
        if before is None or self._last is None:
            return None
        total = self._last[0] - before[0]
        idle = self._last[1] - before[1]
        return round(min(max(1 - idle / total, 0.0), 1.0), 4) if total > 0 else None


def _ticks(text: bytes) -> tuple[int, int] | None:
    """Return all ticks and those without work: idle, or waiting for a disk."""
    if not text.startswith(b"cpu "):
        return None
    # Guests come last, and are counted with their users.
    ticks = [int(field) for field in text.partition(b"\n")[0].split()[1:9]]
    return sum(ticks), sum(ticks[3:5])


def _used_bytes(text: bytes) -> int | None:
    """Return the memory that is not available, from /proc/meminfo (man page proc_meminfo(5))."""
    found = _MEMORY.match(text)
    return (int(found[1]) - int(found[2])) * 1024 if found else None


def _frequency_files(sysfs: Path) -> list[KernelFile]:
    cpus = [sysfs / f"devices/system/cpu/cpu{number}" for number in range(_FREQUENCIES)]
    files = [cpu / "cpufreq/scaling_cur_freq" for cpu in cpus]
    return [KernelFile(file) for file in files if file.exists()]


def _temperature_files(sysfs: Path) -> list[KernelFile]:
    """Find the sensors of the packages; where there are none, their thermal zones."""
    sensors = _named(sysfs / "class/hwmon", "name", _SENSORS)
    zones = _named(sysfs / "class/thermal", "type", {"x86_pkg_temp"})
    files = [folder / "temp1_input" for folder in sensors] or [folder / "temp" for folder in zones]
    return [KernelFile(file) for file in files]


def _named(root: Path, label: str, names: set[str]) -> list[Path]:
    """Return the folders in which a file says one of these names."""
    return [file.parent for file in sorted(root.glob(f"*/{label}")) if _text(file) in names]


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except (OSError, ValueError):
        return ""
