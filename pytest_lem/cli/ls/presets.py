"""`lem ls presets`: the settings that others can start from."""

from __future__ import annotations

from pathlib import Path

from pytest_lem.cli.ls.listed import show_named
from pytest_lem.config.resolve import PRESETS
from pytest_lem.config.source import read_file


def run(*, form: str) -> int:
    """Print each preset; return 0."""
    rows = [
        {
            "preset": path.stem,
            "what": _purpose(path),
            "sets": {".".join(keys): found.value for keys, found in read_file(path).leaves.items()},
        }
        for path in sorted(PRESETS.glob("*.yaml"))
    ]
    show_named(form, list(rows[0]), rows)
    return 0


def _purpose(path: Path) -> str:
    """Return the comment with which a preset begins."""
    lines = path.read_text(encoding="utf-8").splitlines()
    end = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    return " ".join(line.removeprefix("#").strip() for line in lines[:end])
