"""The RAPL meter on real files, and on events that are opened by a stand-in."""

from __future__ import annotations

import errno
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_lem.energy.meter import Scope
from pytest_lem.energy.rapl import RaplMeter
from pytest_lem.energy.reading import Energy
from pytest_lem.flags import Reason, text_of

SCOPE = Scope(pids=(1,))
#: A file of Linux that nobody may read, not even root.
FORBIDDEN = Path("/proc/sys/vm/compact_memory")


class Hand:
    """A clock that is set by hand; `pause` is what happens while it sleeps."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.pause: Callable[[], object] = lambda: None

    def now(self) -> float:
        return self.now_s

    def sleep(self, duration_s: float) -> None:
        self.now_s += duration_s
        self.pause()


def refuse(*_: int) -> int:
    """Open no event, as a kernel does for users without privileges."""
    raise OSError(errno.EACCES, os.strerror(errno.EACCES))


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def make(powercap: SimpleNamespace, clock: Hand) -> Callable[..., RaplMeter]:
    """Make a meter on the tree; events of perf are refused unless an opener is given."""
    return lambda opener=refuse: RaplMeter(root=powercap.root, opener=opener, clock=clock)


@pytest.fixture
def measure(make: Callable[..., RaplMeter]) -> Callable[..., dict[str, Energy]]:
    """Read a window of two seconds in which the work, given the edge, changes the counters."""

    def read(work: Callable[..., Any], meter: RaplMeter | None = None) -> dict[str, Energy]:
        meter = meter or make()
        meter.open(SCOPE)
        edge = meter.begin()
        work(edge)
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

    def work(_: Any) -> None:
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


def test_what_is_contained_elsewhere_is_left_out(powercap: SimpleNamespace, measure: Any) -> None:
    """The whole platform contains the package, and another tree repeats it."""
    powercap.zone("intel-rapl:0", "package-0", 0)
    powercap.zone("intel-rapl:1", "psys", 0)
    powercap.zone("intel-rapl-mmio:0", "package-0", 0)

    def work(_: Any) -> None:
        powercap.count("intel-rapl:0", 1_000)
        powercap.count("intel-rapl:1", 900_000)
        powercap.count("intel-rapl-mmio:0", 1_000)

    assert {device: e.value_j for device, e in measure(work).items()} == {"package-0": 0.001}


def test_a_mirrored_die_is_counted_once(
    powercap: SimpleNamespace, measure: Any, clock: Hand
) -> None:
    """Two dies that go up alike while the meter looks are one counter."""
    for die in (0, 1):
        powercap.zone(f"intel-rapl:{die}", f"package-0-die-{die}", 70_000_000)

    def count(energy_uj: int) -> None:
        for die in (0, 1):
            powercap.count(f"intel-rapl:{die}", energy_uj)

    clock.pause = lambda: count(75_000_000)
    found = measure(lambda _: count(95_000_000))
    assert {device: e.value_j for device, e in found.items()} == {"package-0-die-0": 20.0}


def test_every_turn_within_a_window_is_counted(powercap: SimpleNamespace, measure: Any) -> None:
    """Three turns of 65 kJ and a little more, of which the edges alone show the little."""
    turn_uj = 65_532_610_987
    powercap.zone("intel-rapl:0", "package-0", turn_uj, turn_uj=turn_uj)

    def work(edge: Any) -> None:
        for third in range(9):
            powercap.count("intel-rapl:0", third % 3 * 20_000_000_000)
            edge.advance()
        powercap.count("intel-rapl:0", 4_999)

    assert measure(work)["package-0"].value_j == pytest.approx(
        (3 * (turn_uj + 1) + 5_000) / 1e6, abs=1e-9
    )


def test_a_window_that_nobody_looked_after_is_unknown(
    powercap: SimpleNamespace, measure: Any, clock: Hand
) -> None:
    """In 132 s a package of 500 W may have gone round 65 kJ."""
    powercap.zone("intel-rapl:0", "package-0", 0, turn_uj=65_532_610_987)

    def work(_: Any) -> None:
        powercap.count("intel-rapl:0", 5_000)
        clock.now_s += 132.0

    energy = measure(work)["package-0"]
    assert (energy.value_j, energy.code) == (None, Reason.WRAPPED)
    assert energy.reason == text_of(Reason.WRAPPED)


def _deny(file: Path) -> None:
    file.unlink()
    file.symlink_to(FORBIDDEN)


def _rubbish(file: Path) -> None:
    file.write_text("rubbish\n")


@pytest.mark.parametrize(
    ("spoil", "code", "sentence"),
    [
        (_deny, Reason.NO_PERMISSION, "RAPL counters are readable by root only; let an "),
        (Path.unlink, Reason.METER_SILENT, "the RAPL counter "),
        (_rubbish, Reason.METER_SILENT, "the RAPL counter "),
        (
            lambda file: file.write_text("500\n"),
            Reason.COUNTER_STILL,
            "the RAPL counter stood still while work was done",
        ),
        (lambda file: file.write_text("400\n"), Reason.WRAPPED, "the counter may have gone round "),
    ],
    ids=["denied", "gone", "rubbish", "still", "down-without-a-range"],
)
def test_what_cannot_be_known_is_null_with_the_reason(
    powercap: SimpleNamespace,
    measure: Any,
    spoil: Callable[[Path], object],
    code: Reason,
    sentence: str,
) -> None:
    """An energy is a number above 0 or nothing at all; other devices keep theirs."""
    zone = powercap.zone("intel-rapl:0", "package-0", 500, turn_uj=0)
    powercap.zone("intel-rapl:1", "package-1", 0)

    def work(_: Any) -> None:
        spoil(zone / "energy_uj")
        powercap.count("intel-rapl:1", 7_000)

    found = measure(work)
    energy = found["package-0"]
    assert (energy.value_j, energy.code) == (None, code)
    assert energy.reason.startswith(sentence)
    assert (energy.u_random_j, energy.u_systematic_j, energy.bound_j) == (None, None, None)
    assert found["package-1"].value_j == 0.007


def test_uncertainty_is_the_refresh_at_both_edges_and_the_gain(
    powercap: SimpleNamespace, measure: Any
) -> None:
    """400 W for 2 s: two uniform refreshes of 1 ms, and 5 % of the value, rectangular."""
    powercap.zone("intel-rapl:0", "package-0", 0)
    energy = measure(lambda _: powercap.count("intel-rapl:0", 800_000_000))["package-0"]
    assert energy.u_random_j == pytest.approx(400 * 0.001 * (2 / 12) ** 0.5)
    assert energy.u_systematic_j == pytest.approx(800 * 0.05 / 3**0.5)


@pytest.mark.parametrize(
    ("limit_uw", "power_w"), [(None, 500), ("450000000", 450), ("65000000", 400)]
)
def test_the_bound_is_two_refreshes_at_the_largest_power(
    powercap: SimpleNamespace, measure: Any, limit_uw: str | None, power_w: float
) -> None:
    """That of the zone's limit, or what was drawn if that is more; and two steps of the counter."""
    zone = powercap.zone("intel-rapl:0", "package-0", 0)
    if limit_uw is not None:
        (zone / "constraint_1_power_limit_uw").write_text(limit_uw)
    energy = measure(lambda _: powercap.count("intel-rapl:0", 800_000_000))["package-0"]
    assert energy.bound_j == pytest.approx(2 * (0.001 * power_w + 0.000125))


