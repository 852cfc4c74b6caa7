"""Benchmarks of other projects, unchanged, with energy and without.

Takes source distributions that have their tests in them, installs each into a folder of its own,
and runs what it has of pytest-benchmark twice: without pytest-lem, and with `--lem-benchmark`.
Tests, outcomes and the form of pytest-benchmark's JSON must be the same, and every benchmark must
have its energy beside its timings, or a reason. Needs a network with PyPI.

    tox run -e bridge
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

#: Shorter rounds, with and without us: what is compared is no timing.
COMMON = ("-p", "no:cacheprovider", "--benchmark-max-time=0.1", "--benchmark-min-time=0.00001")
#: CPU time, of which the estimate is made, comes in ticks of 10 ms.
WINDOW = "--lem-set=measure.min_window_s=0.1"
OURS = ("--lem-benchmark", "--lem-preset=smoke", "--lem-meter=estimated", WINDOW)


@dataclass(frozen=True, slots=True)
class Project:
    """A project on PyPI, with the folder of its benchmarks and the extras that they need."""

    name: str
    version: str
    folder: str
    extras: str = ""


PROJECTS = (
    Project("cattrs", "26.2.1", "bench", "[msgspec,orjson]"),
    Project("fastjsonschema", "2.22.3", "tests/benchmarks"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of a suite left: the outcome of each test, and pytest-benchmark's entries."""

    tests: dict[str, str]
    benchmarks: dict[str, dict[str, Any]]
    seconds: float


def main() -> int:
    """Run every project and print a line for each; 1 where something differs."""
    is_well = True
    for project in PROJECTS:
        with tempfile.TemporaryDirectory(prefix="lem-bridge-") as folder:
            source = _unpack(project, Path(folder))
            bare = _run(source, project, Path(folder, "bare"), ("-p", "no:lem"))
            measured = _run(source, project, Path(folder, "measured"), OURS)
        energies = [b["extra_info"].get("energy") or {} for b in measured.benchmarks.values()]
        known = [e for e in energies if e.get("energy_per_call_j") is not None]
        problems = list(_differences(bare, measured))
        print(
            f"{project.name} {project.version}: {len(bare.tests)} tests in {bare.seconds:.0f} s, "
            f"with energy in {measured.seconds:.0f} s; {len(known)} of {len(energies)} benchmarks "
            "have joules"
        )
        for problem in problems:
            print(f"  {problem}")
        is_well &= not problems
    return 0 if is_well else 1


def _unpack(project: Project, folder: Path) -> Path:
    """Download the source, install it into `site` beside it, and return where it is unpacked."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wanted = f"{project.name}=={project.version}"
    here = ("--no-binary", project.name, "--no-deps", "--dest", str(folder))
    subprocess.run([*pip, "download", *here, wanted], check=True)
    (archive,) = folder.glob("*.tar.gz")
    built = f"{archive}{project.extras}"
    subprocess.run([*pip, "install", "--target", str(folder / "site"), built], check=True)
    with tarfile.open(archive) as packed:
        packed.extractall(folder / "source", filter="data")
    (source,) = (folder / "source").iterdir()
    return source


def _run(source: Path, project: Project, results: Path, arguments: tuple[str, ...]) -> Outcome:
    """Run the benchmarks of a project in a process of its own."""
    results.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "LEM_"))}
    environment["PYTHONPATH"] = str(results.parent / "site")
    if lock_folder := os.environ.get("LEM_LOCK_DIR"):
        environment["LEM_LOCK_DIR"] = lock_folder
    if "--lem-benchmark" in arguments:
        environment["LEM_STORE"] = str(results / "store")
    outputs = (f"--junit-xml={results / 'junit.xml'}", f"--benchmark-json={results / 'bench.json'}")
    start_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", project.folder, *COMMON, *outputs, *arguments],
        cwd=source,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - start_s
    if done.returncode not in {0, 1} or not (results / "bench.json").exists():
        sys.exit(f"{project.name}: pytest ended with {done.returncode}\n{done.stdout}{done.stderr}")
    entries = json.loads((results / "bench.json").read_text())["benchmarks"]
    benchmarks = {entry["fullname"]: entry for entry in entries}
    return Outcome(dict(_outcomes(results / "junit.xml")), benchmarks, seconds)


def _outcomes(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the name of each test with what became of it."""
    for case in ET.parse(path).getroot().iter("testcase"):  # noqa: S314 - written by our own run
        ends = [child.tag for child in case if child.tag in {"failure", "error", "skipped"}]
        yield f"{case.get('classname')}::{case.get('name')}", ends[0] if ends else "passed"


def _differences(bare: Outcome, measured: Outcome) -> Iterator[str]:
    """Yield what is not the same with energy as without, and which energy is missing."""
    if not bare.benchmarks:
        yield "no benchmark ran"
    if bare.tests != measured.tests:
        yield f"other tests or outcomes: {bare.tests} became {measured.tests}"
    if list(bare.benchmarks) != list(measured.benchmarks):
        yield f"other benchmarks: {list(bare.benchmarks)} became {list(measured.benchmarks)}"
        return
    for name, entry in measured.benchmarks.items():
        yield from (f"{name}: {what}" for what in _changes(bare.benchmarks[name], entry))


def _changes(bare: dict[str, Any], measured: dict[str, Any]) -> Iterator[str]:
    """Yield what differs in one benchmark; timings, and rounds chosen by them, always do."""
    energy = measured["extra_info"].pop("energy", None)
    if energy is None:
        yield "no energy in its extra_info"
    elif energy["energy_per_call_j"] is None and not energy["reason"]:
        yield "neither energy nor a reason why there is none"
    stats = (bare.pop("stats"), measured.pop("stats"))
    if bare != measured:
        yield f"other facts: {bare} became {measured}"
    if list(stats[0]) != list(stats[1]):
        yield f"other statistics: {list(stats[0])} became {list(stats[1])}"
    if any(s["rounds"] != len(s["data"]) or s["rounds"] < 1 for s in stats):
        yield "the number of rounds is not that of the timings"


if __name__ == "__main__":
    raise SystemExit(main())
