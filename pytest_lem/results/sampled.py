"""Figures from the samples that were taken meanwhile."""

from __future__ import annotations

from statistics import fmean

from pytest_lem.results.definitions import METRICS
from pytest_lem.results.pool import Pool
from pytest_lem.results.record import Metric


def sampled_metrics(pool: Pool) -> dict[str, Metric]:
    """Return peak power and utilisation of the devices whose energy is the main figure."""
    return {"power_peak_w": _peak(pool), "gpu_utilisation": _utilisation(pool)}


def _devices(pool: Pool) -> list[str]:
    return sorted({e.device for part in pool.chosen for e in part})


def _peak(pool: Pool) -> Metric:
    """Return the largest sampled power; of several devices, the sum of their largest."""
    definition = METRICS["power_peak_w"]
    peaks = []
    for device in _devices(pool):
        powers = [(r.conditions.power or {}).get(device, {}).get("peak_w") for r in pool.rounds]
        known = [power for power in powers if power is not None]
        if not known:
            return definition.null("no series of power was taken")
        peaks.append(max(known))
    if not peaks:
        return definition.null("no series of power was taken")
    return definition.of(sum(peaks), n=len(pool.rounds), tier=pool.tier, domains=pool.domains)


def _utilisation(pool: Pool) -> Metric:
    definition = METRICS["gpu_utilisation"]
    if not pool.on_gpu:
        return definition.null("the work did not run on a GPU")
    shares = [
        share
        for r in pool.rounds
        for device, share in (r.conditions.utilisation or {}).items()
        if share is not None and device in _devices(pool)
    ]
    if not shares:
        return definition.null("no series of utilisation was taken")
    return definition.of(fmean(shares), n=len(shares))
