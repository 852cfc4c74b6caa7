"""The meters of a session: chosen once, opened for a scope, read together."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_lem.energy.conditions import Reading
from pytest_lem.energy.meter import Availability, Meter, Scope
from pytest_lem.energy.reading import TIERS, Energy, Tier
from pytest_lem.energy.watch import Watch, WatchEdge
from pytest_lem.errors import FailureKind, LemError, config_error
from pytest_lem.flags import Reason
from pytest_lem.registry import METERS, entries, find

_log = logging.getLogger(__name__)

#: Meters that `auto` considers, so that a stranger's is used only when it is named.
AUTO = ("nvml", "rapl", "estimated")
#: Tiers of real sensors.
MEASURED = frozenset({Tier.COUNTER, Tier.POWER})


@dataclass(frozen=True, slots=True)
class Edges:
    """What was read before a window."""

    meters: list[Any]
    watch: WatchEdge | None


@dataclass(slots=True)
class Panel:
    """The chosen meters and what was found about all that were looked at.

    `watch` looks after the devices meanwhile; None where nothing is to be looked after.
    """

    meters: list[Meter]
    found: dict[str, Availability]
    watch: Watch | None = None
    _scope: Scope | None = None

    @property
    def tier(self) -> Tier:
        """Return the best tier among the chosen meters."""
        tiers = [self.found[meter.name].tier for meter in self.meters]
        return min(tiers, key=TIERS.index, default=Tier.NONE)

    @property
    def has_sensor(self) -> bool:
        """Tell whether anything is measured, rather than estimated."""
        return self.tier in MEASURED

    @property
    def tick_s(self) -> float | None:
        """Return the longest tick of the sources that are open."""
        ticks = [meter.tick_s for meter in self.meters]
        return max((tick for tick in ticks if tick is not None), default=None)

    @property
    def sentence(self) -> str:
        """Describe the chosen meters and, where only an estimate is left, why."""
        chosen = "; ".join(self.found[m.name].sentence for m in self.meters)
        if self.tier is not Tier.ESTIMATED:
            return chosen
        missing = [f"{n}: {a.sentence}" for n, a in self.found.items() if not a.is_available]
        return f"{chosen}; no sensor: {', '.join(missing)}" if missing else chosen

    @property
    def methods(self) -> dict[str, str]:
        """Return the method version of each chosen meter, by name."""
        return {meter.name: meter.method for meter in self.meters}

    @property
    def constants(self) -> dict[str, float]:
        """Return the constants that figures rest on."""
        return {k: v for m in self.meters for k, v in self.found[m.name].constants.items()}

    def open(self, scope: Scope) -> None:
        """Open every meter for `scope`, closing what was open before.

        Work of no process that is known here has no energy that could be read here.
        """
        self.close()
        self._scope = scope
        for meter in self._reading:
            meter.open(scope)
        if self.watch and scope.pids:
            self.watch.open(scope)
        _log.debug(
            "meters (%s) are open for processes: %s; GPUs: %s; longest tick: %s",
            ", ".join(meter.name for meter in self.meters) or "none",
            *(" ".join(map(str, ids)) or "none" for ids in (scope.pids, scope.gpu_uuids)),
            "unknown" if self.tick_s is None else f"{self.tick_s:.3g} s",
        )

    def turn_to(self, scope: Scope) -> None:
        """Open every meter for `scope`, unless that is what they are open for."""
        if scope != self._scope:
            self.open(scope)

    def begin(self) -> Edges:
        """Read the first edge of every meter; the first of them may wait for its source."""
        watch = self.watch.begin() if self.watch and not self._is_blind else None
        return Edges([meter.begin() for meter in self._reading], watch)

    def end(self, edges: Edges, start_s: float, end_s: float) -> Reading:
        """Read the last edge of every meter, in the opposite order, and look back."""
        pairs = reversed(list(zip(self._reading, edges.meters, strict=True)))
        energies = [_checked(e) for meter, edge in pairs for e in meter.end(edge, start_s, end_s)]
        reading = Reading(
            energies=energies,
            reasons=_doubts(energies),
            flags=frozenset(flag for e in energies for flag in e.flags),
        )
        if self.watch is None or edges.watch is None:
            return reading
        return self.watch.look_back(edges.watch, reading, start_s, end_s)

    def power_w(self, start_s: float, end_s: float) -> float | None:
        """Return the mean sampled power of the devices at work; None where none is known."""
        return self.watch.power_w(start_s, end_s) if self.watch else None

    def temperature_c(self, start_s: float, end_s: float) -> float | None:
        """Return the last temperature of the hottest device; None where none is known."""
        return self.watch.temperature_c(start_s, end_s) if self.watch else None

    def close(self) -> None:
        """Close every meter."""
        self._scope = None
        for meter in self.meters:
            meter.close()

    @property
    def _is_blind(self) -> bool:
        return self._scope is not None and not self._scope.pids

    @property
    def _reading(self) -> list[Meter]:
        """Return the meters that can tell something of the scope."""
        return [] if self._is_blind else self.meters

    def shut(self) -> None:
        """Close every meter for good and end what was started to look after devices."""
        self.close()
        if self.watch:
            self.watch.close()


def _checked(energy: Energy) -> Energy:
    """Return an energy that can be true: no work is done for nothing."""
    if energy.value_j is None or energy.value_j > 0:
        return energy
    reason = f"the meter shows {energy.value_j:g} J for a window in which work was done"
    return replace(
        energy,
        value_j=None,
        u_random_j=None,
        u_systematic_j=None,
        bound_j=None,
        reason=reason,
        code=energy.code or Reason.METER_SILENT,
    )


def _doubts(energies: list[Energy]) -> list[Reason]:
    """Return why hardware sources are unknown or not to be trusted, each reason once."""
    measured = [e for e in energies if e.tier in MEASURED]
    codes = [e.code or (Reason.METER_SILENT if e.value_j is None else None) for e in measured]
    return list(dict.fromkeys(code for code in codes if code is not None))


def choose(names: Iterable[str], settings: Mapping[str, Any]) -> Panel:
    """Make the meters that were asked for; `auto` takes the counters there are.

    `auto` adds the estimate only where no CPU counter can be read. A meter asked for by name that
    cannot be used is an error (`meter`), never a silent fall-back.
    """
    names = list(names)
    is_auto = names == ["auto"]
    registered = entries(METERS)
    candidates = [n for n in AUTO if n in registered] if is_auto else names
    meters = {name: _made(name, registered, settings) for name in candidates}
    found = {name: meter.availability() for name, meter in meters.items()}
    usable = [name for name in candidates if found[name].is_available]
    if is_auto:
        usable = [n for n in usable if not (n == "estimated" and "rapl" in usable)]
    elif lacking := [name for name in candidates if name not in usable]:
        raise LemError(
            f"the meter `{lacking[0]}` cannot be used here: {found[lacking[0]].sentence}",
            kind=FailureKind.METER,
        )
    return Panel([meters[name] for name in usable], found)


def require(panel: Panel, tier: str | None) -> None:
    """Refuse, with LemError (`meter`), a panel whose best tier is worse than `tier`."""
    if tier is not None and TIERS.index(panel.tier) > TIERS.index(Tier(tier)):
        missing = [f"{n}: {a.sentence}" for n, a in panel.found.items() if not a.is_available]
        raise LemError(
            f"energy would be of tier `{panel.tier}`, and `{tier}` is required"
            f"{' (' + '; '.join(missing) + ')' if missing else ''}; make that sensor readable, or "
            "lower --lem-require-tier",
            kind=FailureKind.METER,
        )


def _made(name: str, registered: Mapping[str, Any], settings: Mapping[str, Any]) -> Meter:
    """Make one meter; an unknown name, or one that the meter does not bear, is an error."""
    entry = registered.get(name) or find(METERS, name)
    meter: Meter = entry.load()(**settings)
    if meter.name != name:
        raise config_error(
            f"the meter `{name}` calls itself `{meter.name}`; its entry point and its class must "
            "agree"
        )
    return meter
