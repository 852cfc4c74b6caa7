"""Events of perf: described in a tree of files, opened by a stand-in or by the real kernel."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_lem.energy.cpu.counter import CounterFault
from pytest_lem.energy.cpu.perf import Event, OpenEvent, events, open_event, start
from pytest_lem.energy.reading import Domain
from pytest_lem.flags import Reason

#: Of perf_event_open(2): software events, the time of a CPU, and a type that no unit has.
SOFTWARE, CPU_CLOCK, NO_SUCH_TYPE = 1, 0, 2**31 - 1
#: The scale of all RAPL events: a count is 2**-32 J.
JOULE = 2**32
REFUSED = (
    "RAPL counters can be read through perf by privileged users only; let an administrator run "
    "`sysctl kernel.perf_event_paranoid=0` or give the interpreter CAP_PERFMON"
)
NO_SUCH_EVENT = (
    "the RAPL counter of dram-0 could not be opened through perf (No such file or directory)"
)


@pytest.fixture
def unit(powercap: SimpleNamespace) -> Path:
    """Give a machine of two packages with memory; return the folder of its power unit."""
    powercap.perf({0: 0, 18: 1}, energy_pkg="event=0x02", energy_ram="event=0x03")
    return powercap.sysfs / "bus/event_source/devices/power"


def _event() -> Event:
    return Event(
        domain=Domain.PACKAGE,
        device="package-0",
        type_id=9,
        config=2,
        cpu=0,
        joules_per_count=2**-32,
    )


def _running(*counts: int) -> OpenEvent:
    """Return the counter of an event that shows `counts`, one at a reading."""
    out, into = os.pipe()
    os.write(into, b"".join(struct.pack("Q", count) for count in counts))
    os.close(into)
    return OpenEvent(_event(), out)


@pytest.mark.usefixtures("unit")
def test_each_package_has_its_events(powercap: SimpleNamespace) -> None:
    """One for the package and one for its memory, each on the CPU that the mask names."""
    assert [
        (e.domain, e.device, e.type_id, e.config, e.cpu, e.joules_per_count)
        for e in events(powercap.sysfs)
    ] == [
        ("package", "package-0", 9, 2, 0, 2**-32),
        ("package", "package-1", 9, 2, 18, 2**-32),
        ("dram", "dram-0", 9, 3, 0, 2**-32),
        ("dram", "dram-1", 9, 3, 18, 2**-32),
    ]


def test_events_of_other_domains_are_left_out(powercap: SimpleNamespace) -> None:
    """Cores are in the package, and psys contains it."""
    powercap.perf(
        {0: 0}, energy_pkg="event=0x02", energy_cores="event=0x01", energy_psys="event=0x05"
    )
    assert [event.device for event in events(powercap.sysfs)] == ["package-0"]


def test_a_mask_may_name_a_stretch_of_cpus(powercap: SimpleNamespace, unit: Path) -> None:
    """The kernel writes neighbours as first and last."""
    (unit / "cpumask").write_text("0,18-19\n")
    third = powercap.sysfs / "devices/system/cpu/cpu19/topology"
    third.mkdir(parents=True)
    (third / "physical_package_id").write_text("2\n")
    assert [e.cpu for e in events(powercap.sysfs) if e.domain == "package"] == [0, 18, 19]


def test_dies_of_one_package_are_left_to_powercap(powercap: SimpleNamespace) -> None:
    """Events count from 0, so nothing tells whether two dies show one counter."""
    powercap.perf({0: 0, 8: 0}, energy_pkg="event=0x02")
    assert events(powercap.sysfs) == []


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("type", "power\n"),
        ("cpumask", "\n"),
        ("events/energy-pkg", "umask=0x01,event=0x02\n"),
        ("events/energy-pkg.unit", "Watts\n"),
        ("events/energy-pkg.scale", "\n"),
    ],
)
def test_what_is_not_understood_is_not_read(
    powercap: SimpleNamespace, unit: Path, file: str, text: str
) -> None:
    """A figure of unknown meaning is worse than none."""
    (unit / file).write_text(text)
    assert events(powercap.sysfs) == []


def test_there_are_no_events_without_the_unit(powercap: SimpleNamespace) -> None:
    """A virtual machine may have the unit without its events, or neither."""
    assert events(powercap.sysfs) == []
    powercap.perf({0: 0})
    assert events(powercap.sysfs) == []


@pytest.mark.usefixtures("unit")
def test_every_event_is_opened_on_its_cpu(powercap: SimpleNamespace) -> None:
    """The opener gets type, configuration and CPU, and its descriptors are closed at the end."""
    asked: list[tuple[int, int, int]] = []
    given: list[int] = []

    def opener(*event: int) -> int:
        asked.append(event)
        given.append(os.open(os.devnull, os.O_RDONLY))
        return given[-1]

    opened = start(events(powercap.sysfs), opener)
    assert asked == [(9, 2, 0), (9, 2, 18), (9, 3, 0), (9, 3, 18)]
    for event in opened:
        event.close()
        event.close()
    assert [_is_open(descriptor) for descriptor in given] == [False] * 4


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("number", "reason", "sentence"),
    [
        (errno.EACCES, Reason.NO_PERMISSION, REFUSED),
        (errno.EPERM, Reason.NO_PERMISSION, REFUSED),
        (
            errno.ENOENT,
            Reason.METER_SILENT,
            NO_SUCH_EVENT,
        ),
    ],
)
@pytest.mark.usefixtures("unit")
def test_an_event_that_is_refused_leaves_none_open(
    powercap: SimpleNamespace,
    number: int,
    reason: Reason,
    sentence: str,
) -> None:
    """Packages without their memory are not what was asked for."""
    given: list[int] = []

    def opener(type_id: int, config: int, cpu: int) -> int:
        if config == 3:
            raise OSError(number, os.strerror(number))
        given.append(os.open(os.devnull, os.O_RDONLY))
        return given[-1]

    with pytest.raises(CounterFault) as caught:
        start(events(powercap.sysfs), opener)
    assert caught.value.reason is reason
    assert str(caught.value) == sentence
    assert [_is_open(descriptor) for descriptor in given] == [False, False]


def test_counts_become_microjoules() -> None:
    """The scale of the event makes joules, and 64 bits are counted to the end."""
    event = _running(0, JOULE, 3 * JOULE // 2, 10_000_000 * JOULE)
    assert [event.read_uj() for _ in range(4)] == [0, 1_000_000, 1_500_000, 10_000_000_000_000]
    event.close()


def _end(event: OpenEvent) -> None:
    event.read_uj()


@pytest.mark.parametrize("spoil", [_end, OpenEvent.close], ids=["ended", "closed"])
def test_an_event_that_gives_no_count_is_silent(spoil: Callable[[OpenEvent], None]) -> None:
    """The kernel ends an event whose CPU it takes away; a closed one has nothing to read."""
    event = _running(5)
    spoil(event)
    with pytest.raises(CounterFault, match="of package-0 could not be read through perf") as caught:
        event.read_uj()
    assert caught.value.reason is Reason.METER_SILENT
    event.close()


def test_the_kernel_refuses_an_event_that_it_does_not_have() -> None:
    """No machine has a unit of that number, and some let nobody ask."""
    with pytest.raises(OSError, match=r"\w") as caught:
        open_event(NO_SUCH_TYPE, 0, 0)
    assert caught.value.errno in {errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOSYS}


def _asked_for_cpu_clock() -> int | OSError:
    try:
        return open_event(SOFTWARE, CPU_CLOCK, 0)
    except OSError as error:
        return error


def test_the_kernel_counts_an_event_or_says_that_it_may_not_be_counted() -> None:
    """A software event stands in for RAPL, as every kernel has it: nanoseconds of a CPU."""
    answer = _asked_for_cpu_clock()
    if isinstance(answer, OSError):
        assert answer.errno in {errno.EACCES, errno.EPERM, errno.ENOSYS}
        return
    event = OpenEvent(_event(), answer)
    first, last = (struct.unpack("Q", os.read(answer, 8))[0] for _ in range(2))
    assert 0 < first < last
    assert not os.get_inheritable(answer)
    event.close()
    assert not _is_open(answer)
