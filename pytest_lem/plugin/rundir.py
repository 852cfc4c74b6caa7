"""Where a run writes: one directory, made when the first thing is written."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_lem.plugin.options import given

_RUN_DIRECTORY = pytest.StashKey[Path]()


def run_directory(config: pytest.Config) -> Path:
    """Return the directory of this run; under xdist, the one that the controller chose."""
    if _RUN_DIRECTORY not in config.stash:
        workerinput = getattr(config, "workerinput", {})
        told = workerinput.get("lem_run_directory")
        config.stash[_RUN_DIRECTORY] = Path(told) if told else _new(config)
    return config.stash[_RUN_DIRECTORY]


def make_run_directory(config: pytest.Config) -> Path:
    """Create it, with a `.gitignore` that keeps the store out of version control."""
    directory = run_directory(config)
    directory.mkdir(parents=True, exist_ok=True)
    ignore = directory.parent.parent / ".gitignore"
    if not ignore.exists():
        ignore.write_text("# made by pytest-lem\n*\n")
    return directory


def _new(config: pytest.Config) -> Path:
    chosen = given(config, "store")
    store = config.invocation_params.dir / chosen.value if chosen else config.rootpath / ".lem"
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    return Path(store).expanduser() / "runs" / f"{moment}-{os.urandom(3).hex()}"
