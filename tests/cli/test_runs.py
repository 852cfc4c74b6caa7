"""`lem ls runs` and `lem ls baselines`: what a store has."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest

from pytest_lem.cli.main import main
from pytest_lem.errors import FailureKind
from pytest_lem.results.runfile import read_run, write_run
from pytest_lem.results.session import read_session, write_session

HOSTILE = "t::f[[red]a|b[/red]]"


class Terminal(io.StringIO):
    """A file that takes itself for a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(here, monkeypatch):
    """Return a function that gives what a terminal of 80 columns gets."""

    def show(*arguments):
        screen = Terminal()
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setattr(sys, "stdout", screen)
        assert main(["ls", *arguments]) == 0
        return screen.getvalue()

    return show


@pytest.fixture
def table(said):
    """Return a function that gives the cells of a list, without its heads."""

    def read(*arguments):
        status, out, err = said("ls", *arguments)
        assert (status, err) == (0, [])
        return [re.split(r"  +", line.strip()) for line in out[1:]]

    return read


def test_each_run_has_a_line(keep, measured, table):
    """The oldest first: when, how much, how it ended, and the histories that have it."""
    failed = measured("b", failure=(FailureKind.TEST, "broken"))
    keep(2, measured("a"), failed, exit_status=1)
    keep(1, *(measured("a", cycle=n) for n in (1, 2)), save="main")
    assert table("runs") == [
        ["20260101T000001-000001", "2026-01-01 00:00", "1", "0", "0", "-", "-", "main"],
        ["20260101T000002-000002", "2026-01-01 00:00", "2", "1", "1", "-", "-", "-"],
    ]


def test_a_run_has_its_preset_and_commit(keep, measured, table):
    """The commit is short, with a plus where files differed from it."""
    directory = keep(1, measured())
    run_file = read_run(directory / "run.json")
    run_file.run.preset = "rigorous"
    run_file.environments = {"e": {"git": {"commit": "0123456789abcdef", "dirty": True}}}
    run_file.records[0].environment = "e"
    write_run(run_file, directory / "run.json")
    (directory / "session.jsonl").unlink()
    assert table("runs")[0][5:7] == ["rigorous", "0123456+"]


def test_a_run_without_an_end_is_listed(keep, measured, table):
    """It has no exit status."""
    keep(1, measured(), exit_status=None)
    assert table("runs")[0][4] == "-"


def test_a_run_that_cannot_be_read_hides_no_other(keep, measured, said):
    """It is named with the reason, and the status tells."""
    keep(1, measured())
    (keep(2, measured()) / "session.jsonl").write_text("{}")
    status, out, (line,) = said("ls", "runs")
    assert (status, len(out)) == (1, 2)
    assert line.startswith("cannot read the ")
    assert "20260101T000002" in line


def test_histories_have_their_counts(keep, measured, table):
    """Sessions, different cases, entries that wait, and the latest session."""
    keep(1, measured("a"), measured("b"), save="main")
    keep(2, measured("a"), save="main", states=["waiting"])
    keep(3, measured("c"), save="feature")
    assert table("baselines") == [
        ["feature", "1", "1", "0", "2026-01-01 00:00"],
        ["main", "2", "2", "1", "2026-01-01 00:00"],
    ]


def test_a_history_has_a_line_for_each_case(keep, measured, table):
    """How many of its sessions joined or wait, and what was last said."""
    keep(1, measured("a"), measured("b"), save="main")
    keep(2, measured("a"), save="main", states=["waiting"])
    assert table("baselines", "main") == [
        ["a", "2", "1", "1", "regressed"],
        ["b", "1", "1", "0", "pass"],
    ]


def test_the_history_of_a_case_can_be_read(keep, measured, said):
    """Each session with its figures, its verdict, and whether it counts."""
    keep(1, *(measured(cycle=n, version="1.5", joules=8.0 * n) for n in (1, 2, 3)), save="main")
    keep(2, measured(version="2.0"), save="main", states=["waiting"])
    status, out, err = said("ls", "baselines", "main", "t::s")
    assert (status, err) == (0, [])
    assert [re.split(r"  +", line.strip()) for line in out] == [
        ["session", "J/call", "s/call", "power", "verdict", "state", "backend version"],
        ["20260101T000001-000001", "4.00 J ±50 %", "500 ms ±0 %", "8.00 W ±50 %", "pass", "joined",
         "1.5"],
        ["20260101T000002-000002", "2.00 J", "500 ms", "4.00 W", "regressed", "waiting", "2.0"],
    ]  # fmt: skip


