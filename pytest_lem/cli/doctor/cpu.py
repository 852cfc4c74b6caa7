"""The CPU and its energy counters (RAPL)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_lem.cli.doctor.findings import Row, Section
from pytest_lem.energy.cpu import powercap
from pytest_lem.energy.cpu.counter import CounterFault
from pytest_lem.energy.meter import Availability


def look(machine: dict[str, Any], rapl: Availability | None, root: Path = powercap.ROOT) -> Section:
    """Describe the CPU of a machine and the zones of `root`; `rapl` is what the meter found."""
    zones = [_zone(zone) for zone in powercap.zones(root)]
    facts = {
        "model": machine["cpu"],
        "count_usable": machine["cpu_count_usable"],
        "governor": machine["cpu_governor"],
        "rapl_zones": zones,
    }
    rows = [
        Row("model", f"{facts['model'] or 'unknown'}, {facts['count_usable']} usable CPUs"),
        Row("governor", facts["governor"] or "cannot be read"),
        *(Row(zone["device"], zone["fault"] or f"readable, {zone['path']}") for zone in zones),
    ]
    if not zones:
        rows.append(
            Row(
                "RAPL",
                f"no counters in {root}; virtual machines seldom have any, and on bare metal the "
                "kernel module intel_rapl_msr brings them",
            )
        )
    # Counters that are there, and of which neither way leads to the figures.
    is_locked = rapl is not None and not rapl.is_available and rapl.code is not None
    problems = [rapl.sentence] if rapl and is_locked else []
    return Section(name="cpu", facts=facts, rows=rows, problems=problems)


def _zone(zone: powercap.Zone) -> dict[str, Any]:
    try:
        zone.read_uj()
    except CounterFault as fault:
        return {"device": zone.device, "path": str(zone.path), "fault": str(fault)}
    return {"device": zone.device, "path": str(zone.path), "fault": None}
