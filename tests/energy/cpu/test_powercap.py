"""Zones of a powercap tree, read from real files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_lem.energy.cpu.counter import CounterFault
from pytest_lem.energy.cpu.powercap import MIRROR_PAUSE_S, distinct, zones
from pytest_lem.flags import Reason

#: A file of Linux that nobody may read, not even root.
FORBIDDEN = Path("/proc/sys/vm/compact_memory")
J = 1_000_000


def _devices(root: Path) -> list[str]:
    return [zone.device for zone in zones(root)]


def test_packages_and_their_memory_are_found(powercap: SimpleNamespace) -> None:
    """Each has its domain and a name that tells it from the others."""
    powercap.zone("intel-rapl:0", "package-0", 12)
    powercap.zone("intel-rapl:0:1", "dram", 34)
    powercap.zone("intel-rapl:1", "package-1-die-1", 56)
    powercap.zone("intel-rapl:1:0", "dram", 78)
    assert [(zone.domain, zone.device, zone.read_uj()) for zone in zones(powercap.root)] == [
        ("package", "package-0", 12),
        ("dram", "dram-0", 34),
        ("package", "package-1-die-1", 56),
        ("dram", "dram-1-die-1", 78),
    ]


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("intel-rapl:1", "psys"),
        ("intel-rapl-mmio:0", "package-1"),
        ("intel-rapl:0:0", "core"),
        ("intel-rapl:0:0", "package-1"),
        ("intel-rapl:0:2", "uncore"),
        ("intel-rapl:1", "package-x"),
        ("intel-rapl:1", "package-1-die"),
        ("intel-rapl:1:0", "dram"),
    ],
)
def test_what_is_contained_elsewhere_or_strange_is_left_out(
    powercap: SimpleNamespace, folder: str, name: str
) -> None:
    """Zones that repeat or contain the package would be added twice."""
    powercap.zone("intel-rapl:0", "package-0")
    powercap.zone(folder, name)
    assert _devices(powercap.root) == ["package-0"]


def test_memory_nested_in_its_package_is_found_once(powercap: SimpleNamespace) -> None:
    """Sysfs shows a zone beside its package and inside it: the same counter twice."""
    nested = powercap.zone("intel-rapl:0/intel-rapl:0:0", "dram")
    (powercap.root / "intel-rapl:0" / "name").write_text("package-0\n")
    assert _devices(powercap.root) == ["package-0", "dram-0"]
    (powercap.root / "intel-rapl:0:0").symlink_to(nested)
    assert _devices(powercap.root) == ["package-0", "dram-0"]


def test_package_one_is_not_package_ten(powercap: SimpleNamespace) -> None:
    """Folder names that begin alike are different sockets."""
    powercap.zone("intel-rapl:1", "package-1")
    powercap.zone("intel-rapl:10", "package-10")
    powercap.zone("intel-rapl:10:0", "dram")
    assert _devices(powercap.root) == ["package-1", "package-10", "dram-10"]


def test_there_is_nothing_where_there_is_no_tree(powercap: SimpleNamespace) -> None:
    """Most virtual machines have none."""
    assert zones(powercap.root / "missing") == []


@pytest.mark.parametrize(
    ("text", "range_uj"), [("262143328850", 262_143_328_850), ("", 0), ("many", 0), (None, 0)]
)
def test_an_unknown_range_is_0(powercap: SimpleNamespace, text: str | None, range_uj: int) -> None:
    """The counter can be read all the same, until it goes round."""
    file = powercap.zone("intel-rapl:0", "package-0") / "max_energy_range_uj"
    file.unlink()
    if text is not None:
        file.write_text(text)
    assert zones(powercap.root)[0].range_uj == range_uj


@pytest.mark.parametrize(
    ("limits", "power_w"),
    [
        ({}, 500.0),
        ({"constraint_0_max_power_uw": "0"}, 500.0),
        ({"constraint_0_max_power_uw": "165000000"}, 165.0),
        (
            {
                "constraint_0_power_limit_uw": "165000000",
                "constraint_1_power_limit_uw": "210000000",
            },
            210,
        ),
        ({"constraint_0_min_power_uw": "900000000", "constraint_1_max_power_uw": "rubbish"}, 500.0),
    ],
    ids=["none", "zero", "one", "two", "neither"],
)
def test_the_largest_power_is_the_largest_limit_there_is(
    powercap: SimpleNamespace, limits: dict[str, str], power_w: float
) -> None:
    """Packages exceed the first limit for a while, up to the second."""
    zone = powercap.zone("intel-rapl:0", "package-0")
    for name, text in limits.items():
        (zone / name).write_text(f"{text}\n")
    assert zones(powercap.root)[0].max_power_w == power_w


def _unlink(file: Path) -> None:
    file.unlink()


def _hide(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_unlink, "No such file or directory"),
        (_hide, "Is a directory"),
        (lambda file: file.write_text("\n"), "No data available"),
        (lambda file: file.write_text("-1\n"), "No data available"),
        (lambda file: file.write_bytes(b"\xff\xfe"), "No data available"),
    ],
    ids=["missing", "folder", "empty", "negative", "binary"],
)
def test_a_counter_without_a_number_is_silent(
    powercap: SimpleNamespace, spoil: Callable[[Path], object], why: str
) -> None:
    """The fault says which file it was, and what the system says."""
    file = powercap.zone("intel-rapl:0", "package-0", 5) / "energy_uj"
    (zone,) = zones(powercap.root)
    spoil(file)
    with pytest.raises(CounterFault) as caught:
        zone.read_uj()
    assert caught.value.reason is Reason.METER_SILENT
    assert str(caught.value) == f"the RAPL counter {file} could not be read ({why})"


def test_a_counter_that_may_not_be_read_says_what_an_administrator_can_do(
    powercap: SimpleNamespace,
) -> None:
    """Current kernels let only root read the counters."""
    (powercap.zone("intel-rapl:0", "package-0", None) / "energy_uj").symlink_to(FORBIDDEN)
    (zone,) = zones(powercap.root)
    with pytest.raises(CounterFault) as caught:
        zone.read_uj()
    assert caught.value.reason is Reason.NO_PERMISSION
    assert str(caught.value) == (
        "RAPL counters are readable by root only; let an administrator run "
        f"`chmod a+r {powercap.root}/intel-rapl:*/energy_uj`"
    )


@pytest.fixture
def dies(powercap: SimpleNamespace) -> Callable[..., list[str]]:
    """Return what is distinct of dies with the given counts before and after a pause."""

    def find(*counts: tuple[int, int], turn_uj: int = 65_532_610_987) -> list[str]:
        for die, (before, _) in enumerate(counts):
            powercap.zone(f"intel-rapl:{die}", f"package-0-die-{die}", before, turn_uj=turn_uj)

        def pause(duration_s: float) -> None:
            assert duration_s == MIRROR_PAUSE_S
            for die, (_, after) in enumerate(counts):
                powercap.count(f"intel-rapl:{die}", after)

        found = distinct(zones(powercap.root), pause)
        return [zone.device.removeprefix("package-0-") for zone in found]

    return find


@pytest.mark.parametrize(
    "counts",
    [
        [(5_000 * J, 5_004 * J)] * 2,
        [(5_000 * J, 5_004 * J), (5_000 * J + 30_000, 5_004 * J + 90_000)],
        [(65_532_610_900, 4 * J), (50, 4 * J + 200)],
        [(5_000 * J, 5_004 * J)] * 4,
    ],
    ids=["same", "a-refresh-apart", "going-round", "four"],
)
def test_dies_that_show_one_counter_are_one(
    dies: Callable[..., list[str]], counts: list[tuple[int, int]]
) -> None:
    """Their sum would be that of as many sockets."""
    assert dies(*counts) == ["die-0"]


@pytest.mark.parametrize(
    "counts",
    [
        [(0, 0), (0, 0)],
        [(5_000 * J, 5_000 * J), (5_000 * J, 5_000 * J)],
        [(5_000 * J, 5_004 * J), (5_000 * J, 5_000 * J)],
        [(300_000, 700_000), (200_000, 210_000)],
        [(5_000 * J, 5_004 * J), (5_000 * J, 5_006 * J)],
        [(5_000 * J, 5_050 * J), (5_000 * J, 5_052 * J)],
        [(5_000 * J, 5_004 * J), (5_002 * J, 5_006 * J)],
    ],
    ids=["zero", "still", "one-still", "both-low", "drifting", "drifting-slowly", "apart"],
)
def test_dies_that_have_not_shown_to_be_one_are_two(
    dies: Callable[..., list[str]], counts: list[tuple[int, int]]
) -> None:
    """Leaving out a counter of its own would halve the energy."""
    assert dies(*counts) == ["die-0", "die-1"]


def test_counters_of_unknown_range_can_be_mirrors(dies: Callable[..., list[str]]) -> None:
    """Without a range there is only one way round from one count to the other."""
    assert dies((9 * J, 11 * J), (9 * J + 50, 11 * J + 80), turn_uj=0) == ["die-0"]


def test_memory_and_other_sockets_stay_beside_a_mirror(powercap: SimpleNamespace) -> None:
    """Only packages are compared, and memory may show the same as its package."""
    for folder, name in (
        ("intel-rapl:0", "package-0-die-0"),
        ("intel-rapl:0:0", "dram"),
        ("intel-rapl:1", "package-0-die-1"),
        ("intel-rapl:2", "package-1-die-0"),
    ):
        powercap.zone(folder, name, 700 * J if name.startswith("package-1") else 5_000 * J)

    def pause(_: float) -> None:
        for folder in ("intel-rapl:0", "intel-rapl:0:0", "intel-rapl:1"):
            powercap.count(folder, 5_004 * J)

    found = distinct(zones(powercap.root), pause)
    assert [zone.device for zone in found] == ["package-0-die-0", "dram-0-die-0", "package-1-die-0"]


def test_counters_that_differ_are_not_waited_for(powercap: SimpleNamespace) -> None:
    """The usual machine pays nothing for the unusual one."""
    powercap.zone("intel-rapl:0", "package-0", 5_000 * J)
    powercap.zone("intel-rapl:1", "package-1", 9_000 * J)
    pauses: list[float] = []
    assert len(distinct(zones(powercap.root), pauses.append)) == 2
    assert pauses == []


def test_unreadable_memory_is_a_fault_before_the_window(powercap: SimpleNamespace) -> None:
    """A sum that lacks a part is not to be begun."""
    powercap.zone("intel-rapl:0", "package-0", 5)
    powercap.zone("intel-rapl:0:0", "dram", None)
    with pytest.raises(CounterFault):
        distinct(zones(powercap.root), lambda _: None)


def test_the_module_needs_the_standard_library_alone() -> None:
    """A process that only samples power starts at once."""
    code = (
        "import sys; before = set(sys.modules); import pytest_lem.energy.cpu.powercap\n"
        "loaded = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(*loaded - set(sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["pytest_lem"]
