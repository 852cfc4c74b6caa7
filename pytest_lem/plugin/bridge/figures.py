"""The figures of a record as pytest-benchmark stores them: single values, units in their names."""

from __future__ import annotations

from typing import Any

from pytest_lem.results.record import Record

#: Their place in `benchmark.extra_info`.
KEY = "energy"


def figures_of(record: Record, run: str) -> dict[str, Any]:
    """Return what `extra_info` has about a call; `u_k2` is the expanded uncertainty.

    `run` is the run that has the whole record. `reason` is why there is no figure, or why the one
    there is is not to be trusted.
    """
    energy = record.metrics["energy_per_call_j"]
    return {
        "energy_per_call_j": energy.value,
        "energy_per_call_u_k2_j": energy.u,
        "tier": energy.tier,
        "call_duration_s": record.metrics["call_duration_s"].value,
        "rounds": len(record.rounds),
        "calls": sum(r.work.calls or 0 for r in record.rounds),
        "status": record.status,
        "validity": record.validity,
        "reason": _reason(record, energy.reason),
        "flags": ", ".join(record.flags),
        "case": record.case.key,
        "run": run,
    }


def _reason(record: Record, why_null: str | None) -> str | None:
    return record.message or why_null or ", ".join(record.reasons) or None
