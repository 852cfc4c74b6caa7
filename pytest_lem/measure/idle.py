"""Power at rest, from the idle phases of a case, and what is left of its energy without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, sqrt

from pytest_lem.energy.conditions import Reading
from pytest_lem.energy.reading import Domain, Energy
from pytest_lem.flags import Flag
from pytest_lem.measure.round import Phase, Round

IDLE = "idle"
#: Idle power that differs by more than both before and after the rounds has drifted.
DRIFT_W, DRIFT_SHARE = 2.0, 0.03

#: A GPU at rest is in use for no more than this share of the time.
REST_UTILISATION = 0.02

Device = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """Power at rest of one device.

    Attributes:
        power_w: mean of what was found before and after the rounds.
        u_w: its standard uncertainty, None when unknown; the drift is in it.
        before_w: None where it was not measured, as `after_w`.

    """

    power_w: float
    u_w: float | None
    before_w: float | None
    after_w: float | None

    @property
    def has_drifted(self) -> bool:
        """Tell whether the power at rest has changed in the course of the case."""
        if self.before_w is None or self.after_w is None:
            return False
        return abs(self.after_w - self.before_w) > max(DRIFT_W, DRIFT_SHARE * self.power_w)


def device_of(energy: Energy) -> Device:
    """Return what tells sources apart."""
    return (str(energy.domain), energy.device)


def idle_by_device(phases: Sequence[Phase]) -> dict[Device, Idle]:
    """Return the power at rest of each device that was measured in idle phases."""
    idle = [phase for phase in phases if phase.name == IDLE]
    if not idle:
        return {}
    before = _powers(idle[0])
    after = _powers(idle[-1]) if len(idle) > 1 else {}
    return {device: _idle(before.get(device), after.get(device)) for device in {**before, **after}}


def net_j(r: Round, energy: Energy, idle: dict[Device, Idle]) -> float | None:
    """Return the energy above rest in a round, which may be negative; None when unknown."""
    rest = idle.get(device_of(energy))
    if energy.value_j is None or rest is None:
        return None
    return energy.value_j - rest.power_w * r.window_s


def idle_flags(rounds: Sequence[Round], phases: Sequence[Phase]) -> set[Flag]:
    """Return the flags that follow from the power at rest."""
    idle = idle_by_device(phases)
    flags = {Flag.IDLE_DRIFT} if any(i.has_drifted for i in idle.values()) else set()
    nets = [net_j(r, energy, idle) for r in rounds for energy in r.energies]
    if any(net is not None and net < 0 for net in nets):
        flags.add(Flag.BASELINE_ABOVE_LOAD)
    return flags


def is_busy(reading: Reading) -> bool:
    """Tell whether a GPU was in use at rest; in containers nothing else shows a stranger."""
    gpus = {e.device for e in reading.energies if e.domain is Domain.GPU}
    shares = (reading.conditions.utilisation or {}).items()
    return any(device in gpus and (share or 0) > REST_UTILISATION for device, share in shares)


_Power = tuple[float, float | None]


def _powers(phase: Phase) -> dict[Device, _Power]:
    """Return power and its standard uncertainty of each device that was read in a phase."""
    return {
        device_of(e): (
            e.value_j / phase.duration_s,
            None if e.u_random_j is None else e.u_random_j / phase.duration_s,
        )
        for e in phase.energies
        if e.value_j is not None
    }


def _idle(before: _Power | None, after: _Power | None) -> Idle:
    known = [power for power in (before, after) if power is not None]
    power_w = sum(value for value, _ in known) / len(known)
    drift_w = abs(known[0][0] - known[-1][0]) / 2
    parts = [u / len(known) for _, u in known if u is not None]
    is_known = len(parts) == len(known)
    return Idle(
        power_w=power_w,
        u_w=hypot(*parts, drift_w / sqrt(3)) if is_known else None,
        before_w=before[0] if before else None,
        after_w=after[0] if after else None,
    )
