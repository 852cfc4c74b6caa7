"""The tier that energy has to be of, where one is required."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_lem.energy.reading import TIERS, Tier

if TYPE_CHECKING:
    from pytest_lem.results.record import Metric, Record


def energy_of(record: Record) -> Metric:
    """Return the energy that every case of its kind has, or says why not."""
    is_call = record.case.kind == "call"
    return record.metrics["energy_per_call_j" if is_call else "energy_per_request_j"]


def tier_breach(record: Record, required: str | None) -> str | None:
    """Return a sentence if the energy of a case is unknown or of a worse tier than required."""
    if required is None:
        return None
    if record.origin == "simulated":
        return (
            f"energy of tier `{required}` is required, and it is simulated; take another "
            "--lem-meter, or the requirement out"
        )
    metric = energy_of(record)
    if metric.value is None or metric.tier is None:
        return f"energy of tier `{required}` is required, and it is unknown: {metric.reason}"
    if TIERS.index(Tier(metric.tier)) > TIERS.index(Tier(required)):
        return (
            f"energy is of tier `{metric.tier}`, and `{required}` is required; `lem doctor` says "
            "what can be measured here"
        )
    return None
