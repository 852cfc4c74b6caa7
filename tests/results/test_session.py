"""The file of a session: it comes back as it was, or is refused in one sentence."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_lem.errors import LemError
from pytest_lem.flags import Flag
from pytest_lem.results.build import Context
from pytest_lem.results.entry import Entry, Figure
from pytest_lem.results.record import Comparability, Record
from pytest_lem.results.run import Run
from pytest_lem.results.session import (
    FORMAT,
    SESSION_VERSION,
    Session,
    entries_of,
    read_session,
    session_of,
    write_session,
)

Make = Callable[..., Any]
RUN = Run(
    id="r1", started="2026-01-01T10:00:00+00:00", started_monotonic=5.0, preset="standard",
    exit_status=1,
)  # fmt: skip
EDITED = "it was cut short, damaged or edited since it was written; delete it, or save anew"
NO_SESSION = "it is damaged or no session of pytest-lem"
fuzzed = settings(
    derandomize=True,
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def session(infer_record: Make, call_record: Record) -> Session:
    """Return the session of a run with a model and a callable, of which one has joined."""
    context = Context(nodeid="t.py::t[é\u2028]", environment_id="e1")
    environments = {"e1": {"git": {"commit": "abc"}}}
    found = session_of(RUN, [infer_record(context=context), call_record], environments)
    found.entries[0].state = "joined"
    found.entries[0].verdict = "pass"
    return found


@pytest.fixture
def stored(session: Session, tmp_path: Path) -> Path:
    """Return the path of a written session."""
    path = tmp_path / "new" / "r1.jsonl"
    write_session(session, path)
    return path


def _sentence(path: Path, *, is_lazy: bool = False) -> str:
    with pytest.raises(LemError) as caught:
        read_session(path, is_lazy=is_lazy).entries[0].figures.get("ttft_s")
    assert caught.value.kind == "data"
    text, prefix = str(caught.value), f"cannot read the session {path}: "
    assert text.startswith(prefix)
    assert "\n" not in text
    return text.removeprefix(prefix)


def _read(path: Path) -> Session | LemError:
    try:
        return read_session(path)
    except LemError as error:
        return error


#: The two columns of a figure that both entries are given.
TTFT, SHARES = "figures.ttft_s.values", "figures.ttft_s.resolutions"


def _parts(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the run and the columns of a session."""
    _, run, head, *columns = map(json.loads, path.read_text().split("\n")[:-1])
    return run, dict(zip(head["columns"], columns, strict=True))


def _body(run: dict[str, Any], named: dict[str, Any], /, **head: Any) -> str:
    """Return what follows the first line."""
    parts = (run, {"entries": 2, "columns": list(named), **head}, *named.values())
    return "".join(f"{json.dumps(part)}\n" for part in parts)


def _sealed(path: Path, body: str, **head: Any) -> Path:
    """Write a body with its seal, as a program with our format would."""
    seal = hashlib.sha256(body.encode()).hexdigest()
    first = {"format": FORMAT, "schema_version": SESSION_VERSION, "sha256": seal, **head}
    path.write_bytes(f"{json.dumps(first)}\n{body}".encode())
    return path


def test_what_was_written_is_read(session: Session, stored: Path) -> None:
    """Run, facts and entries, to the last digit, whatever characters are in them."""
    found = read_session(stored)
    assert found == session
    assert found.entries[0].figures["energy_per_output_token_j"] == Figure(12 / 9, 0.5 / 12)
    assert found.entries[0].nodeid == "t.py::t[é\u2028]"
    assert found.entries[0].state == "joined"


def test_a_session_says_what_its_run_was(session: Session) -> None:
    """With the commit of the code, from the environment that its records name."""
    assert (session.run, session.started) == ("r1", "2026-01-01T10:00:00+00:00")
    assert (session.preset, session.exit_status) == ("standard", 1)
    assert session.git == {"commit": "abc"}
    assert session_of(RUN, [], {}).git is None


