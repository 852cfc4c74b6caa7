"""How a run is named on the command line, and where it is found."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from pytest_lem.errors import FailureKind, LemError
from pytest_lem.results.columns import OtherFormatError
from pytest_lem.results.runfile import RunFile, read_run
from pytest_lem.results.runstream import RunStream
from pytest_lem.results.session import Session
from pytest_lem.results.store import Store, is_name

_SESSION = "session.jsonl"
#: Files that make a folder the folder of a run; the first that is there is read.
RUN_FILES = (_SESSION, "run.json", "journal.jsonl")
LATEST = "latest"


def store_at(path: Path) -> Store:
    """Return the store in a folder; raises LemError (`data`) where there is no such folder."""
    if not path.is_dir():
        raise _wrong(f"there is no store at {path}; name the folder with --store")
    return Store(path)


def find_session(store: Store, reference: str) -> Session:
    """Return the session of a run by its id, the beginning of one, `latest`, or a path.

    What is in the store goes before a path of the same name. Raises LemError (`data`) for what is
    not there, has no case, or cannot be believed.
    """
    session = read_at(_place(store, reference))
    if not session.entries:
        raise _wrong(f"the run {session.run} has no case, so there is nothing to report")
    return session


def find_run(store: Store, reference: str) -> tuple[Path, RunFile]:
    """Return the folder and the run file, or the journal, of a run named as for `find_session`.

    Raises LemError (`data`) where only its session was kept, which has no windows.
    """
    path = _run_path(store, reference)
    return path.parent, read_run(path)


def stream_run(store: Store, reference: str) -> tuple[Path, RunStream]:
    """Return the folder of a run, as `find_run` does, and the run with records one by one."""
    path = _run_path(store, reference)
    return path.parent, RunStream(path)


def _run_path(store: Store, reference: str) -> Path:
    path = _place(store, reference)
    if path.name == _SESSION:
        path = path.parent
    if path.is_dir():
        found = next((path / name for name in RUN_FILES[1:] if (path / name).exists()), None)
        if found is None:
            raise _wrong(
                f"{path} has neither run file nor journal, and a session alone has no rounds; name "
                "the folder of a run"
            )
        path = found
    return path


def read_at(path: Path) -> Session:
    """Return the session at a path: that of a run's folder, a session, a run file or a journal."""
    if path.is_dir():
        path = next((path / name for name in RUN_FILES if (path / name).exists()), path)
    # A name would be looked up in a store; this is a path, however short.
    place = str(path) if path.is_absolute() else f"./{path}"
    try:
        sessions = Store(path).read(place, Path())
    except OtherFormatError:
        found = next((path.parent / n for n in RUN_FILES[1:] if (path.parent / n).exists()), None)
        if path.name != _SESSION or found is None:
            raise
        return read_at(found)  # the session is made anew
    if len(sessions) > 1:
        raise _wrong(f"{path} is a folder of {len(sessions)} sessions; name one of them")
    return sessions[0]


def one_of(names: Sequence[str], reference: str, where: str, command: str) -> str:
    """Return the name that is, or alone begins with, a reference; `command` lists them all."""
    found = [name for name in names if name == reference]
    found = found or [name for name in names if name.startswith(reference)]
    if len(found) > 1:
        raise _wrong(
            f"{where}: `{reference}` begins the names of {len(found)} of them "
            f"({found[0]}, {found[1]}{', …' if found[2:] else ''}); give more of it"
        )
    if not found:
        near = get_close_matches(reference, names, n=1)
        tail = f"did you mean `{near[0]}`?" if near else f"`{command}` lists what there is"
        raise _wrong(f"{where}: there is no `{reference}`; {tail}")
    return found[0]


def is_run(directory: Path) -> bool:
    """Tell whether a folder is that of a run."""
    return any((directory / name).is_file() for name in RUN_FILES)


def _place(store: Store, reference: str) -> Path:
    if not is_name(reference):
        return Path(reference).expanduser()
    runs = [directory.name for directory in store.run_directories() if is_run(directory)]
    if reference == LATEST:
        if not runs:
            raise _wrong(f"the store {store} has no run")
        return store.runs / runs[-1]
    is_known = any(run.startswith(reference) for run in runs)
    if not is_known and Path(reference).exists():
        return Path(reference)
    return store.runs / one_of(runs, reference, f"runs of the store {store}", "lem ls runs")


def _wrong(sentence: str) -> LemError:
    return LemError(sentence, kind=FailureKind.DATA)
