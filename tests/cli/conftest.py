"""The command line as users start it, away from what surrounds the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.case import call_case
from pytest_lem.cli.main import main
from pytest_lem.energy.reading import Domain, Energy, Tier
from pytest_lem.measure.round import Measurement, Round, Work
from pytest_lem.results.build import Context, build_record
from pytest_lem.results.record import Record
from pytest_lem.results.run import Run
from pytest_lem.results.runfile import RunFile, write_run
from pytest_lem.results.session import session_of
from pytest_lem.results.store import Store

Lem = Callable[..., "subprocess.CompletedProcess[str]"]

_SURROUNDINGS = (
    "LEM_", "PYTEST_", "CUDA_", "COLUMNS", "FORCE_COLOR", "NO_COLOR", "CI", "GITHUB_"
)  # fmt: skip


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take away what a user, a CI or the machine would be felt by; caches and locks are new."""
    for name in list(os.environ):
        if name.startswith(_SURROUNDINGS) and name != "PYTEST_CURRENT_TEST":
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LEM_LOCK_DIR", str(tmp_path / "locks"))


@pytest.fixture
def run(tmp_path: Path) -> Lem:
    """Return a function that runs a module of Python, in an empty folder unless told where."""
    work = tmp_path / "work"
    work.mkdir()

    def start(
        module: str, *arguments: str, folder: Path = work
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )

    return start


@pytest.fixture
def lem(run: Lem) -> Lem:
    """Return a function that runs `lem` with arguments."""
    return lambda *arguments, **places: run("pytest_lem.cli.main", *arguments, **places)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, and return it."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def measured() -> Callable[..., Record]:
    """Make the record of a callable: 8 J and 2 s for four calls, by a counter."""

    def make(
        name: str = "t::sort",
        *,
        joules: float = 8.0,
        seconds: float = 2.0,
        cycle: int | None = None,
        settings: dict[str, Any] | None = None,
        failure: Any = None,
        version: str | None = None,
    ) -> Record:
        energy = Energy(
            domain=Domain.PACKAGE,
            device="package-0",
            tier=Tier.COUNTER,
            value_j=joules,
            u_random_j=0.0,
            u_systematic_j=0.0,
        )
        work = Work(calls=4)
        rounds = [Round(seq=0, start_s=10.0, end_s=10.0 + seconds, energies=[energy], work=work)]
        case = call_case(name)
        if settings:
            case = replace(case, settings={**case.settings, **settings})
        context = Context(nodeid=f"{name}-cycle:{cycle}" if cycle else name, cycle=cycle)
        found = Measurement(rounds=rounds, applied={"backend_version": version})
        return build_record(case, found, context, failure=failure)

    return make


@pytest.fixture
def keep(here: Path) -> Callable[..., Path]:
    """Return a function that writes the n-th run of the store here, and saves it if told where."""

    def write(
        number: int,
        *records: Record,
        save: str | None = None,
        exit_status: int | None = 0,
        states: Sequence[str] = (),
    ) -> Path:
        run_id = f"20260101T0000{number:02}-{number:06x}"
        started = f"2026-01-01T00:00:{number:02}+00:00"
        run = Run(id=run_id, started=started, started_monotonic=0.0, exit_status=exit_status)
        run_file = RunFile(run=run, records=list(records))
        session = session_of(run, records, {})
        for entry, state in zip(session.entries, states or ["joined"] * len(records), strict=False):
            entry.state, entry.verdict = state, "pass" if state == "joined" else "regressed"
        store = Store(here / ".lem")
        directory = store.runs / run_id
        write_run(run_file, directory / "run.json")
        store.keep(session, directory)
        if save:
            store.save(save, session)
        return directory

    return write


@pytest.fixture
def said(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, list[str], list[str]]]:
    """Return a function that runs `lem` here: status, lines of output, lines of complaint."""

    def run(*arguments: str) -> tuple[int, list[str], list[str]]:
        capsys.readouterr()
        status = main(arguments)
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    return run
