"""RAPL counters as files: `/sys/class/powercap` (Linux, Documentation/power/powercap).

Standard library only and cheap to import, since a process that samples power imports it too.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from pytest_lem.energy.cpu.counter import CounterFault
from pytest_lem.energy.cpu.odometer import MAX_POWER_W, step_uj
from pytest_lem.energy.reading import Domain
from pytest_lem.flags import Reason

ROOT = Path("/sys/class/powercap")
#: What is added up. `psys` contains these, and core and uncore are contained in them.
_PACKAGE = re.compile(r"package-\d+(-die-\d+)?")
#: Files with the power that a zone may draw.
_LIMITS = ("constraint_*_max_power_uw", "constraint_*_power_limit_uw")
#: Between the two readings that tell mirrors: a hundred refreshes of the counters.
MIRROR_PAUSE_S = 0.1
#: Mirrors are read one after the other, so they may differ by what flows in between.
MIRROR_GAP_UJ = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """One counter, in its folder.

    Attributes:
        device: `package-0`, `package-0-die-1`, `dram-0` and the like.
        range_uj: the largest value, from which the counter goes on to 0; 0 if unknown.
        max_power_w: the largest limit that the kernel names, else `MAX_POWER_W`.

    """

    domain: Domain
    device: str
    path: Path
    range_uj: int
    max_power_w: float

    def read_uj(self) -> int:
        """Return the counter in microjoules; raises CounterFault."""
        file = self.path / "energy_uj"
        try:
            text = file.read_bytes().strip()
        except PermissionError as error:
            raise CounterFault(
                Reason.NO_PERMISSION,
                "RAPL counters are readable by root only; let an administrator run "
                f"`chmod a+r {self.path.parent}/intel-rapl:*/energy_uj`",
            ) from error
        except OSError as error:
            raise _silence(file, error.strerror) from error
        if not text.isdigit():
            raise _silence(file, os.strerror(errno.ENODATA))
        return int(text)


def zones(root: Path = ROOT) -> list[Zone]:
    """Find packages and their memory, whether they can be read or not.

    The tree `intel-rapl-mmio` repeats packages, and is left out.
    """
    found: list[Zone] = []
    for top in sorted(root.glob("intel-rapl:*")):
        name = _text(top / "name")
        if top.name.count(":") == 1 and _PACKAGE.fullmatch(name):
            found.append(_zone(Domain.PACKAGE, name, top))
            found += [
                _zone(Domain.DRAM, name.replace("package", "dram", 1), sub)
                for sub in sorted(root.glob(f"{top.name}:*")) + sorted(top.glob(f"{top.name}:*"))
                if _text(sub / "name") == "dram"
            ]
    first: dict[str, Zone] = {}
    for zone in found:  # sysfs shows memory twice, beside its package and inside it
        first.setdefault(zone.device, zone)
    return list(first.values())


def distinct(found: list[Zone], sleep: Callable[[float], None]) -> list[Zone]:
    """Leave out packages that mirror the counter of an earlier one; raises CounterFault.

    On some processors of several dies (Threadripper, EPYC), each die is a package zone and all
    show the counter of the socket. Two zones are taken for one if they agree within 1 J, twice,
    and went up alike in between. Agreement alone does not suffice: two counters that stand still,
    at 0 say, have shown nothing that they could have in common. Counters of their own, of 65 kJ
    or more, agree by chance in fewer than one of 10 000 cases, and seldom go up alike as well.
    """
    packages = [zone for zone in found if zone.domain is Domain.PACKAGE]
    before = {zone.device: zone.read_uj() for zone in found}
    alike = [
        (one, other)
        for one, other in combinations(packages, 2)
        if _gap_uj(before[one.device], before[other.device], one.range_uj) <= MIRROR_GAP_UJ
    ]
    if not alike:
        return found
    sleep(MIRROR_PAUSE_S)
    after = {zone.device: zone.read_uj() for zone in packages}
    mirrors = {other.device for one, other in alike if _went_alike(one, other, before, after)}
    return [zone for zone in found if zone.device not in mirrors]


def _went_alike(one: Zone, other: Zone, before: dict[str, int], after: dict[str, int]) -> bool:
    """Tell whether two counters still agree and went up by the same, within a fifth."""
    step, other_step = (
        step_uj(before[zone.device], after[zone.device], zone.range_uj) for zone in (one, other)
    )
    gap_uj = _gap_uj(after[one.device], after[other.device], one.range_uj)
    if not step or other_step is None or gap_uj > MIRROR_GAP_UJ:
        return False
    return abs(step - other_step) <= step / 5


def _gap_uj(one_uj: int, other_uj: int, range_uj: int) -> int:
    """Return how far two counts are apart, the shorter way round."""
    gaps = step_uj(one_uj, other_uj, range_uj), step_uj(other_uj, one_uj, range_uj)
    return min(gap for gap in gaps if gap is not None)


def _zone(domain: Domain, device: str, path: Path) -> Zone:
    limits_uw = [_number(file) for pattern in _LIMITS for file in path.glob(pattern)]
    return Zone(
        domain=domain,
        device=device,
        path=path,
        range_uj=_number(path / "max_energy_range_uj"),
        max_power_w=max(limits_uw, default=0) / 1e6 or MAX_POWER_W,
    )


def _number(path: Path) -> int:
    """Return the number in a file; 0 where there is none."""
    text = _text(path)
    return int(text) if text.isdecimal() else 0


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""


def _silence(file: Path, why: str | None) -> CounterFault:
    return CounterFault(Reason.METER_SILENT, f"the RAPL counter {file} could not be read ({why})")
