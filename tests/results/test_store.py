"""The store: histories under names, whatever else can be compared with, and many writers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.errors import LemError
from pytest_lem.results.journal import Journal
from pytest_lem.results.record import Record
from pytest_lem.results.run import Run
from pytest_lem.results.runfile import RunFile, write_run
from pytest_lem.results.session import Session, read_session, session_of, write_session
from pytest_lem.results.store import Store, check_name, is_name

Make = Callable[..., Any]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store that is not there yet."""
    return Store(tmp_path / "store")


@pytest.fixture
def run_file(infer_record: Make, call_record: Record) -> RunFile:
    """Return a run with a model and a callable."""
    run = Run(id="r1", started="2026-01-01T10:00:00+00:00", started_monotonic=5.0)
    return RunFile(run=run, records=[infer_record(), call_record])


@pytest.fixture
def session(run_file: RunFile) -> Callable[..., Session]:
    """Make a session of a run, its two entries in given states."""

    def make(run: str, *states: Any) -> Session:
        found = session_of(run_file.run, run_file.records, {}).model_copy(update={"run": run})
        for entry, state in zip(found.entries, states, strict=False):
            entry.state = state
        return found

    return make


def _sentence(call: Callable[..., Any], *args: Any, kind: str = "data") -> str:
    with pytest.raises(LemError) as caught:
        call(*args)
    assert caught.value.kind == kind
    assert "\n" not in str(caught.value)
    return str(caught.value)


def _states(sessions: list[Session]) -> list[str]:
    return [entry.state for session in sessions for entry in session.entries]


@pytest.mark.parametrize("name", ["main", "a", "0", "v1.2", "release-1_2", "A.b-C_d", "a..b"])
def test_a_name_is_letters_digits_dots_dashes_and_underscores(name: str) -> None:
    """It is the name of a folder on every system."""
    assert is_name(name)
    check_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", ".hidden", "-x", "_x", "a/b", "../a", "~", "~/a", "a b", "a\n", "é", "a:b",
        "run.json", "session.jsonl",
    ],
)  # fmt: skip
def test_anything_else_is_a_path(name: str) -> None:
    """And no name to save to."""
    assert not is_name(name)
    assert _sentence(check_name, name, "--lem-save", kind="config") == (
        f"--lem-save: letters, digits, dots, dashes and underscores make a name, not {name!r}"
    )


def test_a_history_is_its_sessions_the_oldest_first(store: Store, session: Make) -> None:
    """In whatever order they were saved; other names are other histories."""
    for run in ("20260103", "20260101", "20260102"):
        path = store.save("main", session(run))
        assert path == store.root / "baselines" / "main" / f"{run}.jsonl"
    store.save("other", session("20260104"))
    (store.root / "baselines" / "notes.txt").write_text("")
    found = store.read("main", Path())
    assert [one.run for one in found] == ["20260101", "20260102", "20260103"]
    assert found[1] == session("20260102")
    assert store.names() == ["main", "other"]


def test_states_are_those_that_were_saved(store: Store, session: Make) -> None:
    """A name in the store holds what may count and what may not."""
    store.save("main", session("r1", "joined", "waiting"))
    assert _states(store.read("main", Path())) == ["joined", "waiting"]


def test_saving_a_run_again_replaces_its_session(store: Store, session: Make) -> None:
    """A run is in a history once."""
    store.save("main", session("r1", "waiting"))
    store.save("main", session("r1", "joined"))
    assert [path.name for path in store.history("main")] == ["r1.jsonl"]
    assert _states(store.read("main", Path())) == ["joined", "never"]


def test_what_begins_with_a_dot_is_no_session(store: Store, session: Make) -> None:
    """A file that is being written, or a lock, is in nobody's way."""
    path = store.save("main", session("r1"))
    (path.parent / ".r2.jsonl.abc").write_text("half")
    (path.parent / ".r3.jsonl").write_text("half")
    (path.parent / "notes.txt").write_text("")
    assert store.history("main") == [path]


def test_a_store_that_is_not_there_is_empty_and_stays_away(store: Store) -> None:
    """Looking makes no folder."""
    assert (store.names(), store.history("main"), store.run_directories()) == ([], [], [])
    sentence = _sentence(store.read, "main", Path())
    assert sentence == f"the store {store} has no history `main`; make it with --lem-save"
    assert not store.root.exists()


def test_a_name_that_is_missing_is_answered_with_the_near_one(store: Store, session: Make) -> None:
    """Or with all that there are."""
    for name in ("main", "release"):
        store.save(name, session("r1"))
    missing = f"the store {store} has no history "
    assert _sentence(store.read, "mian", Path()) == f"{missing}`mian`; did you mean `main`?"
    assert _sentence(store.read, "xyz", Path()) == f"{missing}`xyz`; known: main, release"


