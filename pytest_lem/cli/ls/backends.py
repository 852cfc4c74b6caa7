"""`lem ls backends`: what can run a model, and whether it is installed here."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from pytest_lem.cli.ls.listed import show_named
from pytest_lem.cli.printing import complain
from pytest_lem.registry import BACKENDS, entries

_NAMES = ("backend", "installed", "needs", "precisions", "install")


def run(*, form: str) -> int:
    """Print each backend; return 1 when one cannot be loaded, else 0."""
    rows, broken = [], 0
    for name, entry in sorted(entries(BACKENDS).items()):
        try:
            backend = entry.load()
            rows.append(
                {
                    "backend": name,
                    "installed": _is_installed(backend.requires),
                    "needs": list(backend.requires),
                    "precisions": list(backend.precisions),
                    "install": backend.install,
                }
            )
        except Exception as error:  # noqa: BLE001 - a stranger's code, whatever is wrong with it
            broken += 1
            complain(
                f"the backend `{name}` cannot be loaded ({type(error).__name__}: {error}); install "
                "its package anew, or remove it"
            )
    show_named(form, _NAMES, rows)
    return 1 if broken else 0


def _is_installed(packages: Sequence[str]) -> bool:
    return all(importlib.util.find_spec(package) is not None for package in packages)
