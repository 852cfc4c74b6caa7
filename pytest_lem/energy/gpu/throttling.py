"""What slowed a board down in a window: time counters at its edges, event reasons within it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from pytest_lem.energy.gpu.driver import Driver
from pytest_lem.flags import Reason

#: Fields that add up time, in nanoseconds. NVML documents the unit of 74 and 76 (as those of the
#: event reasons "software power cap" and "sync boost"); 75 and 77 to 79 are of the same family,
#: which nvmlViolationTime_t gives in nanoseconds.
_FIELDS = {
    "power_cap": 74,
    "thermal": 75,
    "sync_boost": 76,
    "board_limit": 77,
    "low_utilisation": 78,
    "reliability": 79,
}
#: Three more, documented in nanoseconds. Their numbers changed after drivers had been released:
#: the bindings of 575.51 and 580.65 have 251 to 253, where those of 570 and of 580.82 and later
#: have settings of power smoothing.
_SLOWDOWNS = ("thermal_software", "thermal_hardware", "power_brake")
_FIRST_DRIVER, _MOVED_DRIVER = (575, 0), (580, 82)
_FIRST_BEFORE, _FIRST_SINCE = 251, 269

#: Bits of the event reasons. NVML's headers name the last two under an older prefix only.
_BITS = {
    0x1: "idle",
    0x2: "application_clocks",
    0x4: "power_cap",
    0x8: "hardware_slowdown",
    0x10: "sync_boost",
    0x20: "thermal_software",
    0x40: "thermal_hardware",
    0x80: "power_brake",
    0x100: "display_clocks",
    0x200: "board_limit",
    0x400: "reliability",
}
#: Those that spoil a window. The software power cap is normal at full load.
_FAULTS = {
    "hardware_slowdown": Reason.HARDWARE_SLOWDOWN,
    "thermal": Reason.THERMAL_SLOWDOWN,
    "thermal_software": Reason.THERMAL_SLOWDOWN,
    "thermal_hardware": Reason.THERMAL_SLOWDOWN,
    "power_brake": Reason.POWER_BRAKE,
    "board_limit": Reason.BOARD_LIMIT,
    "reliability": Reason.RELIABILITY,
}

#: Event reasons that say how a board is set or that it rests, and not that it was slowed down.
_CALM = frozenset({"idle", "application_clocks", "display_clocks"})

#: Nanoseconds by cause since the driver was loaded, None for a counter that cannot be read.
Snapshot = dict[str, int | None]


def snapshot(driver: Driver, handle: Any) -> Snapshot:
    """Return how long a board was slowed down so far, in nanoseconds by cause."""
    numbers = _FIELDS | _slowdown_fields(driver)
    found: Snapshot = dict.fromkeys([*_FIELDS, *_SLOWDOWNS])
    values = driver.fact("nvmlDeviceGetFieldValues", handle, list(numbers.values()))
    for name, value in zip(numbers, values or (), strict=False):
        found[name] = int(value.value.ullVal) if value.nvmlReturn == 0 else None
    return found


@cache
def slowdowns_in(bits: int) -> frozenset[str]:
    """Return what slowed a board down at the moment of a sample of its event reasons."""
    return frozenset(name for bit, name in _BITS.items() if bits & bit and name not in _CALM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttling:
    """What slowed a board down between two snapshots.

    Attributes:
        window_s: time between the snapshots.
        seconds: time by cause, None where it is unknown: a counter that is still 0 says nothing,
            since some boards have it and never move it.
        seen: causes that any sample of the event reasons showed; None without samples.

    """

    window_s: float
    seconds: dict[str, float | None]
    seen: tuple[str, ...] | None

    @classmethod
    def between(
        cls, first: Snapshot, last: Snapshot, *, window_s: float, bits: int | None
    ) -> Throttling:
        """Return what happened between two snapshots; `bits` are those of all samples, joined."""
        names = None if bits is None else tuple(n for bit, n in _BITS.items() if bits & bit)
        seconds = {name: _grown_s(first.get(name), last[name]) for name in last}
        return cls(window_s=window_s, seconds=seconds, seen=names)

    @property
    def shares(self) -> dict[str, float | None]:
        """Return the share of the window by cause, 0 to 1.

        The counters advance in steps, so a little more than the window can fall into it.
        """
        return {
            name: None if s is None else min(1.0, s / self.window_s)
            for name, s in self.seconds.items()
        }

    def reasons(self) -> list[Reason]:
        """Return why the window is not to be trusted.

        Any growth of a counter and any sample counts: even a short slow-down changes the work.
        """
        happened = {*(n for n, s in self.seconds.items() if s), *(self.seen or ())}
        return list(dict.fromkeys(reason for n, reason in _FAULTS.items() if n in happened))

    def plain(self) -> dict[str, Any]:
        """Return it for the record, as plain JSON."""
        return {
            "seconds": dict(self.seconds),
            "power_cap_share": self.shares.get("power_cap"),
            "seen": None if self.seen is None else list(self.seen),
        }


def _slowdown_fields(driver: Driver) -> dict[str, int]:
    version = str(driver.fact("nvmlSystemGetDriverVersion")).split(".")
    numbers = tuple(int(part) for part in version[:2] if part.isdigit())
    if len(numbers) < 2 or numbers < _FIRST_DRIVER:  # noqa: PLR2004 - branch and release
        return {}
    first = _FIRST_BEFORE if numbers < _MOVED_DRIVER else _FIRST_SINCE
    return {name: first + i for i, name in enumerate(_SLOWDOWNS)}


def _grown_s(first_ns: int | None, last_ns: int | None) -> float | None:
    if first_ns is None or not last_ns or last_ns < first_ns:
        return None
    return (last_ns - first_ns) / 1e9
