"""Under which conditions a window was measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pytest_lem.energy.reading import Energy
from pytest_lem.flags import Flag, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What the devices did in a window, by device; None for what nobody looked at.

    Attributes:
        power: `mean_w` and `peak_w` of the sampled power.
        clocks: means of `sm_mhz` and `memory_mhz` of GPUs, `mhz` of the CPU.
        temperatures: `start_c`, `end_c` and `max_c`.
        utilisation: mean share of time at work, 0 to 1.
        memory: largest memory in use, by whomever, in bytes.
        mean_memory: mean memory in use, by whomever, in bytes.
        throttling: seconds of slowing down, by cause.

    """

    power: dict[str, dict[str, float | None]] | None = None
    clocks: dict[str, dict[str, float | None]] | None = None
    temperatures: dict[str, dict[str, float | None]] | None = None
    utilisation: dict[str, float | None] | None = None
    memory: dict[str, float | None] | None = None
    mean_memory: dict[str, float | None] | None = None
    throttling: dict[str, dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All that was read about one window: joules by device, conditions, doubts."""

    energies: list[Energy]
    conditions: Conditions = field(default_factory=Conditions)
    reasons: list[Reason] = field(default_factory=list)
    flags: frozenset[Flag] = frozenset()
