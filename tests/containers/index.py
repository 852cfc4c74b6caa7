"""A small package index of made wheels, which ask for what the real distributions ask for.

`requirements/NAME-VERSION.txt` has what was read off PyPI. What is asked for and has no such file
is a wheel without requirements, once for each version that somebody names.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

FACTS = Path(__file__).parent / "requirements"


def facts() -> dict[tuple[str, str], list[str]]:
    """Return what distributions ask for, by name and version."""
    found = {}
    for path in sorted(FACTS.glob("*.txt")):
        name, _, version = path.stem.rpartition("-")
        lines = path.read_text(encoding="utf-8").splitlines()
        found[name, version] = [line for line in lines if line and line[0] != "#"]
    return found


def of_library(lines: Iterable[str], library: str) -> list[SpecifierSet]:
    """Return what these requirements want of one library."""
    asked = map(Requirement, lines)
    return [x.specifier for x in asked if canonicalize_name(x.name) == library]


def of_project(project: dict[str, Any]) -> list[str]:
    """Return what this project asks for, as its wheel says it."""
    extras = project["optional-dependencies"].items()
    optional = [f'{line}; extra == "{extra}"' for extra, lines in extras for line in lines]
    return [*project["dependencies"], *optional]


def build(folder: Path, project: dict[str, Any]) -> None:
    """Write the wheels."""
    wheels = facts()
    lines = [*chain.from_iterable(wheels.values()), *of_project(project)]
    leaves = _leaves(map(Requirement, lines), {name for name, _ in wheels})
    wheels |= {leaf: [] for leaf in leaves}
    for (name, version), lines in wheels.items():
        _write(folder, name, version, lines)
    extras = project["optional-dependencies"]
    _write(folder, project["name"], project["version"], of_project(project), extras)


def _leaves(asked: Iterable[Requirement], known: set[str]) -> set[tuple[str, str]]:
    """Return names and versions so that each requirement is met by one of them."""
    specifiers: dict[str, list[SpecifierSet]] = {}
    for requirement in asked:
        name = canonicalize_name(requirement.name)
        if name not in known:
            specifiers.setdefault(name, []).append(requirement.specifier)
    return {(name, version) for name, sets in specifiers.items() for version in _versions(sets)}


def _versions(sets: list[SpecifierSet]) -> set[str]:
    named = {s.version for found in sets for s in found if s.operator in {"==", ">=", "<=", "~="}}
    for found in sets:
        if not any(found.contains(version, prereleases=True) for version in named):
            named.add("1.0" if "1.0" in found else "0.0.1")
    return {str(Version(version)) for version in named}


def _write(
    folder: Path, name: str, version: str, lines: Iterable[str], extras: Iterable[str] = ()
) -> None:
    stem = f"{name.replace('-', '_')}-{version}"
    metadata = [
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}",
        *(f"Provides-Extra: {extra}" for extra in extras),
        *(f"Requires-Dist: {line}" for line in lines),
    ]
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{stem}.dist-info/METADATA", "\n".join(metadata) + "\n")
        wheel.writestr(
            f"{stem}.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: made\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(f"{stem}.dist-info/RECORD", "")
