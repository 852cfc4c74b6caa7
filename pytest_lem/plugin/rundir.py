"""Where a run writes: one directory in the store, made when the first thing is written."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_lem.plugin.options import Given, given

_RUN_DIRECTORY = pytest.StashKey[Path]()


def path_of(config: pytest.Config, found: Given) -> Path:
    """Return the path that somebody gave: relative to where it was given."""
    is_typed = found.origin.startswith("--")
    base = config.invocation_params.dir if is_typed else config.rootpath
    return base / Path(found.value).expanduser()


def store_directory(config: pytest.Config) -> Path:
    """Return the folder of runs and baselines."""
    chosen = given(config, "store")
    return path_of(config, chosen) if chosen else config.rootpath / ".lem"


def run_directory(config: pytest.Config) -> Path:
    """Return the directory of this run; under xdist, the one that the controller chose."""
    if _RUN_DIRECTORY not in config.stash:
        workerinput = getattr(config, "workerinput", {})
        told = workerinput.get("lem_run_directory")
        config.stash[_RUN_DIRECTORY] = Path(told) if told else _new(config)
    return config.stash[_RUN_DIRECTORY]


def make_run_directory(config: pytest.Config) -> Path:
    """Create it, with a `.gitignore` that keeps runs, but not baselines, out of version control."""
    directory = run_directory(config)
    directory.mkdir(parents=True, exist_ok=True)
    ignore = directory.parent.parent / ".gitignore"
    if not ignore.exists():
        ignore.write_text(
            "# made by pytest-lem; a baseline may be committed\n/.gitignore\n/runs/\n"
        )
    return directory


def _new(config: pytest.Config) -> Path:
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")[:-3]  # so that names sort by time
    return store_directory(config) / "runs" / f"{moment}-{os.urandom(3).hex()}"
