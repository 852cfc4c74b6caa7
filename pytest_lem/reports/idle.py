"""How much of its power a device draws without work, as a bar."""

from __future__ import annotations

from pytest_lem.energy.reading import Tier
from pytest_lem.reports.figures import ESTIMATE_MARK, UNKNOWN
from pytest_lem.results.record import Record

_BLOCKS = 5
_FULL, _EMPTY = "█", "░"


def idle_cell(record: Record) -> str:
    """Return power at rest over mean power: `██░░░  42 %`; of an estimate the number alone.

    A bar looks certain, so it is drawn of measurements only.
    """
    rest, mean = (record.metrics.get(name) for name in ("power_idle_w", "power_mean_w"))
    if rest is None or mean is None or rest.value is None or not mean.value:
        return UNKNOWN
    share = rest.value / mean.value
    if Tier.ESTIMATED in {rest.tier, mean.tier} or record.origin == "simulated":
        return f"{ESTIMATE_MARK}{share:.0%}".replace("%", " %")
    return f"{_bar(share)} {100 * share:>3.0f} %"


def _bar(share: float) -> str:
    blocks = min(_BLOCKS, max(0, round(_BLOCKS * share)))
    return _FULL * blocks + _EMPTY * (_BLOCKS - blocks)
