"""Cold starts: caches of their own, and files that are not in memory."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pytest_lem.measure.cold import cold_start, drop_from_memory


def _pages_in_memory(path: Path) -> int:
    """Ask the kernel how many pages of a file it has in memory, by mincore."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as area:
        first = ctypes.c_char.from_buffer(area)
        found = (ctypes.c_ubyte * (len(area) // mmap.PAGESIZE))()
        address = ctypes.c_void_p(ctypes.addressof(first))
        assert ctypes.CDLL(None).mincore(address, ctypes.c_size_t(len(area)), found) == 0
        del first
    return sum(page & 1 for page in found)


@pytest.fixture
def model(pytestconfig: pytest.Config) -> Iterator[Path]:
    """Write a model with weights of 64 pages to the disk of the checkout; others may be memory."""
    with TemporaryDirectory(dir=pytestconfig.rootpath, prefix=".lem-test-") as name:
        folder = Path(name)
        (folder / "config.json").write_text("{}")
        (folder / "more").mkdir()
        (folder / "weights.bin").write_bytes(os.urandom(64 * mmap.PAGESIZE))
        yield folder


def test_files_are_dropped_from_memory(model: Path) -> None:
    """The next reader gets them from the disk; how many bytes those are is told."""
    weights = model / "weights.bin"
    assert weights.read_bytes()
    assert _pages_in_memory(weights) == 64
    assert drop_from_memory([weights, model / "config.json"]) == 64 * mmap.PAGESIZE + 2
    assert _pages_in_memory(weights) == 0


def test_caches_are_empty_and_go_with_their_host(model: Path) -> None:
    """Each engine is led to a place of its own, in a folder that is removed."""
    with cold_start() as cold:
        folder = Path(cold.folder)
        assert folder.is_dir()
        assert not list(folder.iterdir())
        assert len({*cold.variables.values()}) == 3
        assert all(Path(place).parent == folder for place in cold.variables.values())
        Path(cold.variables["TRITON_CACHE_DIR"]).mkdir()
    assert not folder.exists()


def test_what_was_done_is_told(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is not on this machine has nothing to drop, which is no 0."""
    monkeypatch.setenv("HF_HUB_CACHE", str(model / "nothing"))
    with cold_start() as cold:
        done = cold.make_cold(str(model))
        assert done["empty_caches"] == [*cold.variables]
        assert done["dropped_bytes"] == 64 * mmap.PAGESIZE + 2
        assert cold.make_cold("somebody/something")["dropped_bytes"] is None
