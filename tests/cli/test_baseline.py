"""`lem baseline accept`: cases that wait join their history."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_lem.cli.main import main
from pytest_lem.results.store import Store


@pytest.fixture
def states():
    """Return a function that gives the state of each case in each session of `main`."""
    return lambda: [
        {entry.key: entry.state for entry in session.entries}
        for session in Store(Path(".lem")).read("main", Path())
    ]


@pytest.fixture
def waiting(keep, measured):
    """Write two sessions of two cases that wait, and one that joined."""
    for number in (1, 2):
        keep(number, measured("a"), measured("b"), save="main", states=["waiting", "waiting"])
    keep(3, measured("a"), measured("b"), save="main")


def test_the_latest_that_waits_joins(waiting, said, states):
    """All of its cases, and it says which."""
    assert said("baseline", "accept", "main") == (0, ["a joined main", "b joined main"], [])
    before, accepted, _ = states()
    assert before == {"a": "waiting", "b": "waiting"}
    assert accepted == {"a": "joined", "b": "joined"}


def test_a_run_can_be_named(waiting, said, states):
    """By the beginning of its id."""
    status, out, _ = said("baseline", "accept", "main", "20260101T000001")
    assert (status, len(out)) == (0, 2)
    assert states()[0] == {"a": "joined", "b": "joined"}
    assert states()[1] == {"a": "waiting", "b": "waiting"}


def test_cases_can_be_named(waiting, said, states):
    """The others go on waiting."""
    assert said("baseline", "accept", "main", "--case", "b") == (0, ["b joined main"], [])
    assert states()[1] == {"a": "waiting", "b": "joined"}


def test_it_counts_from_then_on(keep, measured, said):
    """What was a regression before is the history afterwards."""
    keep(1, measured(seconds=2.0), save="main", states=["never"])
    keep(2, measured(seconds=4.0), save="main", states=["waiting"])
    keep(3, measured(seconds=4.0))
    gate = ["--baseline", "main", "--fail-on", "call_duration_s:2"]
    assert said("report", "latest", *gate)[0] == 1
    said("baseline", "accept", "main")
    assert said("report", "latest", *gate)[0] == 0


def test_where_nothing_waits_it_says_so(keep, measured, said, states):
    """Status 1, and nothing is changed."""
    keep(1, measured("a"), save="main")
    sentence = "nothing waits in main, so nothing was changed"
    assert said("baseline", "accept", "main") == (1, [], [sentence])
    sentence = "nothing waits in session 20260101T000001-000001 of main, so nothing was changed"
    assert said("baseline", "accept", "main", "2026") == (1, [], [sentence])
    assert states() == [{"a": "joined"}]


def test_a_case_that_does_not_wait_is_named(waiting, said, states):
    """The others join, and the status tells that one did not."""
    status, out, err = said("baseline", "accept", "main", "--case", "a", "--case", "c")
    assert (status, out) == (1, ["a joined main"])
    assert err == ["not waiting in main: c; see `lem ls baselines main`"]
    assert states()[1] == {"a": "joined", "b": "waiting"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["mian"], "the store .lem has no history `mian`; did you mean `main`?"),
        (["../main"], "letters, digits, dots, dashes and underscores make a name, not '../main'"),
        (["main", "2027"], "sessions of main: there is no `2027`; `lem ls runs` lists"),
        (["main", "2026"], "sessions of main: `2026` begins the names of 3 of them"),
        (["main", "--store", "gone"], "there is no store at gone; name the folder with --store"),
    ],
)
def test_what_is_not_there_is_a_sentence(waiting, said, states, arguments, sentence):
    """Status 2; no history is made by a slip of the pen."""
    status, out, (line,) = said("baseline", "accept", *arguments)
    assert (status, out) == (2, [])
    assert sentence in line
    assert Store(Path(".lem")).names() == ["main"]
    assert states()[0] == {"a": "waiting", "b": "waiting"}


def test_a_history_that_was_damaged_is_a_sentence(waiting, said):
    """It is not changed behind the back of its seal."""
    path = Path(".lem/baselines/main/20260101T000003-000003.jsonl")
    text = path.read_text().replace("joined", "waiting")
    path.write_text(text)
    status, out, (line,) = said("baseline", "accept", "main")
    assert (status, out) == (2, [])
    assert "it was cut short, damaged or edited since it was written" in line
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "the following arguments are required: VERB"),
        (["accept"], "the following arguments are required: NAME"),
        (["acept", "main"], "invalid choice: 'acept'"),
    ],
)
def test_a_mistake_in_the_usage_is_status_2(arguments, sentence, capsys):
    """With the usage, and without a traceback."""
    with pytest.raises(SystemExit) as left:
        main(["baseline", *arguments])
    assert left.value.code == 2
    assert sentence in capsys.readouterr().err.splitlines()[-1]


def test_the_help_says_what_a_status_means(capsys):
    """And it fits a terminal."""
    with pytest.raises(SystemExit):
        main(["baseline", "accept", "--help"])
    text = capsys.readouterr().out
    assert "  1  nothing waits, or not all of the cases that were named" in text
    assert max(map(len, text.splitlines())) <= 80
