"""`lem ls baselines`: the histories of a store, the cases of one, the sessions of one case."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pytest_lem.cli.baseline import unknown_history
from pytest_lem.cli.printing import complain, draw
from pytest_lem.cli.reference import one_of, store_at
from pytest_lem.errors import LemError
from pytest_lem.reports.cells import DISPENSABLE, columns_of, figure_cell, title_of
from pytest_lem.reports.figures import UNKNOWN
from pytest_lem.reports.listing import listing
from pytest_lem.reports.rows import row_of_case
from pytest_lem.results.entry import Entry
from pytest_lem.results.session import Session, read_session
from pytest_lem.results.store import Store

_COUNTS = frozenset({"sessions", "cases", "waiting", "joined"})


def run(store: Path, name: str | None, key: str | None) -> int:
    """Print what there is; return 1 when a session cannot be read, else 0.

    Raises LemError for a history or a case that is not there.
    """
    home = store_at(store)
    if name is None:
        return _list_histories(home)
    sessions, broken = _sessions(home, name)
    if not sessions and not broken:
        raise unknown_history(home, name)
    if key is not None:
        _show_case(name, key, sessions)
    elif sessions:
        _list_cases(sessions)
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


def _list_histories(store: Store) -> int:
    rows, broken = [], 0
    for name in store.names():
        sessions, unread = _sessions(store, name)
        broken += unread
        entries = [entry for session in sessions for entry in session.entries]
        cases = {entry.digest for entry in entries}
        waiting = sum(entry.state == "waiting" for entry in entries)
        latest = sessions[-1].started[:16].replace("T", " ") if sessions else UNKNOWN
        rows.append([name, str(len(sessions)), str(len(cases)), str(waiting), latest])
    if rows:
        _print(("baseline", "sessions", "cases", "waiting", "latest"), rows)
    else:
        complain(f"there are no baselines in {store}; make one with --lem-save")
    return 1 if broken else 0


def _list_cases(sessions: Sequence[Session]) -> None:
    """Print each case with its sessions and with what was last said of it."""
    cases: dict[str, list[Entry]] = {}
    for entry in (entry for session in sessions for entry in session.entries):
        cases.setdefault(entry.key, []).append(entry)
    rows = []
    for key, entries in cases.items():
        counts = [sum(e.state == state for e in entries) for state in ("joined", "waiting")]
        rows.append([key, str(len(entries)), *map(str, counts), entries[-1].verdict or UNKNOWN])
    _print(("case", "sessions", "joined", "waiting", "last verdict"), rows)


def _show_case(name: str, key: str, sessions: Sequence[Session]) -> None:
    """Print the history of a case: what each session measured, and what became of it."""
    keys = {entry.key: None for session in sessions for entry in session.entries}
    found = one_of(list(keys), key, f"cases of {name}", f"lem ls baselines {name}")
    past = [(s, entry) for s in sessions for entry in s.entries if entry.key == found]
    rows = [row_of_case(entry) for _, entry in past]
    columns = columns_of(rows)
    lines = [
        [
            session.run,
            *(figure_cell(row, column) for column in columns),
            entry.verdict or UNKNOWN,
            entry.state,
            _version(session, entry),
        ]
        for row, (session, entry) in zip(rows, past, strict=True)
    ]
    titles = [title_of(column) for column in columns]
    heads = ("session", *titles, "verdict", "state", "backend version")
    dispensable = [title_of(column) for column in DISPENSABLE]
    whole = ("session", "verdict", "state")
    draw(
        lambda **screen: listing(
            heads, lines, numbers=titles, whole=whole, dispensable=dispensable, **screen
        )
    )


def _version(session: Session, entry: Entry) -> str:
    facts = session.facts.get(entry.comparability)
    return str((facts.refuse.get("backend.version") if facts else None) or UNKNOWN)


def _print(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    draw(lambda **screen: listing(heads, rows, numbers=_COUNTS, **screen))
