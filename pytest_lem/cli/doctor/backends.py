"""The backends: which are installed, in which versions, and whether they can be imported."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, packages_distributions, version
from typing import Any

from pytest_lem.backends.protocol import Backend
from pytest_lem.cli.doctor.findings import Row, Section
from pytest_lem.registry import BACKENDS, entries

#: Longest wait for the import of a library.
IMPORT_S = 120.0
_IMPORT = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"


def look(*, is_quick: bool) -> Section:
    """Look at every registered backend; the imports are tried unless it has to be quick."""
    facts = [_facts(entry, is_quick=is_quick) for entry in _registered()]
    return Section(
        name="backends",
        facts=facts,
        rows=[Row(fact["name"], _text(fact)) for fact in facts],
        problems=[
            f"the backend `{fact['name']}` is installed but broken: {fact['fault']}; install its "
            "package anew, or remove it"
            for fact in facts
            if fact["fault"]
        ],
    )


def _registered() -> list[EntryPoint]:
    return [entry for _, entry in sorted(entries(BACKENDS).items())]


def _facts(entry: EntryPoint, *, is_quick: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "name": entry.name,
        "installed": None,
        "missing": None,
        "imported": None,
        "versions": {},
        "precisions": None,
        "install": None,
        "fault": None,
    }
    try:
        backend: Backend = entry.load()
        missing = [name for name in backend.requires if not _is_there(name)]
    except Exception as error:  # noqa: BLE001 - a stranger's code, whatever is wrong with it
        sentence = f"{entry.value} cannot be loaded ({type(error).__name__}: {error})"
        return {**facts, "fault": sentence}
    fault = None if missing or is_quick else import_fault(backend.requires)
    return {
        **facts,
        "installed": not missing,
        "missing": missing,
        "imported": None if missing or is_quick else fault is None,
        "versions": _versions(backend.requires),
        "precisions": list(backend.precisions),
        "install": backend.install,
        "fault": fault,
    }


def import_fault(names: Sequence[str]) -> str | None:
    """Import packages in a process of its own; return why that fails, None when it does not."""
    if not names:
        return None
    # -P: a file of this name in the present folder is not meant.
    command = [sys.executable, "-P", "-c", _IMPORT, *names]
    try:
        done = subprocess.run(  # noqa: S603 - names from the class of the backend
            command, capture_output=True, text=True, errors="replace", timeout=IMPORT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"importing {', '.join(names)} takes longer than {IMPORT_S:g} s"
    if done.returncode == 0:
        return None
    said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return f"importing {', '.join(names)} fails ({said[-1]})"


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # a parent is missing, or the module has no specification
        return False


def _versions(names: Sequence[str]) -> dict[str, str]:
    """Return the versions of the packages that bring these modules."""
    bringing = packages_distributions()
    packages = sorted({p for name in names for p in bringing.get(name.partition(".")[0], [])})
    return {package: version(package) for package in packages}


def _text(fact: dict[str, Any]) -> str:
    if fact["fault"]:
        return f"broken: {fact['fault']}"
    if fact["missing"]:
        return f"not installed: needs {', '.join(fact['missing'])}; run: {fact['install']}"
    found = ", ".join(f"{name} {number}" for name, number in fact["versions"].items())
    tried = "" if fact["imported"] else " (import not tried)"
    return f"installed{tried}{f': {found}' if found else ''}"