def test_facts_stand_once_however_many_entries_share_them(stored: Path) -> None:
    """The second line is the run with its facts, the third names the columns that follow."""
    head = json.loads(stored.read_text().split("\n")[0])
    run, columns = _parts(stored)
    assert (head["format"], head["schema_version"]) == ("pytest-lem session", "3.0")
    assert "entries" not in run
    assert set(columns["comparability"]) == set(run["facts"])
    assert set(map(len, columns.values())) == {2}


@fuzzed
@given(st.data())
def test_any_byte_that_changed_is_noticed(stored: Path, tmp_path: Path, data: Any) -> None:
    """Wherever it stands after the first line, and whatever it became."""
    whole = stored.read_bytes()
    place = data.draw(st.integers(whole.index(b"\n") + 1, len(whole) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[place]))
    broken = tmp_path / "broken.jsonl"
    broken.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
    assert _sentence(broken) == EDITED


@fuzzed
@given(st.data())
def test_a_first_line_that_changed_is_noticed_or_says_nothing_else(
    stored: Path, tmp_path: Path, data: Any
) -> None:
    """Format, version and seal: what is read all the same is the session as it was."""
    whole = stored.read_bytes()
    place = data.draw(st.integers(0, whole.index(b"\n")))
    broken = tmp_path / "broken.jsonl"
    value = data.draw(st.integers(0, 255))
    broken.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
    found = _read(broken)
    if isinstance(found, LemError):
        assert found.kind == "data"
        assert "\n" not in str(found)
    else:
        assert found == read_session(stored)


@fuzzed
@given(st.floats(0, 1, exclude_max=True))
def test_a_file_that_was_cut_short_is_noticed(stored: Path, tmp_path: Path, share: float) -> None:
    """At any byte, also between two lines."""
    whole = stored.read_bytes()
    broken = tmp_path / "broken.jsonl"
    broken.write_bytes(whole[: int(share * len(whole))])
    assert _sentence(broken) in {EDITED, NO_SESSION}


def test_a_line_less_and_a_line_more_are_noticed(stored: Path) -> None:
    """All entries can neither be taken out nor put in twice."""
    lines = stored.read_bytes().splitlines(keepends=True)
    stored.write_bytes(b"".join(lines[:-1]))
    assert _sentence(stored) == EDITED
    stored.write_bytes(b"".join([*lines, lines[-1]]))
    assert _sentence(stored) == EDITED


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", "{", "[]", "3", '"format"', "{}", '{"format": "pytest-lem session"}',
        '{"format": "other", "schema_version": "1.0", "sha256": ""}',
        '{"schema_version": "1.0", "run": {}}', "\x00" * 100,
    ],
)  # fmt: skip
def test_another_file_is_no_session(tmp_path: Path, text: str) -> None:
    """An empty one, another format, no format at all."""
    path = tmp_path / "other.jsonl"
    path.write_text(text)
    assert _sentence(path) == NO_SESSION


def test_bytes_that_are_no_text_are_no_session(tmp_path: Path) -> None:
    """A binary file is damaged as a session."""
    path = tmp_path / "other.jsonl"
    path.write_bytes(b"\xff\xfe\x00\n\x80")
    assert _sentence(path) == NO_SESSION


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    """And so is a folder in its place."""
    assert _sentence(tmp_path / "none.jsonl") == "No such file or directory"
    assert _sentence(tmp_path) == "Is a directory"


@pytest.mark.parametrize(("version", "is_read"), [("1.0", True), ("1.99", True), ("2.0", False)])
def test_figures_of_another_definition_are_refused(
    session: Session, tmp_path: Path, *, version: str, is_read: bool
) -> None:
    """A minor version adds figures, a major one means something else by them."""
    session.definitions_version = version
    write_session(session, tmp_path / "s.jsonl")
    if is_read:
        assert read_session(tmp_path / "s.jsonl") == session
    else:
        assert f"its figures are defined as in version {version}" in _sentence(tmp_path / "s.jsonl")


