"""Keeping the outcome of the observer test."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_lem.energy.counter.verdicts import Verdicts


@pytest.fixture
def path(tmp_path):
    """Return where verdicts are kept."""
    return tmp_path / "cache" / "observer.json"


def test_a_verdict_is_kept_for_its_device_and_driver(path):
    """Another board and another driver have verdicts of their own, or none."""
    Verdicts(path).put("GPU-a", "580.1", is_disturbed=True)
    Verdicts(path).put("GPU-b", "580.1", is_disturbed=False)
    found = Verdicts(path)
    assert found.get("GPU-a", "580.1") is True
    assert found.get("GPU-b", "580.1") is False
    assert found.get("GPU-a", "590.2") is None


def test_a_verdict_ends_with_the_boot(path, monkeypatch, tmp_path):
    """After the next boot the test is run again."""
    Verdicts(path).put("GPU-a", "580.1", is_disturbed=False)
    boot = tmp_path / "boot_id"
    boot.write_text("another boot\n")
    monkeypatch.setattr("pytest_lem.energy.counter.verdicts._BOOT", boot)
    assert Verdicts(path).get("GPU-a", "580.1") is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"x": 1}'])
def test_a_damaged_cache_is_none(path, content):
    """Whatever stands in the file, there is no error and no verdict."""
    path.parent.mkdir()
    path.write_text(content)
    assert Verdicts(path).get("GPU-a", "580.1") is None
    Verdicts(path).put("GPU-a", "580.1", is_disturbed=False)
    assert Verdicts(path).get("GPU-a", "580.1") is False


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    """The next session runs the test again; this one goes on."""
    (tmp_path / "file").write_text("")
    verdicts = Verdicts(tmp_path / "file" / "observer.json")
    verdicts.put("GPU-a", "580.1", is_disturbed=True)
    assert verdicts.get("GPU-a", "580.1") is None


def test_the_cache_is_the_users(monkeypatch, tmp_path):
    """Without a path it lies in the user's cache directory."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    Verdicts().put("GPU-a", "580.1", is_disturbed=False)
    assert Path(tmp_path, "pytest-lem", "observer.json").is_file()
