"""What a measurement is made of: rounds and phases. Times are CLOCK_MONOTONIC seconds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_lem.backends.protocol import Score
from pytest_lem.energy.conditions import Conditions, Reading
from pytest_lem.energy.panel import Panel
from pytest_lem.energy.reading import Energy, Tier
from pytest_lem.flags import Flag, Reason

_log = logging.getLogger(__name__)

#: Windows below this many seconds or ticks are flagged: no sensor resolves them.
SHORT_WINDOW_S, SHORT_WINDOW_TICKS = 1.0, 10
#: Windows below this many seconds or ticks say too little for a gate.
BRIEF_WINDOW_S, BRIEF_WINDOW_TICKS = 5.0, 50
#: Rounds that are compared begin at temperatures no farther apart than this.
TEMPERATURE_SPREAD_C = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What was done in a window; None where a count has no meaning for the kind of case.

    Attributes:
        requests: those that were answered.
        due_requests: of traffic, those that were due in the window.
        failed_requests: how many of them failed.
        good_requests: how many kept all limits on latency; None without limits.
        failed_outside: of traffic, those that failed and were due before or after the window.

    """

    calls: int | None = None
    units: float | None = None
    requests: int | None = None
    due_requests: int | None = None
    failed_requests: int | None = None
    good_requests: int | None = None
    failed_outside: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    steps: int | None = None
    samples: int | None = None
    flops: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One window: when it was, what was done in it, what it took.

    Attributes:
        engine: what a server told of itself meanwhile, None where it told nothing.
        processes: what each of several processes did by itself; empty for one.
        load_id: the loading of the model that served it.
        side, pair, stage: its place in a paired comparison, None elsewhere.

    """

    seq: int
    start_s: float
    end_s: float
    energies: list[Energy]
    work: Work
    requests: list[dict[str, Any]] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    conditions: Conditions = field(default_factory=Conditions)
    processes: list[dict[str, Any]] = field(default_factory=list)
    engine: dict[str, float] | None = None
    load_id: str | None = None
    side: str | None = None
    pair: int | None = None
    stage: int | None = None

    @property
    def window_s(self) -> float:
        """Return the length of the window."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A stretch of time outside the rounds, metered on a line of its own.

    `work` is what was done in it, where that is counted, and `requests` are those of traffic that
    was given up. `is_shared` marks a phase that belongs to the case before on the same host.
    """

    name: str
    start_s: float
    end_s: float
    energies: list[Energy] = field(default_factory=list)
    work: Work | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)
    is_shared: bool = False

    @property
    def duration_s(self) -> float:
        """Return its length."""
        return self.end_s - self.start_s


@dataclass(slots=True, kw_only=True)
class Measurement:
    """All that was found out about a case, before any statistics."""

    rounds: list[Round] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    flags: set[Flag] = field(default_factory=set)
    reasons: set[Reason] = field(default_factory=set)
    warnings: list[dict[str, str]] = field(default_factory=list)
    applied: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    load_id: str | None = None
    text: str | None = None
    peak_host_memory_bytes: int | None = None
    peak_device_memory_bytes: int | None = None
    score: Score | None = None

    def add(self, found: Round, reading: Reading) -> None:
        """Take in a round with what its reading says of the whole case."""
        self.rounds.append(found)
        self.flags |= reading.flags
        _log.debug(
            "round %d: %s in %.3f s%s",
            found.seq + 1,
            ", ".join(map(_told, found.energies)) or "no energy",
            found.window_s,
            f"; INVALID: {', '.join(found.reasons)}" if found.reasons else "",
        )

    def absorb(self, other: Measurement) -> None:
        """Take in a further measurement of the same case, on another load."""
        self.rounds += other.rounds
        self.phases += other.phases
        self.flags |= other.flags
        self.reasons |= other.reasons
        self.warnings += [w for w in other.warnings if w not in self.warnings]
        self.applied, self.environment = other.applied, other.environment
        self.load_id = self.load_id or other.load_id
        self.score = self.score or other.score
        self.text = self.text if self.text is not None else other.text
        for name in ("peak_host_memory_bytes", "peak_device_memory_bytes"):
            known = [x for one in (self, other) if (x := getattr(one, name)) is not None]
            setattr(self, name, max(known, default=None))

    def last_phase(self, name: str) -> Phase | None:
        """Return the last phase of a name; None if there was none."""
        return next((phase for phase in reversed(self.phases) if phase.name == name), None)

    @property
    def on_gpu(self) -> bool:
        """Tell whether the work ran on a GPU, by what the engine says."""
        return is_on_gpu(self.applied)


def _told(energy: Energy) -> str:
    if energy.value_j is None:
        return f"{energy.device} unknown"
    mark = "~" if energy.tier is Tier.ESTIMATED else ""
    return f"{energy.device} {mark}{energy.value_j:.4g} J"


def is_on_gpu(applied: Mapping[str, Any]) -> bool:
    """Tell from what is in force whether work ran on a GPU."""
    return bool(applied.get("device_uuids")) or str(applied.get("device", "")).startswith("cuda")


def round_of(
    seq: int,
    start_s: float,
    end_s: float,
    reading: Reading,
    work: Work,
    *,
    requests: list[dict[str, Any]] | None = None,
    reasons: list[Reason] | None = None,
) -> Round:
    """Return a round with what was read about its window; `reasons` are further ones."""
    return Round(
        seq=seq,
        start_s=start_s,
        end_s=end_s,
        energies=reading.energies,
        work=work,
        requests=requests or [],
        reasons=[*reading.reasons, *(reasons or [])],
        conditions=reading.conditions,
    )


def metered_phase(
    panel: Panel, name: str, work: Callable[[], Any], measurement: Measurement
) -> tuple[Any, Reading]:
    """Run `work` as a phase of `measurement`; return its result and what was read meanwhile."""
    edges = panel.begin()
    start_s = time.monotonic()
    result = work()
    end_s = time.monotonic()
    reading = panel.end(edges, start_s, end_s)
    measurement.phases.append(
        Phase(name=name, start_s=start_s, end_s=end_s, energies=reading.energies)
    )
    _log.debug("%s: %.3f s", name, end_s - start_s)
    return result, reading


def flags_of(rounds: list[Round], panel: Panel) -> set[Flag]:
    """Return the flags that follow from the rounds themselves."""
    flags = set()
    if len(rounds) == 1:
        flags.add(Flag.SINGLE_ROUND)
    flags |= _window_flags(rounds, panel)
    if all(e.value_j is None for r in rounds for e in r.energies):
        flags.add(Flag.NO_ENERGY)
    elif panel.tier is Tier.ESTIMATED and not any(_is_simulated(r) for r in rounds):
        flags.add(Flag.ESTIMATED)
    if _spread_c(rounds) > TEMPERATURE_SPREAD_C:
        flags.add(Flag.TEMPERATURE_SPREAD)
    return flags


def _is_simulated(r: Round) -> bool:
    return any(Flag.SIMULATED in energy.flags for energy in r.energies)


def _window_flags(rounds: list[Round], panel: Panel) -> set[Flag]:
    """Tell whether windows are too short for the sensors, or for a gate."""
    shortest_s = min((r.window_s for r in rounds), default=BRIEF_WINDOW_S)
    tick_s = (panel.tick_s or 0.0) if panel.has_sensor else 0.0
    if shortest_s < max(SHORT_WINDOW_S, SHORT_WINDOW_TICKS * tick_s):
        return {Flag.SHORT_WINDOW}
    if panel.has_sensor and shortest_s < max(BRIEF_WINDOW_S, BRIEF_WINDOW_TICKS * tick_s):
        return {Flag.BRIEF_WINDOW}
    return set()


def _spread_c(rounds: list[Round]) -> float:
    """Return the largest difference between the temperatures at which a device began rounds."""
    by_device: dict[str, list[float]] = {}
    for r in rounds:
        for device, temperatures in (r.conditions.temperatures or {}).items():
            if (start_c := temperatures.get("start_c")) is not None:
                by_device.setdefault(device, []).append(start_c)
    return max((max(c) - min(c) for c in by_device.values()), default=0.0)