@pytest.mark.parametrize("version", ["1.0", "2.0", "0.9", "10.0", 4])
def test_another_major_version_is_refused(tmp_path: Path, version: object) -> None:
    """The sentence has both versions, and nobody looks at the seal of another format."""
    path = _sealed(tmp_path / "s.jsonl", "", schema_version=version, sha256="?")
    assert _sentence(path) == (
        f"its format is {version}, this release reads 3.0; delete it, and save anew"
    )


def test_a_newer_minor_version_is_read(session: Session, stored: Path) -> None:
    """It may have fields that this release does not know."""
    run, columns = _parts(stored)
    body = _body({**run, "added_later": 1}, {**columns, "added_later": [1]}, added_later=1)
    assert read_session(_sealed(stored, body, schema_version="3.7", added=1)) == session


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda run, _: run.pop("run"), "`run`: Field required"),
        (lambda _, columns: columns.pop("digest"), "`digest`: Field required"),
        (
            lambda _, columns: columns.update(state=["in", "never"]),
            "`state.0`: Input should be 'joined', ",
        ),
        (
            lambda _, columns: columns.update({TTFT: [1.0, float("nan")]}),
            f"`{TTFT}.1`: Input should be a finite number",
        ),
        (
            lambda _, columns: columns.update({SHARES: [float("inf"), 0]}),
            f"`{SHARES}.0`: Input should be a finite number",
        ),
        (
            lambda _, columns: columns.update({SHARES: [None, 0]}),
            f"`{SHARES}.0`: Input should be a valid number",
        ),
        (lambda _, columns: columns.pop(SHARES), f"`{SHARES}`: "),
        (lambda _, columns: columns[TTFT].pop(), f"`{TTFT}` has 1 entries, and there are 2"),
        (lambda _, columns: columns[SHARES].append(0), f"`{SHARES}` has 3 entries, and "),
        (lambda _, columns: columns["nodeid"].pop(), "`nodeid` has 1 entries, and there are 2"),
        (lambda _, columns: columns["flags"].append([]), "`flags` has 3 entries, and "),
        (
            lambda _, columns: columns["digest"].__setitem__(1, "x"),
            "`digest.1`: String should match pattern",
        ),
        (
            lambda run, _: next(iter(run["facts"].values()))["refuse"].update(x=float("inf")),
            "`facts`: ",
        ),
        (
            lambda _, columns: columns.update(comparability=["f" * 64] * 2),
            "the facts ffffffffffff are not in it",
        ),
    ],
)
@pytest.mark.parametrize("is_lazy", [False, True])
def test_what_is_whole_and_wrong_is_told_by_its_place(
    stored: Path, change: Callable[..., Any], sentence: str, *, is_lazy: bool
) -> None:
    """A seal says that nothing was changed, and not that it was right; nor when it is found out."""
    run, columns = _parts(stored)
    columns |= {TTFT: [1, 1], SHARES: [0, 0]}
    change(run, columns)
    assert _sentence(_sealed(stored, _body(run, columns)), is_lazy=is_lazy).startswith(sentence)


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        ({"entries": -1}, "`columns.entries`: Input should be greater than or equal to 0"),
        ({"entries": 10**9}, "`key` has 2 entries, and there are 1000000000"),
        ({"columns": None}, "`columns.columns`: Input should be a valid array"),
        ({"columns": ["key"]}, "it names 1 columns and has "),
        ({"columns": ["key"] * 4}, "it names 4 columns and has "),
    ],
    ids=str,
)
def test_columns_that_are_not_those_that_are_named_are_refused(
    stored: Path, head: dict[str, Any], sentence: str
) -> None:
    """However many the third line promises."""
    assert _sentence(_sealed(stored, _body(*_parts(stored), **head))).startswith(sentence)