def test_readable_counters_are_available_by_name(
    powercap: SimpleNamespace, make: Callable[..., RaplMeter]
) -> None:
    """The sentence lists what will be read."""
    powercap.zone("intel-rapl:0", "package-0", 0)
    powercap.zone("intel-rapl:0:0", "dram", 0)
    powercap.zone("intel-rapl:1", "psys", None)
    found = make().availability()
    assert (found.tier, found.sentence) == ("counter", "RAPL counters of package-0, dram-0")


def test_without_counters_there_is_nothing_to_read(
    powercap: SimpleNamespace, make: Callable[..., RaplMeter], measure: Any
) -> None:
    """A machine without the tree, or with an empty one, says so, and measures nothing."""
    found = make().availability()
    assert (found.tier, found.code) == ("none", None)
    assert found.sentence == f"no RAPL counters in {powercap.root}"
    assert measure(lambda _: None) == {}


def _forbid(powercap: SimpleNamespace) -> None:
    """Give a package whose counter may be read, and one whose counter may not."""
    powercap.zone("intel-rapl:0", "package-0", 0)
    (powercap.zone("intel-rapl:1", "package-1", None) / "energy_uj").symlink_to(FORBIDDEN)


def test_unreadable_counters_say_what_an_administrator_can_do(
    powercap: SimpleNamespace, make: Callable[..., RaplMeter], measure: Any
) -> None:
    """One counter that cannot be read makes the sum worthless, so the meter is unavailable."""
    _forbid(powercap)
    powercap.perf({0: 0}, energy_pkg="event=0x02")
    found = make().availability()
    assert (found.tier, found.code) == ("none", Reason.NO_PERMISSION)
    assert found.sentence == (
        "RAPL counters are readable by root only; let an administrator run "
        f"`chmod a+r {powercap.root}/intel-rapl:*/energy_uj`"
    )
    energy = measure(lambda _: powercap.count("intel-rapl:0", 5))["package-1"]
    assert (energy.value_j, energy.reason) == (None, found.sentence)


