"""How much memory a process may have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pytest_lem.measure.preflight.memory import Memory, host_memory

MIB = 1 << 20
MEMINFO = "MemTotal:     1000000 kB\nMemFree:  1 kB\nMemAvailable:   400000 kB\n"
TOTAL_BYTES, FREE_BYTES = 1_000_000 << 10, 400_000 << 10
V1, V2 = "4:memory:/a/b\n3:cpu:/a\n", "0::/a/b\n"
Write = Callable[..., Path]


@pytest.fixture
def system(tmp_path: Path) -> Write:
    """Write what the kernel says: memory, the groups of the process, and files of groups."""

    def write(groups: str = "", **files: str) -> Path:
        texts = {"proc/meminfo": MEMINFO, "proc/self/cgroup": groups}
        for name, text in {**texts, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def _v1(folder: str, limit: str, used: str, inactive: int) -> dict[str, str]:
    place = f"sys/fs/cgroup/memory/{folder}"
    return {
        f"{place}memory.limit_in_bytes": f"{limit}\n",
        f"{place}memory.usage_in_bytes": f"{used}\n",
        f"{place}memory.stat": f"inactive_file 1\ntotal_inactive_file {inactive}\n",
    }


def _v2(folder: str, limit: str, used: str, inactive: int) -> dict[str, str]:
    place = f"sys/fs/cgroup/{folder}"
    return {
        f"{place}memory.max": f"{limit}\n",
        f"{place}memory.current": f"{used}\n",
        f"{place}memory.stat": f"anon 5\ninactive_file {inactive}\n",
    }


def test_without_groups_the_machine_is_the_limit(system: Write) -> None:
    """What is available counts, not what is free: the kernel gives caches back."""
    assert host_memory(system()) == Memory(total_bytes=TOTAL_BYTES, free_bytes=FREE_BYTES)


@pytest.mark.parametrize(
    ("groups", "files"),
    [
        (V1, _v1("a/b/", str(200 * MIB), str(150 * MIB), 30 * MIB)),
        (V2, _v2("a/b/", str(200 * MIB), str(150 * MIB), 30 * MIB)),
        (V1, _v1("", str(200 * MIB), str(150 * MIB), 30 * MIB)),
        (V2, _v2("a/", str(200 * MIB), str(150 * MIB), 30 * MIB)),
    ],
    ids=["v1", "v2", "v1 in a container", "v2, of the parent"],
)
def test_a_group_is_the_limit(system: Write, groups: str, files: dict[str, str]) -> None:
    """Its cache of files is given back as well; a group around it, or the container's, counts."""
    assert host_memory(system(groups, **files)) == Memory(
        total_bytes=200 * MIB, free_bytes=80 * MIB
    )


@pytest.mark.parametrize(
    ("groups", "files"),
    [
        (V2, _v2("a/b/", "max", str(150 * MIB), 0)),
        (V1, _v1("a/b/", str(2**63 - 4096), str(150 * MIB), 0)),
        (V2, {}),
        ("3:cpu:/a\n", _v1("a/", "1", "1", 0)),
    ],
    ids=["none", "as good as none", "no files", "no group"],
)
def test_a_group_without_a_limit_is_none(system: Write, groups: str, files: dict[str, str]) -> None:
    """The machine remains."""
    assert host_memory(system(groups, **files)) == Memory(
        total_bytes=TOTAL_BYTES, free_bytes=FREE_BYTES
    )


def test_a_full_group_has_nothing_left(system: Write) -> None:
    """The kernel may count more in it than it allows."""
    files = _v2("a/b/", str(10 * MIB), str(11 * MIB), 0)
    assert host_memory(system(V2, **files)).free_bytes == 0


def test_a_system_that_tells_nothing_has_unknown_memory(tmp_path: Path) -> None:
    """That is not none."""
    assert host_memory(tmp_path) == Memory(total_bytes=None, free_bytes=None)


def test_this_machine_is_read() -> None:
    """Not more than there is, and something of it is free."""
    found = host_memory(Path("/"))
    assert found.total_bytes is not None
    assert found.free_bytes is not None
    assert 0 < found.free_bytes <= found.total_bytes <= psutil.virtual_memory().total
