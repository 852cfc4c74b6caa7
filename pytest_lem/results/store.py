"""The store: runs, and the histories that runs were saved to. Plain files in one folder."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from pytest_lem.errors import FailureKind, LemError, config_error, did_you_mean
from pytest_lem.results.runfile import read_run
from pytest_lem.results.session import FORMAT, Session, read_session, session_of, write_session

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SESSION = "session.jsonl"
#: What else a run's folder may have: of a run that was killed, the journal alone.
_RUN_FILES = ("run.json", "journal.jsonl")


class Store:
    """A folder with `runs/<run>/` and `baselines/<name>/<run>.jsonl`.

    Every writer has files of its own and puts them there whole, so any number of runs may write at
    once; whoever changes a file that is there takes a lock first.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    @property
    def runs(self) -> Path:
        """Return the folder of the runs."""
        return self.root / "runs"

    def run_directories(self) -> list[Path]:
        """Return the folders of the runs, the oldest first."""
        return sorted(p for p in self.runs.glob("*") if p.is_dir())

    def before(self, run: str, most: int) -> Iterator[Session]:
        """Yield the sessions of the last runs before one, the oldest first, each as a history.

        Those that cannot be read are passed over.
        """
        paths = [directory / _SESSION for directory in self.run_directories()]
        for path in [p for p in paths if p.parent.name < run and p.is_file()][-most:]:
            try:
                session = read_session(path).as_history()
            except LemError:
                continue
            yield session

    def names(self) -> list[str]:
        """Return the names of the histories."""
        return sorted(p.name for p in (self.root / "baselines").glob("*") if p.is_dir())

    def history(self, name: str) -> list[Path]:
        """Return the sessions saved under a name, the oldest first."""
        return _sessions_in(self._folder(name))

    def save(self, name: str, session: Session) -> Path:
        """Add a session to a history. Raises LemError (`storage`) when it cannot be written."""
        return _written(session, self._folder(name) / f"{session.run}.jsonl")

    def keep(self, session: Session, directory: Path) -> Path:
        """Write the session of a run beside its run file."""
        return _written(session, directory / _SESSION)

    def read(self, reference: str, base: Path) -> list[Session]:
        """Return all sessions that `each` yields."""
        return list(self.each(reference, base))

    def each(self, reference: str, base: Path, *, is_lazy: bool = False) -> Iterator[Session]:
        """Yield the sessions of a name, or of a path relative to `base`, the oldest first.

        A path may be a folder of sessions, the folder of a run, a session, a run file or a journal.
        Raises LemError (`data`) for whatever is not there or cannot be believed; with `is_lazy`
        sessions of a name may raise it later, as `read_session` says.
        """
        if not is_name(reference):
            yield from _at(base / Path(reference).expanduser())
            return
        paths = self.history(reference)
        if not paths:
            raise self._unknown(reference)
        for path in paths:
            yield read_session(path, is_lazy=is_lazy)

    def accept(self, name: str, run: str | None, cases: list[str]) -> list[str]:
        """Let entries that wait join a history; return their keys.

        `run` is the session, None for the latest with any that wait; without `cases`, all of them.
        """
        folder = self._folder(name)
        if not self.history(name):
            raise self._unknown(name)
        try:
            with FileLock(folder / ".lock"):
                return _accepted(_sessions_in(folder), run, cases)
        except OSError as error:
            raise LemError(
                f"cannot write in {folder} ({error.strerror}); make it writable",
                kind=FailureKind.STORAGE,
            ) from error

    def _unknown(self, name: str) -> LemError:
        known = self.names()
        hint = did_you_mean(name, known) if known else "make it with --lem-save"
        return LemError(
            f"the store {self.root} has no history `{name}`; {hint}", kind=FailureKind.DATA
        )

    def _folder(self, name: str) -> Path:
        check_name(name)
        return self.root / "baselines" / name


def is_name(reference: str) -> bool:
    """Tell whether a reference is a name in the store, and not a path."""
    return _NAME.fullmatch(reference) is not None and not reference.endswith((".json", ".jsonl"))


def check_name(name: str, origin: str = "the name of a history") -> None:
    """Refuse what cannot be the name of a folder everywhere."""
    if not is_name(name):
        raise config_error(
            f"{origin}: letters, digits, dots, dashes and underscores make a name, not {name!r}"
        )


def _sessions_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("[!.]*.jsonl"))


def _accepted(paths: list[Path], run: str | None, cases: list[str]) -> list[str]:
    """Let what waits in the latest session that fits join, and return its keys."""
    for path in reversed(paths):
        if run is not None and path.stem != run:
            continue
        session = read_session(path)
        waiting = (entry for entry in session.entries if entry.state == "waiting")
        chosen = [entry for entry in waiting if not cases or entry.key in cases]
        if chosen:
            for entry in chosen:
                entry.state = "joined"
            _written(session, path)
            return [entry.key for entry in chosen]
    return []


def _written(session: Session, path: Path) -> Path:
    try:
        write_session(session, path)
    except OSError as error:
        raise LemError(
            f"cannot write {path} ({error.strerror}); the run file has the results",
            kind=FailureKind.STORAGE,
        ) from error
    except ValueError as error:  # a name from a file system that knows no encoding
        raise LemError(
            f"cannot write {path}: a name in it is no text ({error}); rename the test or its file",
            kind=FailureKind.STORAGE,
        ) from error
    return path


def _at(path: Path) -> Iterator[Session]:
    """Return what stands at a path."""
    if not path.is_dir():
        yield _from_file(path)
    elif (path / _SESSION).exists():
        yield _from_file(path / _SESSION)
    elif found := next((p for name in _RUN_FILES if (p := path / name).exists()), None):
        yield _from_file(found)
    else:
        paths = _sessions_in(path)
        if not paths:
            raise LemError(f"there are no sessions in {path}", kind=FailureKind.DATA)
        for found in paths:
            yield read_session(found)


def _from_file(path: Path) -> Session:
    """Read a session; of a run file or a journal, make one."""
    if _is_session(path):
        return read_session(path).as_history()
    run_file = read_run(path)
    return session_of(run_file.run, run_file.records, run_file.environments).as_history()


def _is_session(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return bool(json.loads(file.readline()).get("format") == FORMAT)
    except (OSError, ValueError, AttributeError, RecursionError):
        return False
