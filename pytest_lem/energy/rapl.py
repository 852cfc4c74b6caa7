"""Intel and AMD CPUs: the energy counters of packages and memory in `/sys/class/powercap`.

The counters cover the whole machine, whoever uses it. They wrap; a window is taken modulo the
range, so it has to be shorter than one turn (minutes at full load).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import ClassVar

from pytest_lem.energy.meter import Availability, Scope
from pytest_lem.energy.reading import Domain, Energy, Tier

POWERCAP = Path("/sys/class/powercap")
#: Time between two refreshes of the counters (Linux documentation of amd_energy), in seconds.
REFRESH_S = 0.001
#: Taken for the sensor's gain until a source for the CPU at hand is known.
RELATIVE_GAIN = 0.05


@dataclass(frozen=True, slots=True)
class _Zone:
    domain: Domain
    device: str
    path: Path
    range_uj: int


class RaplMeter:
    """Differences of the powercap counters."""

    name: ClassVar[str] = "rapl"
    method: ClassVar[str] = "rapl-powercap-edges-1"

    def __init__(self, *, root: Path = POWERCAP, **_: object) -> None:
        self._root = root
        self._zones: list[_Zone] = []

    def availability(self) -> Availability:
        """Say whether there are counters, and whether this user may read them."""
        zones = _zones(self._root)
        if not zones:
            return Availability(tier=Tier.NONE, sentence=f"no RAPL counters in {self._root}")
        if any(_read_uj(zone) is None for zone in zones):
            return Availability(
                tier=Tier.NONE,
                sentence="RAPL counters are readable by root only; let an administrator run "
                f"`chmod a+r {self._root}/intel-rapl:*/energy_uj`",
            )
        names = ", ".join(zone.device for zone in zones)
        return Availability(tier=Tier.COUNTER, sentence=f"RAPL counters of {names}")

    def open(self, scope: Scope) -> None:  # noqa: ARG002 - the counters know no processes
        """Find the zones."""
        self._zones = _zones(self._root)

    def begin(self) -> list[int | None]:
        """Return the counters in microjoules."""
        return [_read_uj(zone) for zone in self._zones]

    def end(self, edge: list[int | None], start_s: float, end_s: float) -> Sequence[Energy]:
        """Return the energy of each zone."""
        last = [_read_uj(zone) for zone in self._zones]
        return [
            _energy(zone, before, after, end_s - start_s)
            for zone, before, after in zip(self._zones, edge, last, strict=True)
        ]

    def close(self) -> None:
        """Forget the zones."""
        self._zones = []


def _zones(root: Path) -> list[_Zone]:
    """Find packages and their memory. `psys` contains them, and the mmio tree repeats them."""
    zones = []
    for top in sorted(root.glob("intel-rapl:*")):
        name = _text(top / "name")
        if top.name.count(":") == 1 and name.startswith("package-"):
            zones.append(_zone(Domain.PACKAGE, name, top))
            zones += [
                _zone(Domain.DRAM, name.replace("package", "dram", 1), sub)
                for sub in sorted(root.glob(f"{top.name}:*")) + sorted(top.glob(f"{top.name}:*"))
                if _text(sub / "name") == "dram"
            ]
    return list({zone.device: zone for zone in zones}.values())


def _zone(domain: Domain, device: str, path: Path) -> _Zone:
    text = _text(path / "max_energy_range_uj")
    return _Zone(domain, device, path, int(text) if text.isdigit() else 0)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _read_uj(zone: _Zone) -> int | None:
    text = _text(zone.path / "energy_uj")
    return int(text) if text.isdigit() else None


def _energy(zone: _Zone, before: int | None, after: int | None, window_s: float) -> Energy:
    reason = None
    if before is None or after is None:
        reason = "the RAPL counter could not be read"
    elif after == before:
        reason = "the RAPL counter stood still while work was done"
    elif after < before and not zone.range_uj:
        reason = "the RAPL counter wrapped, and its range is unknown"
    if reason or before is None or after is None:
        return Energy(
            domain=zone.domain,
            device=zone.device,
            tier=Tier.COUNTER,
            value_j=None,
            reason=reason,
        )
    # The range is the largest value, so one turn is one unit more.
    used_uj = after - before if after > before else after - before + zone.range_uj + 1
    value_j = used_uj / 1e6
    edge_j = value_j / window_s * REFRESH_S * sqrt(2 / 12)
    return Energy(
        domain=zone.domain,
        device=zone.device,
        tier=Tier.COUNTER,
        value_j=value_j,
        u_random_j=edge_j,
        u_systematic_j=value_j * RELATIVE_GAIN / sqrt(3),
    )
