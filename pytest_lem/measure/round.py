"""What a measurement is made of: rounds and phases. Times are CLOCK_MONOTONIC seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pytest_lem.energy.panel import Panel
from pytest_lem.energy.reading import Energy, Tier
from pytest_lem.flags import Flag, Reason

#: Windows below this many seconds are flagged: no sensor resolves them.
SHORT_WINDOW_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What was done in a window; None where a count has no meaning for the kind of case."""

    calls: int | None = None
    units: float | None = None
    requests: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    steps: int | None = None
    samples: int | None = None
    flops: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One window: when it was, what was done in it, what it took."""

    seq: int
    start_s: float
    end_s: float
    energies: list[Energy]
    work: Work
    requests: list[dict[str, Any]] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)

    @property
    def window_s(self) -> float:
        """Return the length of the window."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A stretch of time outside the rounds, metered on a line of its own."""

    name: str
    start_s: float
    end_s: float
    energies: list[Energy]


@dataclass(slots=True, kw_only=True)
class Measurement:
    """All that was found out about a case, before any statistics."""

    rounds: list[Round] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    flags: set[Flag] = field(default_factory=set)
    warnings: list[dict[str, str]] = field(default_factory=list)
    applied: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    load_id: str | None = None
    text: str | None = None
    peak_host_memory_bytes: int | None = None
    peak_device_memory_bytes: int | None = None

    @property
    def on_gpu(self) -> bool:
        """Tell whether the work ran on a GPU, by what the engine says."""
        return bool(self.applied.get("device_uuids")) or str(
            self.applied.get("device", "")
        ).startswith("cuda")


def metered_phase(
    panel: Panel, name: str, work: Callable[[], Any], measurement: Measurement
) -> Any:
    """Run `work` as a phase of `measurement` and return its result."""
    import time

    edges = panel.begin()
    start_s = time.monotonic()
    result = work()
    end_s = time.monotonic()
    energies = panel.end(edges, start_s, end_s)
    measurement.phases.append(Phase(name=name, start_s=start_s, end_s=end_s, energies=energies))
    return result


def silent_meters(energies: list[Energy]) -> list[Reason]:
    """Return the reason if a hardware source gave nothing for work that was done."""
    is_silent = any(e.value_j is None and e.tier in {Tier.COUNTER, Tier.POWER} for e in energies)
    return [Reason.METER_SILENT] if is_silent else []


def flags_of(rounds: list[Round], *, has_estimate_only: bool) -> set[Flag]:
    """Return the flags that follow from the rounds themselves."""
    flags = set()
    if len(rounds) == 1:
        flags.add(Flag.SINGLE_ROUND)
    if any(r.window_s < SHORT_WINDOW_S for r in rounds):
        flags.add(Flag.SHORT_WINDOW)
    if all(e.value_j is None for r in rounds for e in r.energies):
        flags.add(Flag.NO_ENERGY)
    elif has_estimate_only:
        flags.add(Flag.ESTIMATED)
    return flags
