"""Folders in which a reader of the pages would work, away from what surrounds the tests."""

from __future__ import annotations

import os
import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pageblocks import ROOT, blocks_of, of

_SURROUNDINGS = ("LEM_", "PYTEST_", "COLUMNS", "FORCE_COLOR", "NO_COLOR", "CI", "BUILD_")


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ngram: Path) -> pytest.MonkeyPatch:
    """Give the tests the environment of somebody who has just installed the project.

    Programs are those of this environment. Windows are as short as they can be: what a page says
    about a longer one is not held against a clock here.
    """
    for name in list(os.environ):
        if name.startswith(_SURROUNDINGS) and name != "PYTEST_CURRENT_TEST":
            monkeypatch.delenv(name)
    values = {
        "LEM_LOCK_DIR": tmp_path / "locks",
        "LEM_PRESET": "smoke",
        "LEM_METER": "estimated",
        "LEM_SET": "energy.sample_s=0",
        # Other plugins take seconds to import in each run; a test names those that a page needs.
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "-p lem -p no:cacheprovider",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    return monkeypatch


@pytest.fixture
def folder(pytester: pytest.Pytester, reader: pytest.MonkeyPatch) -> pytest.Pytester:
    """Return an empty folder with the configurations that the pages name."""
    shutil.copytree(ROOT / "configs", pytester.path / "configs")
    for block in of("yaml"):
        if block.file:
            pytester.path.joinpath(block.file).write_text(block.text)
    return pytester


@pytest.fixture
def install(folder: pytest.Pytester, reader: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Return a function that installs the package of a page, if any, as `pip install .` would.

    It is there for this process and for those that it starts.
    """

    def installed(page: Path) -> None:
        packages = [block for block in blocks_of(page) if "[project.entry-points" in block.text]
        if not packages:
            return
        site = folder.mkdir("site")
        for block in blocks_of(page):
            if block.language == "python" and block.file:
                site.joinpath(block.file).write_text(block.text)
        _register(tomllib.loads(packages[0].text)["project"], site)
        reader.syspath_prepend(site)
        reader.setenv("PYTHONPATH", str(site), prepend=os.pathsep)

    return installed


def _register(project: dict[str, Any], site: Path) -> None:
    """Write what an installer leaves beside a package."""
    name, version = project["name"], project["version"]
    about = site / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir()
    about.joinpath("METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    )
    lines = []
    for group, entries in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{key} = {value}" for key, value in entries.items())]
    about.joinpath("entry_points.txt").write_text("\n".join(lines) + "\n")
