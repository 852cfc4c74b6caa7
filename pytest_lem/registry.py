"""What is registered: backends, meters and reports, ours and strangers', by entry points."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pytest_lem.errors import config_error, did_you_mean

BACKENDS = "pytest_lem.backends"
METERS = "pytest_lem.meters"
REPORTS = "pytest_lem.reports"


def entries(group: str) -> dict[str, EntryPoint]:
    """Return the entry points of `group` by name, without importing any of them."""
    return {entry.name: entry for entry in entry_points(group=group)}


def find(group: str, name: str) -> EntryPoint:
    """Return one entry point; an unknown name is a config error that names what is near."""
    found = entries(group).get(name)
    if found is None:
        noun = group.rpartition(".")[2].removesuffix("s")
        raise config_error(
            f"there is no {noun} `{name}`: {did_you_mean(name, list(entries(group)))}"
        )
    return found


def load(group: str, name: str) -> Any:
    """Import and return what `name` stands for in `group`."""
    return find(group, name).load()
