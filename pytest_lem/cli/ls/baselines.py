"""`lem ls baselines`: the histories of a store, the cases of one, the sessions of one case."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pytest_lem.cli.baseline import unknown_history
from pytest_lem.cli.ls.listed import cell, minute, show, table
from pytest_lem.cli.ls.past import show_case
from pytest_lem.cli.printing import complain
from pytest_lem.cli.reference import store_at
from pytest_lem.errors import LemError
from pytest_lem.reports.figures import UNKNOWN
from pytest_lem.results.entry import Entry
from pytest_lem.results.session import Session, read_session
from pytest_lem.results.store import Store

_COUNTS = frozenset({"sessions", "cases", "waiting", "joined"})


class _History(NamedTuple):
    """A history, by the names that programs get; `latest`: when its latest session started."""

    baseline: str
    sessions: int
    cases: int
    waiting: int
    latest: str | None


class _Case(NamedTuple):
    """A case of a history, by the names that programs get; of its sessions some have joined."""

    key: str
    sessions: int
    joined: int
    waiting: int
    last_verdict: str | None


def run(store: Path, name: str | None, key: str | None, *, form: str) -> int:
    """Print what there is; return 1 when a session cannot be read, else 0.

    Raises LemError for a history or a case that is not there.
    """
    home = store_at(store)
    if name is None:
        return _list_histories(home, form)
    sessions, broken = _sessions(home, name)
    if not sessions and not broken:
        raise unknown_history(home, name)
    if key is not None:
        show_case(name, key, sessions, form)
    else:
        _list_cases(sessions, form)
    return 1 if broken else 0


def _sessions(store: Store, name: str) -> tuple[list[Session], int]:
    """Return the sessions of a history that can be read, and how many cannot."""
    sessions, broken = [], 0
    for path in store.history(name):
        try:
            sessions.append(read_session(path))
        except LemError as error:
            complain(str(error))
            broken += 1
    return sessions, broken


def _list_histories(store: Store, form: str) -> int:
    found, broken = [], 0
    for name in store.names():
        sessions, unread = _sessions(store, name)
        broken += unread
        found.append(_history(name, sessions))
    if not found:
        complain(f"there are no baselines in {store}; make one with --lem-save")
    cells = [
        [*map(cell, history[:-1]), UNKNOWN if history.latest is None else minute(history.latest)]
        for history in found
    ]
    people = partial(table, _History._fields, cells, numbers=_COUNTS)
    show(form, _History._fields, [history._asdict() for history in found], people)
    return 1 if broken else 0


def _history(name: str, sessions: Sequence[Session]) -> _History:
    entries = [entry for session in sessions for entry in session.entries]
    return _History(
        baseline=name,
        sessions=len(sessions),
        cases=len({entry.digest for entry in entries}),
        waiting=sum(entry.state == "waiting" for entry in entries),
        latest=sessions[-1].started if sessions else None,
    )


def _list_cases(sessions: Sequence[Session], form: str) -> None:
    """Print each case with its sessions and with what was last said of it."""
    cases: dict[str, list[Entry]] = {}
    for entry in (entry for session in sessions for entry in session.entries):
        cases.setdefault(entry.key, []).append(entry)
    found = [
        _Case(
            key=key,
            sessions=len(entries),
            joined=sum(entry.state == "joined" for entry in entries),
            waiting=sum(entry.state == "waiting" for entry in entries),
            last_verdict=entries[-1].verdict,
        )
        for key, entries in cases.items()
    ]
    heads = ("case", "sessions", "joined", "waiting", "last verdict")
    cells = [
        [case.key, *map(cell, (case.sessions, case.joined, case.waiting, case.last_verdict))]
        for case in found
    ]
    people = partial(table, heads, cells, numbers=_COUNTS)
    show(form, _Case._fields, [case._asdict() for case in found], people)
