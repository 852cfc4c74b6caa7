"""Files of the kernel that are read again and again."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_lem.energy.sampling.kernel_file import KernelFile


def test_each_reading_is_new(tmp_path: Path) -> None:
    """The file is opened once, and shows what it holds now."""
    path = tmp_path / "temp"
    path.write_text("41000\n")
    file = KernelFile(path)
    assert file.number() == 41000
    path.write_text("-5000\n")
    assert file.number() == -5000


def test_the_kernel_is_asked_anew() -> None:
    """A file whose text the kernel makes for each reader has another one each time."""
    file = KernelFile(Path("/proc/sys/kernel/random/uuid"))
    assert len({file.read() for _ in range(3)}) == 3


@pytest.mark.parametrize("text", ["", "\n", "N/A\n", "1.5\n", "1 2\n", "--1\n"])
def test_what_is_no_number_is_unknown(tmp_path: Path, text: str) -> None:
    """A sensor without a value gives none."""
    (tmp_path / "temp").write_text(text)
    assert KernelFile(tmp_path / "temp").number() is None


def test_a_file_that_cannot_be_read_is_empty(tmp_path: Path) -> None:
    """Neither one that is not there, nor a folder, is an error."""
    for path in (tmp_path / "none", tmp_path):
        file = KernelFile(path)
        assert (file.read(), file.number()) == (b"", None)