def test_two_columns_of_one_name_are_refused(stored: Path) -> None:
    """Nobody could say which of the two counts."""
    run, columns = _parts(stored)
    names = ["key", *list(columns)[:-1]]
    assert _sentence(_sealed(stored, _body(run, columns, columns=names))).startswith("it names ")


def test_columns_that_an_older_release_did_not_write_have_their_defaults(
    session: Session, stored: Path
) -> None:
    """Those without a default are asked for, and missed."""
    run, columns = _parts(stored)
    del columns["unjudged"], columns["state"], columns["sm_clock_mhz"]
    found = read_session(_sealed(stored, _body(run, columns)))
    expected = [replace(e, unjudged=[], state="never", sm_clock_mhz=None) for e in session.entries]
    assert found.entries == expected
    assert found.entries[0].unjudged is not found.entries[1].unjudged


def test_a_lazy_reader_reads_what_it_asks_for(session: Session, stored: Path) -> None:
    """A column that nobody asks for may be anything; entries ask for all of them."""
    run, columns = _parts(stored)
    path = _sealed(stored, _body(run, {**columns, "settings": 5}))
    table = read_session(path, is_lazy=True).table
    assert list(table.column("state")) == [entry.state for entry in session.entries]
    assert table.figures("no such figure").values == [None, None]
    with pytest.raises(LemError, match="`settings`: Input should be a valid array"):
        table.entry(0)


def test_a_column_that_was_refused_stays_refused(stored: Path) -> None:
    """Whoever goes on in spite of it does not find defaults instead."""
    run, columns = _parts(stored)
    path = _sealed(stored, _body(run, {**columns, "flags": [1, 2]}))
    table = read_session(path, is_lazy=True).table
    for _ in range(2):
        with pytest.raises(LemError, match=r"`flags\.0`: Input should be a valid array"):
            table.column("flags")


def test_a_table_of_entries_has_the_columns_of_its_file(session: Session, stored: Path) -> None:
    """Whether they come from a file or are made of entries, a history sees the same."""
    made, read = session.table, read_session(stored).table
    digests = [entry.digest for entry in session.entries]
    assert [list(table.column("digest")) for table in (made, read)] == [digests, digests]
    assert made.entry(1) == read.entry(1)
    ours, theirs = (t.figures("energy_per_call_j") for t in (made, read))
    assert (list(ours.values), list(ours.resolutions)) == (theirs.values, theirs.resolutions)


def test_columns_hold_what_entries_hold(session: Session, stored: Path) -> None:
    """Every field of an entry has its column, and each value is of the type that entries have."""
    _, columns = _parts(stored)
    plain = {name for name in columns if not name.startswith("figures.")}
    assert plain == {field.name for field in fields(Entry)} - {"figures"}
    assert [replace(entry) for entry in read_session(stored).entries] == session.entries


@pytest.mark.parametrize(
    ("body", "sentence"),
    [("", "it is empty"), ("{}\n{\n", "`run`: "), ("[1]\n", ""), ("x\n", ""), ("\n", "")],
)
def test_a_sealed_file_without_a_session_is_one_sentence(
    tmp_path: Path, body: str, sentence: str
) -> None:
    """Whoever sealed it."""
    assert _sentence(_sealed(tmp_path / "s.jsonl", body)).startswith(sentence)


def test_a_write_that_fails_leaves_the_old_file(session: Session, stored: Path) -> None:
    """A folder in the place of the file: nothing half written stays behind."""
    old = stored.read_bytes()
    blocked = stored.parent / "blocked"
    blocked.mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        write_session(session, blocked)
    assert stored.read_bytes() == old
    assert sorted(path.name for path in stored.parent.iterdir()) == ["blocked", "r1.jsonl"]


