"""The section about the machine."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_lem.cli.doctor import machine
from pytest_lem.energy.exclusive import FOLDER_VARIABLE
from pytest_lem.results import environment

FACTS = environment.machine(Path("/"))


def test_a_sound_machine_has_no_problem():
    """Sizes are bytes, folders are those of this user."""
    section = machine.look(FACTS)
    assert section.problems == []
    assert 0 < section.facts["memory_available_bytes"] <= section.facts["memory_bytes"]
    assert section.facts["lock_folder"]["writable"] is True
    assert section.facts["cache_folder"]["path"].endswith("cache/pytest-lem")


@pytest.mark.parametrize(("size_bytes", "is_little"), [(64 * 2**20, True), (2**33, False)])
def test_little_shared_memory_is_a_hint(monkeypatch, size_bytes, is_little):
    """It says how a container gets more."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=size_bytes))
    section = machine.look(FACTS)
    assert section.facts["shared_memory_bytes"] == size_bytes
    assert bool(section.hints) is is_little
    assert all("has 64 MiB" in h and "--shm-size=8g" in h for h in section.hints)


def test_a_machine_without_shared_memory_has_an_unknown_size(tmp_path):
    """Unknown is null, and no reason to warn."""
    section = machine.look(FACTS, shared_memory=tmp_path / "nowhere")
    assert section.facts["shared_memory_bytes"] is None
    assert section.hints == []


def test_a_lock_folder_that_cannot_be_written_is_a_problem(tmp_path, monkeypatch):
    """Tests of other users would be in the figures. A file stands where the folder should."""
    (tmp_path / "file").touch()
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "file"))
    (problem,) = machine.look(FACTS).problems
    assert str(tmp_path / "file") in problem
    assert FOLDER_VARIABLE in problem


def test_a_cache_folder_that_cannot_be_written_is_a_hint(tmp_path, monkeypatch):
    """It costs time, not truth."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    section = machine.look(FACTS)
    assert section.problems == []
    assert any("XDG_CACHE_HOME" in hint for hint in section.hints)
