"""What looks after the devices while their energy is read, and doubts what it has reason to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_lem.clock import Clock
from pytest_lem.energy import agreement
from pytest_lem.energy.conditions import Conditions, Reading
from pytest_lem.energy.gpu.guard import BoardGuard, Sight
from pytest_lem.energy.meter import Scope
from pytest_lem.energy.reading import Domain
from pytest_lem.energy.sampled import conditions_of, hottest_c, power_w, seen_of
from pytest_lem.energy.sampling.recorder import Recorder
from pytest_lem.energy.sampling.series import Series
from pytest_lem.flags import Flag, Reason

#: A temperature older than this is not that of now.
_FRESH_S = 10.0


@dataclass(frozen=True, slots=True)
class WatchEdge:
    """What was seen before a window."""

    sight: Sight


class Watch:
    """Follows the devices of a scope and has them sampled by a process of its own.

    With `sample_s` 0 there is no such process, and what it would tell is unknown.
    """

    def __init__(self, *, sample_s: float, clock: Clock, nvml: Any = None) -> None:
        self._clock = clock
        self._fresh_s = max(_FRESH_S, 2 * sample_s)
        self._guard = BoardGuard(clock, nvml)
        self._recorder = Recorder(sample_s)

    def note(self, uuids: Sequence[str]) -> None:
        """Note who is on these GPUs before any work begins: in containers, only that tells whose.

        Work in the test's own process has taken its GPU by the time its scope is known.
        """
        self._guard.follow(uuids)

    def open(self, scope: Scope) -> None:
        """Turn to the devices of a scope."""
        self._follow(scope.gpu_uuids, scope.pids)

    def begin(self) -> WatchEdge:
        """Look before a window."""
        return WatchEdge(self._guard.look())

    def look_back(self, edge: WatchEdge, reading: Reading, start_s: float, end_s: float) -> Reading:
        """Return a reading with the conditions of its window and further doubts about it."""
        flags, conditions, seen = set(reading.flags), Conditions(), {}
        series = self._recorder.taken()
        if series is not None:
            conditions = conditions_of(series, self._devices(series), start_s, end_s)
            seen = seen_of(series, self._guard.uuids, edge.sight.time_s, self._clock.now())
            flags |= {Flag.SERIES_GAPS} if series.between(start_s, end_s).gaps else set()
        judged = self._guard.judge(edge.sight, seen)
        slowed = {uuid: found.plain() for uuid, found in judged.throttling.items()}
        differing = self._disagreement(reading, series, start_s, end_s) if series else []
        return replace(
            reading,
            conditions=replace(conditions, throttling=slowed or None),
            reasons=list(dict.fromkeys([*reading.reasons, *differing, *judged.reasons])),
            flags=frozenset(flags | judged.flags),
        )

    def used_by(self, pids: Sequence[int]) -> list[str]:
        """Return the GPUs on which any of these processes computes, as the driver sees it."""
        return self._guard.used_by(pids)

    def power_w(self, start_s: float, end_s: float) -> float | None:
        """Return the mean sampled power of the devices at work; None where it is not known."""
        series = self._recorder.taken()
        return power_w(series, self._devices(series), start_s, end_s) if series else None

    def temperature_c(self, start_s: float, end_s: float) -> float | None:
        """Return the last temperature of the hottest device at work; None where none is known."""
        series = self._recorder.taken()
        return hottest_c(series, self._devices(series), start_s, end_s) if series else None

    def hottest_now_c(self, uuids: Sequence[str]) -> float | None:
        """Return the temperature of the hottest of these GPUs, without them that of the CPU."""
        self._follow(uuids)
        now_s = self._clock.now()
        return self.temperature_c(now_s - self._fresh_s, now_s)

    def series(self, start_s: float, end_s: float) -> Series | None:
        """Return the samples of a stretch of time; None where none were taken."""
        series = self._recorder.taken()
        found = series.between(start_s, end_s) if series else None
        return found if found and found.times_s else None

    @property
    def failure(self) -> str | None:
        """Return why the series has ended; None while it goes on."""
        return self._recorder.failure

    def close(self) -> None:
        """End the sampling process."""
        self._recorder.close()

    def _follow(self, uuids: Sequence[str], pids: Sequence[int] = ()) -> None:
        self._guard.follow(uuids, pids)
        self._recorder.follow(self._guard.uuids)

    def _devices(self, series: Series) -> list[str]:
        """Return what is at work: boards, else all that is sampled of the machine."""
        boards = self._guard.uuids
        return boards or [d for d in series.devices if not d.startswith("GPU-")]

    def _disagreement(
        self, reading: Reading, series: Series, start_s: float, end_s: float
    ) -> list[Reason]:
        """Compare counters with sampled power where the window is long enough.

        This waits for late samples, so that it comes after all that is about the window alone.
        """
        counted = [e for e in reading.energies if e.domain is Domain.GPU and e.value_j is not None]
        if end_s - start_s < agreement.SHORTEST_S or not counted:
            return []
        wait_s = agreement.wait_s(series, [energy.device for energy in counted])
        self._clock.sleep(end_s + wait_s - self._clock.now())
        late = self._recorder.taken() or series
        differing = agreement.disagreeing(counted, late, start_s, end_s)
        return [Reason.COUNTER_DISAGREES] if differing else []
