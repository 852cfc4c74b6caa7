"""What samples say about a window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from pytest_lem.energy.conditions import Conditions
from pytest_lem.energy.gpu.guard import Seen
from pytest_lem.energy.gpu.processes import Tenant
from pytest_lem.energy.sampling.series import Series

_Facts = dict[str, dict[str, float | None]]


def conditions_of(
    series: Series, devices: Iterable[str], start_s: float, end_s: float
) -> Conditions:
    """Return the conditions of the devices between two times; a fact nobody sampled is left out."""
    names = list(devices)
    return Conditions(
        power=_facts(names, lambda d: _power(series, d, start_s, end_s)),
        clocks=_facts(names, lambda d: _clocks(series, d, start_s, end_s)),
        temperatures=_facts(names, lambda d: _temperatures(series, d, start_s, end_s)),
        utilisation=_each(names, lambda d: series.mean(d, "utilisation", start_s, end_s)),
        memory=_each(names, lambda d: series.maximum(d, "memory_bytes", start_s, end_s)),
        mean_memory=_each(names, lambda d: series.mean(d, "memory_bytes", start_s, end_s)),
    )


def power_w(series: Series, devices: Sequence[str], start_s: float, end_s: float) -> float | None:
    """Return the mean power of all devices together, in watts.

    None where that of one is not known. The machine is left out, whose packages have the power.
    """
    without = {name for name, track in series.tracks.items() if "power_w" not in track.columns}
    powers_w = [
        series.mean(device, "power_w", start_s, end_s)
        for device in devices
        if device not in without
    ]
    known_w = [watts for watts in powers_w if watts is not None]
    return sum(known_w) if known_w and len(known_w) == len(powers_w) else None


def hottest_c(series: Series, devices: Sequence[str], start_s: float, end_s: float) -> float | None:
    """Return the last temperature of the hottest device; None where none is known."""
    found = [series.last(device, "temperature_c", start_s, end_s) for device in devices]
    return max((celsius for celsius in found if celsius is not None), default=None)


def seen_of(series: Series, uuids: Iterable[str], start_s: float, end_s: float) -> dict[str, Seen]:
    """Return what was seen of boards between two times."""
    return {uuid: _seen(series, uuid, start_s, end_s) for uuid in uuids}


def _seen(series: Series, uuid: str, start_s: float, end_s: float) -> Seen:
    _, values = series.column(uuid, "throttle_bits", start_s, end_s)
    bits = None
    for value in values:
        bits = (bits or 0) | int(value)
    looks = [s for s in series.looks if s.device == uuid and start_s <= s.time_s <= end_s]
    return Seen(bits, frozenset(Tenant(pid, look.kind) for look in looks for pid in look.pids))


def _facts(
    devices: Sequence[str], facts_of: Callable[[str], dict[str, float | None]]
) -> _Facts | None:
    found = {device: facts_of(device) for device in devices}
    known = {d: f for d, f in found.items() if any(v is not None for v in f.values())}
    return known or None


def _each(
    devices: Sequence[str], fact_of: Callable[[str], float | None]
) -> dict[str, float | None] | None:
    found = {device: fact_of(device) for device in devices}
    return {device: fact for device, fact in found.items() if fact is not None} or None


def _power(series: Series, device: str, start_s: float, end_s: float) -> dict[str, float | None]:
    return {
        "mean_w": series.mean(device, "power_w", start_s, end_s),
        "peak_w": series.maximum(device, "power_w", start_s, end_s),
    }


def _clocks(series: Series, device: str, start_s: float, end_s: float) -> dict[str, float | None]:
    names = {"sm_mhz": "sm_clock_mhz", "memory_mhz": "memory_clock_mhz", "mhz": "frequency_mhz"}
    means = {key: series.mean(device, name, start_s, end_s) for key, name in names.items()}
    return {key: mean for key, mean in means.items() if mean is not None}


def _temperatures(
    series: Series, device: str, start_s: float, end_s: float
) -> dict[str, float | None]:
    return {
        "start_c": series.first(device, "temperature_c", start_s, end_s),
        "end_c": series.last(device, "temperature_c", start_s, end_s),
        "max_c": series.maximum(device, "temperature_c", start_s, end_s),
    }
