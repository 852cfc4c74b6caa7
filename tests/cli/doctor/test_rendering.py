"""What people see."""

from __future__ import annotations

import io

import pytest

from pytest_lem.cli.doctor.findings import Findings, Row, Section
from pytest_lem.cli.doctor.rendering import show
from pytest_lem.energy.reading import Tier

FINDINGS = Findings(
    sections=[
        Section(
            name="devices",
            facts=None,
            rows=[Row("GPU [0]", "[red]Board[/red] " + "word " * 40), Row("GPU 1", "one\ntwo ±")],
            problems=["GPU [0]: it is [bold]broken[/bold], " + "and so on " * 20],
            hints=["look at [link=x]it[/link]"],
        )
    ],
    sources={"estimated": Tier.ESTIMATED},
)


class Terminal(io.StringIO):
    """A file that takes itself for a terminal."""

    def isatty(self) -> bool:
        return True


def test_names_are_shown_to_the_letter():
    """Whatever markup they resemble."""
    file = io.StringIO()
    show(FINDINGS, file)
    text = file.getvalue()
    assert "GPU [0]       [red]Board[/red] word word" in text
    assert "problem: GPU [0]: it is [bold]broken[/bold], and so on" in text
    assert "hint: look at [link=x]it[/link]" in text


def test_a_file_gets_80_columns_without_colors_and_trailing_spaces():
    """As `lem doctor > file` and a mail need it."""
    file = io.StringIO()
    show(FINDINGS, file)
    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if line != line.rstrip()] == []
    assert "\x1b" not in file.getvalue()
    assert lines[-2:] == [
        "Energy can only be estimated here, for work on the CPU alone: there is no sensor",
        "that can be read.",
    ]


def test_the_words_suffice_without_an_encoding_for_signs():
    """A terminal that knows only ASCII gets a question mark, not a traceback."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    show(FINDINGS, file)
    file.flush()
    assert b"two ?" in raw.getvalue()


@pytest.mark.parametrize("has_color", [True, False])
def test_a_terminal_has_colors_unless_they_are_unwanted(monkeypatch, has_color):
    """NO_COLOR is respected."""
    monkeypatch.setenv("TERM", "xterm-256color")
    if not has_color:
        monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    show(FINDINGS, terminal)
    assert ("\x1b[31mproblem:" in terminal.getvalue()) is has_color
