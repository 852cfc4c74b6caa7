"""Does the energy counter agree with the power that was sampled meanwhile?"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_lem.energy.reading import Domain, Energy
from pytest_lem.energy.sampling.integral import integral_j
from pytest_lem.energy.sampling.series import Series

#: Shorter windows are not judged: samples of a mean over a second say too little about them.
SHORTEST_S = 10.0
#: The most by which both may differ, as a share of the counter's figure.
TOLERANCE = 0.05


def wait_s(series: Series, uuids: Sequence[str]) -> float:
    """Return how long after a window the samples of its end come in."""
    averages = [_averaging_s(series, uuid) or 0.0 for uuid in uuids]
    return max(averages, default=0.0) + 2 * series.interval_s


def disagreeing(
    energies: Sequence[Energy], series: Series, start_s: float, end_s: float
) -> list[str]:
    """Return the boards on which both ways differ; what cannot be compared does not."""
    boards = [e for e in energies if e.domain is Domain.GPU and e.value_j is not None]
    return [e.device for e in boards if _differs(e, series, start_s, end_s)]


def _differs(energy: Energy, series: Series, start_s: float, end_s: float) -> bool:
    averaging_s = _averaging_s(series, energy.device)
    if averaging_s is None or energy.value_j is None:
        return False
    sampled_j = _sampled_j(series, energy.device, start_s, end_s, averaging_s)
    return sampled_j is not None and abs(sampled_j - energy.value_j) > TOLERANCE * energy.value_j


def _sampled_j(
    series: Series, device: str, start_s: float, end_s: float, averaging_s: float
) -> float | None:
    """Return the energy of a window from means over `averaging_s`.

    Each mean reaches back, so the samples from the start to `averaging_s` after the end hold all
    of the window, and half of the power at rest for `averaging_s` at either side of it, which the
    samples at both ends show.
    """
    whole_j = integral_j(series, device, start_s, end_s + averaging_s, 0.0)
    before_w = series.last(device, "power_w", start_s - 3 * series.interval_s, start_s)
    after_w = series.first(device, "power_w", end_s + averaging_s)
    if whole_j is None or before_w is None or after_w is None:
        return None
    return whole_j - averaging_s / 2 * (before_w + after_w)


def _averaging_s(series: Series, device: str) -> float | None:
    source = series.source(device)
    return source.averaging_s if source else None