def test_a_terminal_gets_lines_that_fit(keep, measured, terminal, monkeypatch):
    """What is dispensable goes, the verdict stays; colours only where they are wanted."""
    records = [measured(cycle=n, joules=8.0 * n, seconds=n) for n in (1, 2, 3)]
    keep(1, *records, save="a-history-with-a-long-name")
    assert "\x1b[" in terminal("runs")
    monkeypatch.setenv("NO_COLOR", "1")
    lines = terminal("runs").splitlines()
    heads = ["run", "started", "cases", "failed", "preset", "commit", "saved to"]
    assert re.split(r"  +", lines[0]) == heads
    assert max(map(len, lines)) <= 80
    lines = terminal("baselines", "a-history-with-a-long-name", "t::sort").splitlines()
    assert "power" not in " ".join(lines)
    assert "500 ms ±50 %" in lines[-1]
    assert "pass" in lines[-1]
    assert "joined" in lines[-1]
    assert max(map(len, lines)) <= 80


def test_ids_are_shown_to_the_letter(keep, measured, table):
    """Whatever markup they resemble."""
    keep(1, measured(HOSTILE), save="main")
    assert table("baselines", "main")[0][0] == HOSTILE
    assert len(table("baselines", "main", HOSTILE)) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["runs", "--store", "gone"], "there is no store at gone; name the folder with --store"),
        (["baselines", "--store", "gone"], "there is no store at gone; name the folder"),
        (["baselines", "mian"], "has no history `mian`; did you mean `main`?"),
        (["baselines", "../x"], "letters, digits, dots, dashes and underscores make a name"),
        (["baselines", "main", "t::sor[1]"], "there is no `t::sor[1]`; did you mean `t::sort[1]`?"),
        (
            ["baselines", "main", "t::sort"],
            "begins the names of 2 of them (t::sort[1], t::sort[2])",
        ),
    ],
)
def test_what_is_not_there_is_a_sentence(keep, measured, said, arguments, sentence):
    """With what is near, and status 2."""
    keep(1, measured("t::sort[1]"), measured("t::sort[2]"), save="main")
    status, out, (line,) = said("ls", *arguments)
    assert (status, out) == (2, [])
    assert sentence in line


def test_an_empty_store_is_no_mistake(said):
    """It says that there is nothing yet."""
    Path(".lem").mkdir()
    assert said("ls", "runs") == (0, [], ["there are no runs in .lem"])
    status, out, (line,) = said("ls", "baselines")
    assert (status, out) == (0, [])
    assert line == "there are no baselines in .lem; make one with --lem-save"


def test_a_session_that_cannot_be_read_hides_no_other(keep, measured, said):
    """In each of the three lists it is named, and the status tells."""
    keep(1, measured(), save="main")
    keep(2, measured(), save="main")
    Path(".lem/baselines/main/20260101T000002-000002.jsonl").write_text("")
    for more in ([], ["main"], ["main", "t::sort"]):
        status, out, (line,) = said("ls", "baselines", *more)
        assert (status, len(out)) == (1, 2)
        assert line.startswith("cannot read the session .lem/baselines/main/20260101T000002")


def test_facts_that_are_not_known_are_a_dash(keep, measured, table):
    """A case without facts has no version of a backend."""
    keep(1, measured(version="1.5"), save="main")
    path = Path(".lem/baselines/main/20260101T000001-000001.jsonl")
    session = read_session(path)
    session.entries[0].comparability = ""
    write_session(session, path)
    assert table("baselines", "main", "t::sort")[0][-1] == "-"


@pytest.mark.parametrize("noun", ["runs", "baselines"])
def test_the_help_says_what_a_status_means(noun, capsys):
    """And it fits a terminal."""
    with pytest.raises(SystemExit):
        main(["ls", noun, "--help"])
    text = capsys.readouterr().out
    assert "  1  something cannot be read, and is left out" in text
    assert max(map(len, text.splitlines())) <= 80