def test_only_the_last_attempt_at_a_test_counts(infer_record: Make) -> None:
    """Of each cycle by itself; what was imported is no measurement of this run."""

    def made(attempt: int, cycle: int | None, value: int) -> Record:
        context = Context(nodeid=f"t[{cycle}]", attempt=attempt, cycle=cycle)
        return infer_record(context=context, peak_host_memory_bytes=value)

    foreign = made(2, 1, 900)
    foreign.origin = "imported"
    (entry,) = entries_of([made(1, 1, 500), made(2, 1, 100), made(1, 2, 200), foreign])
    assert entry.measurements["peak_host_memory_bytes"] == [100.0, 200.0]
    assert entry.figures["peak_host_memory_bytes"].value == 200.0


def test_a_record_without_facts_has_an_entry_without_them(
    infer_record: Make, tmp_path: Path
) -> None:
    """Records of other programs may have none; the session is read all the same."""
    record: Record = infer_record()
    record.comparability = None
    session = session_of(RUN, [record], {})
    write_session(session, tmp_path / "s.jsonl")
    found = read_session(tmp_path / "s.jsonl")
    assert (found.facts, [entry.comparability for entry in found.entries]) == ({}, [""])


def test_each_case_has_an_entry(infer_record: Make, call_record: Record) -> None:
    """In the order in which they were measured."""
    entries = entries_of([call_record, infer_record(), call_record])
    assert [entry.kind for entry in entries] == ["call", "infer"]


def test_entries_keep_the_boards_on_which_they_ran(infer_record: Make, call_record: Record) -> None:
    """Two boards of one kind agree in all that must agree, and are still two boards."""
    records = [infer_record(), call_record]
    for record, board in zip(records, ("GPU-a", "GPU-b"), strict=True):
        record.comparability = Comparability(refuse={"gpu": 1}, warn={"board": [board]}, hash="h")
    session = session_of(RUN, records, {})
    boards = [session.facts[entry.comparability].warn["board"] for entry in session.entries]
    assert boards == [["GPU-a"], ["GPU-b"]]


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"verdict": None}, "joined"),
        ({"verdict": "pass"}, "joined"),
        ({"verdict": "provisional"}, "joined"),
        ({"verdict": "regressed"}, "never"),
        ({"verdict": "improved"}, "never"),
        ({"verdict": "incomparable"}, "never"),
        ({"verdict": None, "status": "failed"}, "never"),
        ({"verdict": None, "validity": "invalid"}, "never"),
        ({"verdict": None, "flags": [Flag.CONTENDED]}, "never"),
        ({"verdict": "regressed", "state": "waiting"}, "waiting"),
        ({"verdict": "regressed", "state": "joined"}, "joined"),
    ],
    ids=str,
)
def test_of_a_session_that_is_named_whatever_is_sound_counts(
    session: Session, fields: dict[str, Any], state: str
) -> None:
    """Unless it was found changed and nobody has accepted it since."""
    plain = {"state": "never", **fields}
    session.entries = [replace(session.entries[0], **plain)]
    assert session.as_history().entries[0].state == state


def test_figures_of_a_row_are_read_from_their_columns(session: Session, tmp_path: Path) -> None:
    """Those of each entry and no others, as a mapping of their own has them."""
    write_session(session, tmp_path / "s.jsonl")
    for found, entry in zip(
        read_session(tmp_path / "s.jsonl").entries, session.entries, strict=True
    ):
        figures = found.figures
        assert dict(figures) == entry.figures
        assert len(figures) == len(entry.figures) > 0
        assert figures
        missing = "energy_per_call_j" if entry.kind == "infer" else "ttft_s"
        assert missing not in figures
        assert figures.get(missing) is None
        assert figures.get("no such figure") is None


def test_an_entry_without_figures_has_none(session: Session, tmp_path: Path) -> None:
    """It is not sound, beside one that has some."""
    session.entries[0].figures = {}
    write_session(session, tmp_path / "s.jsonl")
    empty, other = read_session(tmp_path / "s.jsonl").entries
    assert (bool(empty.figures), empty.is_sound) == (False, False)
    assert bool(other.figures)
