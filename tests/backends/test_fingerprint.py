"""Hashes of files are those of their content, and large files are read once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from pytest_lem.backends.fingerprint import file_sha256

#: Long ago, so that a file does not count as just written.
OLD_S = 1_600_000_000
SIZE = 1 << 20


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pytest-lem" / "hashes"


def write(path: Path, content: bytes, time_s: int = OLD_S) -> Path:
    path.write_bytes(content)
    os.utime(path, (time_s, time_s))
    return path


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_large_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time the hash comes from the cache, though the file cannot be read any more."""
    path = write(tmp_path / "weights", b"a" * SIZE)
    first = file_sha256(path)
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("it was read again"))

    assert file_sha256(path) == first == sha256(b"a" * SIZE)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """Another time of change, or another size, is another file."""
    path = write(tmp_path / "weights", b"a" * SIZE)
    file_sha256(path)

    assert file_sha256(write(path, b"b" * SIZE, OLD_S + 1)) == sha256(b"b" * SIZE)
    assert file_sha256(write(path, b"b" * SIZE + b"c", OLD_S + 1)) == sha256(b"b" * SIZE + b"c")


def test_a_replaced_file_is_read_again(tmp_path: Path) -> None:
    """A file moved into the place of another has another inode."""
    path = write(tmp_path / "weights", b"a" * SIZE)
    file_sha256(path)
    write(tmp_path / "other", b"b" * SIZE).replace(path)

    assert file_sha256(path) == sha256(b"b" * SIZE)


def test_a_file_just_written_is_not_remembered(tmp_path: Path, cache: Path) -> None:
    """It might be written again within the same tick of the clock."""
    path = tmp_path / "weights"
    path.write_bytes(b"a" * SIZE)

    assert file_sha256(path) == sha256(b"a" * SIZE)
    assert not cache.exists()


def test_small_files_leave_no_note(tmp_path: Path, cache: Path) -> None:
    """Configuration and tokenizer are hashed as they are."""
    path = write(tmp_path / "config.json", b"{}")

    assert file_sha256(path) == sha256(b"{}")
    assert not cache.exists()


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"state": 1}', '{"sha256": 3}'])
def test_a_damaged_note_is_made_again(tmp_path: Path, cache: Path, damage: str) -> None:
    """Whatever stands in the cache, the hash is right."""
    path = write(tmp_path / "weights", b"a" * SIZE)
    file_sha256(path)
    (note,) = cache.iterdir()
    note.write_text(damage)

    assert file_sha256(path) == sha256(b"a" * SIZE)


def test_without_a_cache_the_hash_is_still_right(tmp_path: Path) -> None:
    """A file where the cache's folder should be is no reason to fail."""
    (tmp_path / "cache").write_text("in the way")
    path = write(tmp_path / "weights", b"a" * SIZE)

    assert file_sha256(path) == file_sha256(path) == sha256(b"a" * SIZE)