def test_runs_are_listed_the_oldest_first(store: Store, session: Make) -> None:
    """Each has a folder, with its session beside its run file; files are none."""
    for run in ("r2", "r1"):
        path = store.keep(session(run), store.runs / run)
        assert path == store.root / "runs" / run / "session.jsonl"
    (store.runs / "notes.txt").write_text("")
    assert [path.name for path in store.run_directories()] == ["r1", "r2"]


def test_runs_before_one_are_the_last_of_them(store: Store, session: Make) -> None:
    """As histories, the oldest first; those that cannot be read are passed over."""
    for run in ("r1", "r2", "r3", "r4", "r5"):
        store.keep(session(run), store.runs / run)
    (store.runs / "r3" / "session.jsonl").write_text("{}")
    (store.runs / "r0").mkdir()
    found = list(store.before("r5", 3))
    assert [one.run for one in found] == ["r2", "r4"]
    assert {entry.state for one in found for entry in one.entries} == {"joined"}
    assert list(store.before("r1", 3)) == []


@pytest.fixture
def places(tmp_path: Path, store: Store, run_file: RunFile, session: Make) -> dict[str, str]:
    """Write the same run in all the forms that a path may lead to; return their paths."""
    write_run(run_file, tmp_path / "alone" / "run.json")
    write_run(run_file, tmp_path / "run" / "run.json")
    store.keep(session("r1"), tmp_path / "run")
    write_session(session("r1", "joined", "joined"), tmp_path / "folder" / "r1.jsonl")
    journal = Journal(tmp_path / "killed" / "journal.jsonl")
    versions = {"schema_version", "definitions_version"}
    journal.append("format", run_file.model_dump(mode="json", include=versions))
    journal.append("run", run_file.run.model_dump(mode="json"))
    for record in run_file.records:
        journal.append("record", record.plain())
    return {
        "folder of sessions": "./folder",
        "folder of a run": "./run",
        "folder with a run file alone": "alone/",
        "session": "run/session.jsonl",
        "run file": "run/run.json",
        "journal": "killed/journal.jsonl",
    }


@pytest.mark.parametrize(
    "form",
    [
        "folder of sessions", "folder of a run", "folder with a run file alone", "session",
        "run file", "journal",
    ],
)  # fmt: skip
def test_whatever_a_path_leads_to_is_a_history(
    store: Store, tmp_path: Path, places: dict[str, str], form: str
) -> None:
    """Whatever is sound in it counts, since somebody named it; paths may be absolute."""
    (found,) = store.read(places[form], tmp_path)
    assert (found.run, _states([found])) == ("r1", ["joined", "joined"])
    assert found.entries[0].figures["energy_per_output_token_j"].value == pytest.approx(12 / 9)
    assert store.read(str(tmp_path / places[form]), Path("elsewhere")) == [found]


def test_the_session_of_a_run_comes_before_its_run_file(
    store: Store, tmp_path: Path, run_file: RunFile, session: Make
) -> None:
    """It knows what the gate said: what has changed and waits is no history."""
    write_run(run_file, tmp_path / "run" / "run.json")
    found = session("r1")
    found.entries[0].verdict = "regressed"
    found.entries[0].state = "waiting"
    store.keep(found, tmp_path / "run")
    assert _states(store.read("./run", tmp_path)) == ["waiting", "joined"]
    assert _states(store.read("run/session.jsonl", tmp_path)) == ["waiting", "joined"]
    assert _states(store.read("run/run.json", tmp_path)) == ["joined", "joined"]


