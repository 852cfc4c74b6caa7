"""`lem ls runs`: the runs of a store, the oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pytest_lem.cli.ls.listed import cell, minute, show, table
from pytest_lem.cli.printing import complain
from pytest_lem.cli.reference import is_run, read_at, store_at
from pytest_lem.errors import LemError
from pytest_lem.reports.figures import UNKNOWN
from pytest_lem.results.session import Session

_HEADS = ("run", "started", "cases", "failed", "exit", "preset", "commit", "saved to")
_NUMBERS = frozenset({"cases", "failed", "exit"})
#: Digits of a commit that are shown, as git shows them.
_SHORT = 7


class _Run(NamedTuple):
    """A run, by the names that programs get; `dirty`: files differed from the commit."""

    run: str
    started: str
    cases: int
    failed: int
    exit_status: int | None
    preset: str | None
    commit: str | None
    dirty: bool | None
    saved_to: list[str]


def run(store: Path, *, form: str) -> int:
    """Print each run; return 1 when one of them cannot be read, else 0."""
    home = store_at(store)
    saved: dict[str, list[str]] = {}
    for name in home.names():
        for path in home.history(name):
            saved.setdefault(path.stem, []).append(name)
    runs, broken = [], 0
    for directory in filter(is_run, home.run_directories()):
        try:
            session = read_at(directory)
            runs.append(_found(directory.name, session, saved.get(session.run, ())))
        except LemError as error:
            complain(str(error))
            broken += 1
    if not runs and not broken:
        complain(f"there are no runs in {home}")
    people = partial(
        table,
        _HEADS,
        list(map(_cells, runs)),
        numbers=_NUMBERS,
        whole=["run"],
        dispensable=["exit"],
    )
    show(form, _Run._fields, [found._asdict() for found in runs], people)
    return 1 if broken else 0


def _found(name: str, session: Session, saved: Sequence[str]) -> _Run:
    git = session.git or {}
    dirty = git.get("dirty")
    return _Run(
        run=name,
        started=session.started,
        cases=len(session.entries),
        failed=sum(entry.status == "failed" for entry in session.entries),
        exit_status=session.exit_status,
        preset=session.preset,
        commit=str(git.get("commit") or "") or None,
        dirty=None if dirty is None else bool(dirty),
        saved_to=list(saved),
    )


def _cells(found: _Run) -> list[str]:
    commit = (found.commit or "")[:_SHORT] + ("+" if found.dirty else "")
    return [
        found.run,
        minute(found.started),
        *map(cell, (found.cases, found.failed, found.exit_status)),
        found.preset or UNKNOWN,
        commit or UNKNOWN,
        cell(found.saved_to) or UNKNOWN,
    ]
