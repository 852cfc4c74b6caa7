"""The journal that survives a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_lem.results.journal import Journal, read_journal


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Return a journal of three lines, in a folder that it made."""
    journal = Journal(tmp_path / "runs" / "1" / "journal.jsonl")
    journal.append("run", {"id": "r1"})
    journal.append("record", {"n": 1, "text": "é\u2028\n"})
    journal.append("record", {"n": 2})
    return journal


def test_lines_come_back_as_they_were_appended(journal: Journal) -> None:
    """Kind and content of each line, whatever characters are in it."""
    assert read_journal(journal.path) == [
        {"type": "run", "run": {"id": "r1"}},
        {"type": "record", "record": {"n": 1, "text": "é\u2028\n"}},
        {"type": "record", "record": {"n": 2}},
    ]


@pytest.mark.parametrize("lost", [2, 10])
def test_a_line_that_was_cut_at_the_end_is_left_out(journal: Journal, lost: int) -> None:
    """All lines before it are kept."""
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole[:-lost])
    assert [line["type"] for line in read_journal(journal.path)] == ["run", "record"]


def test_a_new_journal_object_goes_on_where_the_last_stopped(journal: Journal) -> None:
    """Appending never empties a file."""
    Journal(journal.path).append("record", {"n": 3})
    assert len(read_journal(journal.path)) == 4


def test_what_is_no_number_is_refused_and_leaves_the_journal_whole(journal: Journal) -> None:
    """NaN is no JSON; the lines before stay readable and no half line follows."""
    before = journal.path.read_bytes()
    with pytest.raises(ValueError, match="not JSON compliant"):
        journal.append("record", {"value": float("nan")})
    assert journal.path.read_bytes() == before


def test_what_was_appended_survives_a_kill(tmp_path: Path) -> None:
    """A process that is killed right after appending has lost nothing."""
    path = tmp_path / "journal.jsonl"
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from pytest_lem.results.journal import Journal\n"
        "Journal(Path(sys.argv[1])).append('record', {'n': 1})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], check=False)
    assert done.returncode == -signal.SIGKILL
    assert read_journal(path) == [{"type": "record", "record": {"n": 1}}]


def test_every_line_is_json_by_itself(journal: Journal) -> None:
    """Other tools read it line by line."""
    lines = journal.path.read_text().split("\n")
    assert [json.loads(line)["type"] for line in lines[:-1]] == ["run", "record", "record"]
    assert lines[-1] == ""
    assert os.linesep == "\n"
