"""`lem ls runs`: the runs of a store, the oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pytest_lem.cli.printing import complain, draw
from pytest_lem.cli.reference import is_run, read_at, store_at
from pytest_lem.errors import LemError
from pytest_lem.reports.figures import UNKNOWN
from pytest_lem.reports.listing import listing
from pytest_lem.results.session import Session

_HEADS = ("run", "started", "cases", "failed", "exit", "preset", "commit", "saved to")
_NUMBERS = frozenset({"cases", "failed", "exit"})
#: Digits of a commit that are shown, as git shows them.
_SHORT = 7


def run(store: Path) -> int:
    """Print a line for each run; return 1 when one of them cannot be read, else 0."""
    home = store_at(store)
    saved: dict[str, list[str]] = {}
    for name in home.names():
        for path in home.history(name):
            saved.setdefault(path.stem, []).append(name)
    rows, broken = [], 0
    for directory in filter(is_run, home.run_directories()):
        try:
            session = read_at(directory)
            rows.append([directory.name, *_cells(session, saved.get(session.run, ()))])
        except LemError as error:
            complain(str(error))
            broken += 1
    if rows:
        draw(
            lambda **screen: listing(
                _HEADS, rows, numbers=_NUMBERS, whole=["run"], dispensable=["exit"], **screen
            )
        )
    elif not broken:
        complain(f"there are no runs in {home}")
    return 1 if broken else 0


def _cells(session: Session, saved: Sequence[str]) -> list[str]:
    failed = sum(entry.status == "failed" for entry in session.entries)
    return [
        session.started[:16].replace("T", " "),
        str(len(session.entries)),
        str(failed),
        UNKNOWN if session.exit_status is None else str(session.exit_status),
        session.preset or UNKNOWN,
        _commit(session),
        ", ".join(saved) or UNKNOWN,
    ]


def _commit(session: Session) -> str:
    """Return the beginning of the commit, with a plus where files differ from it."""
    git = session.git or {}
    commit = str(git.get("commit") or "")[:_SHORT]
    return (commit + ("+" if git.get("dirty") else "")) or UNKNOWN
