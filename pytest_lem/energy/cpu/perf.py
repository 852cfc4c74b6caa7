"""RAPL counters as events of perf: `power/energy-pkg/` and `power/energy-ram/`.

The kernel counts in 64 bits, so these counters do not go round (man page perf_event_open(2);
Linux, arch/x86/events/rapl.c).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pytest_lem.energy.cpu.counter import CounterFault
from pytest_lem.energy.cpu.odometer import MAX_POWER_W
from pytest_lem.energy.reading import Domain
from pytest_lem.flags import Reason

SYSFS = Path("/sys")
#: Opens an event by type, configuration and CPU; returns a descriptor or raises OSError.
Opener = Callable[[int, int, int], int]
_DOMAINS = {"energy-pkg": Domain.PACKAGE, "energy-ram": Domain.DRAM}
#: Numbers of the system call on x86-64, the only architecture with RAPL that is known here.
_PERF_EVENT_OPEN = 298
_CLOSE_ON_EXEC = 8
#: perf_event_attr, first version: type, size, configuration; the rest is 0, so it counts at once.
_ATTRIBUTES = struct.Struct("=IIQ48x")
_COUNT = struct.Struct("=Q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event of one package, not opened."""

    domain: Domain
    device: str
    type_id: int
    config: int
    cpu: int
    joules_per_count: float


class OpenEvent:
    """The counter of an opened event, counting from 0."""

    range_uj = 0
    max_power_w = MAX_POWER_W

    def __init__(self, event: Event, descriptor: int) -> None:
        self.domain = event.domain
        self.device = event.device
        self._joules_per_count = event.joules_per_count
        self._descriptor = descriptor

    def read_uj(self) -> int:
        """Return the counter in microjoules; raises CounterFault."""
        try:
            count: int = _COUNT.unpack(os.read(self._descriptor, _COUNT.size))[0]
        except (OSError, struct.error) as error:
            raise CounterFault(
                Reason.METER_SILENT,
                f"the RAPL counter of {self.device} could not be read through perf ({error})",
            ) from error
        return round(count * self._joules_per_count * 1e6)

    def close(self) -> None:
        """Close the event; safe to call again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        # The number may soon be that of another file.
        self._descriptor = -1


def events(sysfs: Path = SYSFS) -> list[Event]:
    """Find the events of all packages; empty where there are none that can be told apart."""
    try:
        return _described(sysfs)
    except (OSError, ValueError):
        return []


def start(found: list[Event], opener: Opener) -> list[OpenEvent]:
    """Open all events; raises CounterFault, with none left open, if one is refused."""
    with ExitStack() as stack:
        opened = []
        for event in found:
            descriptor = _opened(event, opener)
            stack.callback(os.close, descriptor)
            opened.append(OpenEvent(event, descriptor))
        stack.pop_all()
    return opened


def open_event(type_id: int, config: int, cpu: int) -> int:
    """Return the descriptor of an event that counts on one CPU, for all; raises OSError."""
    if platform.machine() != "x86_64":
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    attributes = ctypes.create_string_buffer(_ATTRIBUTES.size)
    _ATTRIBUTES.pack_into(attributes, 0, type_id, _ATTRIBUTES.size, config)
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.argtypes = [ctypes.c_long, ctypes.c_void_p, *[ctypes.c_int] * 3, ctypes.c_ulong]
    syscall.restype = ctypes.c_long
    descriptor: int = syscall(_PERF_EVENT_OPEN, attributes, -1, cpu, -1, _CLOSE_ON_EXEC)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return descriptor


def _opened(event: Event, opener: Opener) -> int:
    try:
        return opener(event.type_id, event.config, event.cpu)
    except PermissionError as error:
        raise CounterFault(
            Reason.NO_PERMISSION,
            "RAPL counters can be read through perf by privileged users only; let an administrator "
            "run `sysctl kernel.perf_event_paranoid=0` or give the interpreter CAP_PERFMON",
        ) from error
    except OSError as error:
        raise CounterFault(
            Reason.METER_SILENT,
            f"the RAPL counter of {event.device} could not be opened through perf "
            f"({error.strerror})",
        ) from error


def _described(sysfs: Path) -> list[Event]:
    unit = sysfs / "bus/event_source/devices/power"
    type_id = int((unit / "type").read_text())
    packages = {cpu: _package(sysfs, cpu) for cpu in _cpus((unit / "cpumask").read_text())}
    # Several CPUs of a package are its dies, which may all show the counter of the package. Here
    # counting starts at 0, so mirrors cannot be told by their values; powercap has to be read.
    if len(set(packages.values())) < len(packages):
        return []
    return [
        Event(
            domain=domain,
            device=f"{domain}-{package}",
            type_id=type_id,
            config=_config((unit / "events" / name).read_text()),
            cpu=cpu,
            joules_per_count=_joules(unit / "events", name),
        )
        for name, domain in _DOMAINS.items()
        if (unit / "events" / name).exists()
        for cpu, package in packages.items()
    ]


def _config(text: str) -> int:
    """Return the configuration from `event=0x02`; raises ValueError."""
    return int(text.strip().removeprefix("event="), 16)


def _joules(folder: Path, name: str) -> float:
    """Return the joules of one count; raises ValueError where they are not joules."""
    if (unit := (folder / f"{name}.unit").read_text().strip()) != "Joules":
        raise ValueError(unit)
    return float((folder / f"{name}.scale").read_text())


def _cpus(mask: str) -> list[int]:
    """Return the CPUs of a list such as `0,18-19`; raises ValueError."""
    cpus: list[int] = []
    for part in mask.strip().split(","):
        first, _, last = part.partition("-")
        cpus += range(int(first), int(last or first) + 1)
    return cpus


def _package(sysfs: Path, cpu: int) -> int:
    topology = sysfs / f"devices/system/cpu/cpu{cpu}/topology"
    return int((topology / "physical_package_id").read_text())
