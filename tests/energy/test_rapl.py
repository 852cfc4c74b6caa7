"""RAPL counters, read from real files."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_lem.energy.meter import Scope
from pytest_lem.energy.rapl import RaplMeter
from pytest_lem.energy.reading import Energy

SCOPE = Scope(pids=(1,))


@pytest.fixture
def measure(powercap: SimpleNamespace) -> Callable[..., dict[str, Energy]]:
    """Read a window of two seconds between which the work changes the counters."""

    def read(work: Callable[[], Any] = lambda: None) -> dict[str, Energy]:
        meter = RaplMeter(root=powercap.root)
        meter.open(SCOPE)
        edge = meter.begin()
        work()
        energies = meter.end(edge, 10.0, 12.0)
        meter.close()
        found = {energy.device: energy for energy in energies}
        assert len(found) == len(energies)
        return found

    return read


def test_packages_and_their_memory_are_read(powercap: SimpleNamespace, measure: Any) -> None:
    """Two sockets, each with its memory, give four energies in joules."""
    for socket in (0, 1):
        powercap.zone(f"intel-rapl:{socket}", f"package-{socket}", 100)
        powercap.zone(f"intel-rapl:{socket}:0", "core", 100)
        powercap.zone(f"intel-rapl:{socket}:1", "dram", 100)

    def work() -> None:
        powercap.count("intel-rapl:0", 300_100)
        powercap.count("intel-rapl:1", 500_100)
        powercap.count("intel-rapl:0:1", 20_100)
        powercap.count("intel-rapl:1:1", 40_100)

    found = measure(work)
    assert {device: (e.domain, e.value_j, e.tier) for device, e in found.items()} == {
        "package-0": ("package", 0.3, "counter"),
        "package-1": ("package", 0.5, "counter"),
        "dram-0": ("dram", 0.02, "counter"),
        "dram-1": ("dram", 0.04, "counter"),
    }


def test_memory_nested_in_its_package_is_counted_once(
    powercap: SimpleNamespace, measure: Any
) -> None:
    """Sysfs shows a zone beside its package and inside it: the same counter twice."""
    powercap.zone("intel-rapl:0", "package-0", 0)
    powercap.zone("intel-rapl:0/intel-rapl:0:0", "dram", 0)
    (powercap.root / "intel-rapl:0:0").symlink_to(powercap.root / "intel-rapl:0/intel-rapl:0:0")
    found = measure(lambda: powercap.count("intel-rapl:0:0", 5_000))
    assert [e.value_j for e in found.values() if e.domain == "dram"] == [0.005]


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("intel-rapl:1", "psys"),
        ("intel-rapl-mmio:0", "package-0"),
        ("intel-rapl:0:0", "core"),
        ("intel-rapl:0:2", "uncore"),
    ],
)
def test_what_is_contained_elsewhere_is_left_out(
    powercap: SimpleNamespace, measure: Any, folder: str, name: str
) -> None:
    """Zones that repeat or contain the package would be added twice."""
    powercap.zone("intel-rapl:0", "package-0", 0)
    powercap.zone(folder, name, 0)

    def work() -> None:
        powercap.count("intel-rapl:0", 1_000)
        powercap.count(folder, 900_000)

    assert {device: e.value_j for device, e in measure(work).items()} == {"package-0": 0.001}


def test_zones_of_package_one_are_not_those_of_package_ten(
    powercap: SimpleNamespace, measure: Any
) -> None:
    """Folder names that begin alike are different sockets."""
    powercap.zone("intel-rapl:1", "package-1", 0)
    powercap.zone("intel-rapl:10", "package-10", 0)
    powercap.zone("intel-rapl:10:0", "dram", 0)
    found = measure(lambda: powercap.count("intel-rapl:10:0", 7_000))
    assert [device for device, e in found.items() if e.value_j] == ["dram-10"]


def test_a_wrapped_counter_is_taken_modulo_its_range(
    powercap: SimpleNamespace, measure: Any
) -> None:
    """The range is the largest value, so that from it to 0 is one step."""
    powercap.zone("intel-rapl:0", "package-0", 999_999, turn_uj=999_999)
    found = measure(lambda: powercap.count("intel-rapl:0", 4_999))
    assert found["package-0"].value_j == pytest.approx(0.005)


@pytest.mark.parametrize(
    ("counts", "turn", "reason"),
    [
        ((500, 500), "999999", "the RAPL counter stood still while work was done"),
        ((500, 400), "", "the RAPL counter wrapped, and its range is unknown"),
        ((500, ""), "999999", "the RAPL counter could not be read"),
        (("", 500), "999999", "the RAPL counter could not be read"),
        (("-1", 500), "999999", "the RAPL counter could not be read"),
    ],
    ids=["still", "no-range", "lost", "late", "garbage"],
)
def test_what_cannot_be_known_is_null_with_the_reason(
    powercap: SimpleNamespace, measure: Any, counts: tuple[Any, Any], turn: str, reason: str
) -> None:
    """An energy is a number above 0 or nothing at all."""
    before, after = counts
    powercap.zone("intel-rapl:0", "package-0", before)
    (powercap.root / "intel-rapl:0" / "max_energy_range_uj").write_text(turn)
    energy = measure(lambda: powercap.count("intel-rapl:0", after))["package-0"]
    assert (energy.value_j, energy.reason) == (None, reason)
    assert (energy.u_random_j, energy.u_systematic_j) == (None, None)


def test_a_counter_that_disappears_is_null(powercap: SimpleNamespace, measure: Any) -> None:
    """A file that is gone at the end of the window ends no session."""
    zone = powercap.zone("intel-rapl:0", "package-0", 500)
    energy = measure((zone / "energy_uj").unlink)["package-0"]
    assert (energy.value_j, energy.reason) == (None, "the RAPL counter could not be read")


def test_uncertainty_is_the_refresh_at_both_edges_and_the_gain(
    powercap: SimpleNamespace, measure: Any
) -> None:
    """500 W for 2 s: two uniform refresh periods of 1 ms, and 5 % of the value, rectangular."""
    powercap.zone("intel-rapl:0", "package-0", 0, turn_uj=10**10)
    energy = measure(lambda: powercap.count("intel-rapl:0", 10**9))["package-0"]
    assert energy.u_random_j == pytest.approx(500 * 0.001 * (2 / 12) ** 0.5)
    assert energy.u_systematic_j == pytest.approx(1000 * 0.05 / 3**0.5)


def test_readable_counters_are_available_by_name(powercap: SimpleNamespace) -> None:
    """The sentence lists what will be read."""
    powercap.zone("intel-rapl:0", "package-0", 0)
    powercap.zone("intel-rapl:0:0", "dram", 0)
    powercap.zone("intel-rapl:1", "psys", None)
    found = RaplMeter(root=powercap.root).availability()
    assert (found.tier, found.sentence) == ("counter", "RAPL counters of package-0, dram-0")


def test_without_counters_there_is_nothing_to_read(powercap: SimpleNamespace) -> None:
    """A machine without the tree, or with an empty one, says so."""
    found = RaplMeter(root=powercap.root).availability()
    assert (found.is_available, found.sentence) == (False, f"no RAPL counters in {powercap.root}")


def test_unreadable_counters_say_what_an_administrator_can_do(powercap: SimpleNamespace) -> None:
    """One counter that cannot be read makes the sum worthless, so the meter is unavailable."""
    powercap.zone("intel-rapl:0", "package-0", 0)
    hidden = powercap.zone("intel-rapl:1", "package-1", None)
    (hidden / "energy_uj").mkdir()  # unreadable for everybody, also for root
    found = RaplMeter(root=powercap.root).availability()
    assert not found.is_available
    assert found.sentence == (
        "RAPL counters are readable by root only; let an administrator run "
        f"`chmod a+r {powercap.root}/intel-rapl:*/energy_uj`"
    )


def test_a_closed_meter_reads_nothing(powercap: SimpleNamespace) -> None:
    """After closing, no zone is left to read."""
    powercap.zone("intel-rapl:0", "package-0", 0)
    meter = RaplMeter(root=powercap.root)
    meter.open(SCOPE)
    meter.close()
    assert meter.begin() == []