def test_the_home_folder_has_its_sign(
    store: Store, tmp_path: Path, session: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path in a settings file is not expanded by a shell."""
    monkeypatch.setenv("HOME", str(tmp_path))
    write_session(session("r1"), tmp_path / "mine" / "r1.jsonl")
    assert [one.run for one in store.read("~/mine", Path("elsewhere"))] == ["r1"]


def test_a_path_to_nothing_is_one_sentence(store: Store, tmp_path: Path) -> None:
    """A missing file, and a folder without sessions."""
    (tmp_path / "empty").mkdir()
    assert "No such file or directory" in _sentence(store.read, "./none.jsonl", tmp_path)
    sentence = _sentence(store.read, "./empty", tmp_path)
    assert sentence == f"there are no sessions in {tmp_path / 'empty'}"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '"x"', "{}\n{}", "\x00", "[" * 200_000, '{"type": "run"}']
)
@pytest.mark.parametrize("name", ["broken.json", "broken.jsonl"])
def test_a_path_to_something_else_is_one_sentence(
    store: Store, tmp_path: Path, name: str, text: str
) -> None:
    """Whatever is in the file."""
    (tmp_path / name).write_text(text)
    assert str(tmp_path / name) in _sentence(store.read, name, tmp_path)


def test_one_broken_session_spoils_its_history(store: Store, session: Make) -> None:
    """Leaving it out would be another history than was asked for."""
    path = store.save("main", session("r1"))
    store.save("main", session("r2"))
    path.write_bytes(path.read_bytes()[:-10])
    assert "r1.jsonl: it was cut short" in _sentence(store.read, "main", Path())


def test_a_session_that_cannot_be_written_is_one_sentence(store: Store, session: Make) -> None:
    """A file in the place of a folder, and a folder in the place of the file."""
    (store.root / "run" / "session.jsonl").mkdir(parents=True)
    (store.root / "baselines").write_text("")
    end = "; the run file has the results"
    sentence = _sentence(store.save, "main", session("r1"), kind="storage")
    path = store.root / "baselines" / "main" / "r1.jsonl"
    assert sentence == f"cannot write {path} (Not a directory){end}"
    sentence = _sentence(store.keep, session("r1"), store.root / "run", kind="storage")
    path = store.root / "run" / "session.jsonl"
    assert sentence == f"cannot write {path} (Is a directory){end}"
    assert list((store.root / "run").iterdir()) == [path]


def test_a_name_that_is_none_is_never_written(store: Store, session: Make) -> None:
    """No path leads out of the store."""
    for name in ("../out", "a/b", ".x"):
        assert name in _sentence(store.save, name, session("r1"), kind="config")
        assert name in _sentence(store.accept, name, None, [], kind="config")
    assert not store.root.parent.joinpath("out").exists()


@pytest.fixture
def waiting(store: Store, session: Make) -> Store:
    """Return a store with three sessions: both entries wait in the first, the first in others."""
    store.save("main", session("r1", "waiting", "waiting"))
    store.save("main", session("r2", "waiting", "joined"))
    store.save("main", session("r3", "joined", "never"))
    return store


def _all_states(store: Store) -> dict[str, list[str]]:
    return {path.stem: _states([read_session(path)]) for path in store.history("main")}


def test_accepting_lets_the_latest_session_that_waits_join(waiting: Store, session: Make) -> None:
    """All of its entries that wait, and nobody else's."""
    keys = [entry.key for entry in session("r").entries]
    assert waiting.accept("main", None, []) == keys[:1]
    assert _all_states(waiting) == {
        "r1": ["waiting", "waiting"], "r2": ["joined", "joined"], "r3": ["joined", "never"],
    }  # fmt: skip
    assert waiting.accept("main", None, []) == keys
    assert waiting.accept("main", None, []) == []
    assert _all_states(waiting)["r3"] == ["joined", "never"]


def test_a_given_run_is_accepted(waiting: Store, session: Make) -> None:
    """An older one, too; one where nothing waits, or that is not there, changes nothing."""
    keys = [entry.key for entry in session("r").entries]
    assert waiting.accept("main", "r1", []) == keys
    assert _all_states(waiting)["r1"] == ["joined", "joined"]
    assert _all_states(waiting)["r2"] == ["waiting", "joined"]
    assert waiting.accept("main", "r3", []) == []
    assert waiting.accept("main", "r9", []) == []


def test_single_cases_are_accepted(waiting: Store, session: Make) -> None:
    """By their keys, in the latest session where they wait."""
    keys = [entry.key for entry in session("r").entries]
    assert waiting.accept("main", None, [keys[1]]) == [keys[1]]
    assert _all_states(waiting)["r1"] == ["waiting", "joined"]
    assert _all_states(waiting)["r2"] == ["waiting", "joined"]
    assert waiting.accept("main", None, ["nothing"]) == []


def test_accepting_into_a_history_that_is_not_there_makes_none(store: Store, session: Make) -> None:
    """A name that was misspelt is answered with the near one, and not listed from then on."""
    store.save("main", session("r1"))
    sentence = _sentence(store.accept, "mian", None, [])
    assert sentence == f"the store {store} has no history `mian`; did you mean `main`?"
    assert store.names() == ["main"]


def test_a_history_that_cannot_be_locked_is_one_sentence(waiting: Store) -> None:
    """On a disk that may only be read, say, or with a folder in the place of the lock."""
    (waiting.root / "baselines" / "main" / ".lock").mkdir()
    folder = waiting.root / "baselines" / "main"
    sentence = _sentence(waiting.accept, "main", None, [], kind="storage")
    assert sentence == f"cannot write in {folder} (Is a directory); make it writable"
    assert _all_states(waiting)["r2"] == ["waiting", "joined"]
