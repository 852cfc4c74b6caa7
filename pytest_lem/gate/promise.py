"""The promise: which change a gate undertakes to find."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from pytest_lem.errors import config_error
from pytest_lem.gate.rule import Rule

#: The change that is promised where nobody says, as a share.
DEFAULT_PROMISE = 0.10


def promise_of(
    percent: float | None, rules: Sequence[Rule], origin: str, *, default: float = DEFAULT_PROMISE
) -> float:
    """Return the promise as a share; raises LemError for one that no gate could keep."""
    if percent is None:
        return default
    if not (isfinite(percent) and percent > 0):
        raise config_error(f"{origin} {percent:g}: a promise is a change in per cent, above 0")
    largest = max(rules, key=lambda rule: rule.theta)
    if percent / 100 < 2 * largest.theta:
        raise config_error(
            f"{origin} {percent:g}: no gate can undertake to find less than twice what it allows, "
            f"and {largest} allows {100 * largest.theta:g} %"
        )
    return percent / 100
