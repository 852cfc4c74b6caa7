"""Figures from the samples that were taken meanwhile."""

from __future__ import annotations

from pytest_lem.energy.reading import Tier
from pytest_lem.results.definitions import METRICS
from pytest_lem.results.pool import Pool
from pytest_lem.results.record import Metric
from pytest_lem.results.statistics import ratio


def sampled_metrics(pool: Pool) -> dict[str, Metric]:
    """Return peaks and utilisation of the devices whose energy is the main figure."""
    return {
        "power_peak_w": _peak(pool),
        "peak_board_memory_bytes": _memory_peak(pool),
        "mean_board_memory_bytes": _memory_mean(pool),
        "gpu_utilisation": _utilisation(pool),
    }


def _devices(pool: Pool) -> list[str]:
    return sorted({e.device for part in pool.chosen for e in part})


def _peak(pool: Pool) -> Metric:
    """Return the largest sampled power; of several devices, the sum of their largest.

    It is sampled power also where the energy of the windows comes from counters.
    """
    definition = METRICS["power_peak_w"]
    known = [_known_peaks(pool, device) for device in _devices(pool)]
    if not known or not all(known):
        return definition.null("no series of power was taken")
    return definition.of(
        sum(max(peaks) for peaks in known),
        n=min(len(peaks) for peaks in known),
        tier=Tier.POWER,
        domains=pool.domains,
    )


def _known_peaks(pool: Pool, device: str) -> list[float]:
    """Return the peak of each round in which the power of a device was sampled."""
    peaks = [(r.conditions.power or {}).get(device, {}).get("peak_w") for r in pool.rounds]
    return [peak for peak in peaks if peak is not None]


def _memory_peak(pool: Pool) -> Metric:
    """Return the most memory in use; of several boards, the sum of their largest."""
    definition = METRICS["peak_board_memory_bytes"]
    if not pool.on_gpu:
        return definition.null("the work did not run on a GPU")
    known = [
        [b for r in pool.rounds if (b := (r.conditions.memory or {}).get(device)) is not None]
        for device in _devices(pool)
    ]
    if not known or not all(known):
        return definition.null("no series of memory was taken")
    return definition.of(sum(map(max, known)), n=min(map(len, known)))


def _memory_mean(pool: Pool) -> Metric:
    """Return the mean over the time of all windows; of several boards, the sum of their means."""
    definition = METRICS["mean_board_memory_bytes"]
    if not pool.on_gpu:
        return definition.null("the work did not run on a GPU")
    known = [
        [
            (mean * r.window_s, r.window_s)
            for r in pool.rounds
            if (mean := (r.conditions.mean_memory or {}).get(device)) is not None
        ]
        for device in _devices(pool)
    ]
    if not known or not all(known):
        return definition.null("no series of memory was taken")
    means = [ratio(*zip(*windows, strict=True)) for windows in known]
    return definition.of(sum(means), n=min(map(len, known)))


def _utilisation(pool: Pool) -> Metric:
    """Return the share of the time of all windows, in which long windows weigh more."""
    definition = METRICS["gpu_utilisation"]
    if not pool.on_gpu:
        return definition.null("the work did not run on a GPU")
    devices = _devices(pool)
    known = [
        (share * r.window_s, r.window_s, r.seq)
        for r in pool.rounds
        for device, share in (r.conditions.utilisation or {}).items()
        if share is not None and device in devices
    ]
    if not known:
        return definition.null("no series of utilisation was taken")
    busy_s, windows_s, rounds = zip(*known, strict=True)
    return definition.of(ratio(busy_s, windows_s), n=len(set(rounds)))