def test_events_that_are_refused_say_what_an_administrator_can_do(
    powercap: SimpleNamespace, make: Callable[..., RaplMeter]
) -> None:
    """Containers often hide the files and leave the events."""
    powercap.perf({0: 0}, energy_pkg="event=0x02")
    found = make().availability()
    assert (found.tier, found.code) == ("none", Reason.NO_PERMISSION)
    assert "perf_event_paranoid" in found.sentence


def test_unreadable_counters_are_read_through_perf(
    powercap: SimpleNamespace, make: Callable[..., RaplMeter], measure: Any
) -> None:
    """The events count the same joules, and nothing stays open."""
    _forbid(powercap)
    powercap.perf({0: 0, 1: 1}, energy_pkg="event=0x02", energy_ram="event=0x03")
    given: list[int] = []

    def opener(_: int, config: int, cpu: int) -> int:
        """Show 1 J at first, then 10 J more for package 0, 11 J for package 1, and so on."""
        joules = (1, 1 + 10 * (config - 1) + cpu)
        out, into = os.pipe()
        os.write(into, b"".join(struct.pack("Q", joule * 2**32) for joule in joules))
        os.close(into)
        given.append(out)
        return out

    meter = make(opener)
    found = meter.availability()
    assert (found.tier, found.sentence) == (
        "counter",
        "RAPL counters of package-0, package-1, dram-0, dram-1 through perf",
    )
    energies = measure(lambda _: None, meter)
    assert {device: (e.domain, e.value_j) for device, e in energies.items()} == {
        "package-0": ("package", 10.0),
        "package-1": ("package", 11.0),
        "dram-0": ("dram", 20.0),
        "dram-1": ("dram", 21.0),
    }
    assert energies["dram-1"].bound_j == pytest.approx(2 * (0.001 * 500 + 0.000125))
    for descriptor in given:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "lem-rapl"]


def test_a_thread_keeps_count_from_edge_to_edge(
    powercap: SimpleNamespace, make: Callable[..., RaplMeter]
) -> None:
    """It starts with the window and is gone after it."""
    powercap.zone("intel-rapl:0", "package-0", 0)
    meter = make()
    meter.open(SCOPE)
    assert _threads() == []
    edge = meter.begin()
    assert len(_threads()) == 1
    meter.end(edge, 10.0, 12.0)
    assert _threads() == []


def test_a_window_that_is_given_up_leaves_no_thread(
    powercap: SimpleNamespace, make: Callable[..., RaplMeter]
) -> None:
    """After an error in the work there is a new window, or none."""
    powercap.zone("intel-rapl:0", "package-0", 0)
    meter = make()
    meter.open(SCOPE)
    meter.begin()
    meter.begin()
    assert len(_threads()) == 1
    meter.close()
    assert _threads() == []


def test_a_closed_meter_reads_nothing(
    powercap: SimpleNamespace, make: Callable[..., RaplMeter]
) -> None:
    """After closing, no zone is left to read."""
    powercap.zone("intel-rapl:0", "package-0", 0)
    meter = make()
    meter.open(SCOPE)
    meter.close()
    assert meter.end(meter.begin(), 10.0, 12.0) == []


def test_the_counters_are_refreshed_every_millisecond(make: Callable[..., RaplMeter]) -> None:
    """Windows of any length have ticks enough."""
    assert make().tick_s == 0.001
