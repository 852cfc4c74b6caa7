"""Columns beside each other: the quick way draws what rich draws, and rich draws the rest."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lem.reports import grid as module
from pytest_lem.reports.console import text_from, trimmed
from pytest_lem.reports.grid import Column, grid

COLUMNS = (Column("case"), Column("word", is_whole=True), Column("J/token", is_number=True))
ROWS = [["a", "pass", "1 mJ"], ["lönger 漢字", "failed", "12 mJ"], ["", "-", "[red]3[/] mJ"]]
CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z", "M"]), max_size=12)


def _drawn(rows: list[list[str]], width: int = 100, **how: object) -> str:
    is_colored = bool(how.pop("is_colored", False))
    return text_from([grid(COLUMNS, rows, width, **how)], width=width, is_colored=is_colored)


@pytest.fixture
def folded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have everything drawn by rich."""
    monkeypatch.setattr(module, "_is_plain", lambda _: False)


def test_names_stand_to_the_left_and_numbers_to_the_right() -> None:
    """Each column as wide as its widest cell, two spaces apart; markup is text."""
    assert trimmed(_drawn(ROWS)).splitlines() == [
        "case         word         J/token",
        "a            pass            1 mJ",
        "lönger 漢字  failed         12 mJ",
        "             -       [red]3[/] mJ",
    ]


@settings(derandomize=True, deadline=None, max_examples=200, database=None)
@given(rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=4))
def test_what_fits_looks_as_rich_draws_it(rows: list[list[str]]) -> None:
    """Also where a character takes two places."""
    ours = trimmed(_drawn(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_is_plain", lambda _: False)
        assert ours == trimmed(_drawn(rows))


@pytest.mark.parametrize("is_first_styled", [False, True])
def test_a_row_or_its_first_cell_has_a_colour(*, is_first_styled: bool) -> None:
    """The heads are bold."""
    text = _drawn(
        ROWS[:1], styles=["red"], is_first_styled=is_first_styled, is_colored=True
    ).rstrip()
    assert text.startswith("\x1b[1mcase  word  J/token\x1b[0m")
    line = text.splitlines()[1]
    assert line == ("\x1b[31ma\x1b[0m     pass     1 mJ" if is_first_styled
                    else "\x1b[31ma     pass     1 mJ\x1b[0m")  # fmt: skip


@pytest.mark.usefixtures("folded")
@pytest.mark.parametrize("is_first_styled", [False, True])
def test_rich_colours_the_same_cells(*, is_first_styled: bool) -> None:
    """Where a table is folded."""
    text = _drawn(ROWS[:1], styles=["red"], is_first_styled=is_first_styled, is_colored=True)
    line = text.splitlines()[1]
    assert line.count("\x1b[31m") == (1 if is_first_styled else 3)


def test_what_is_too_wide_is_folded() -> None:
    """A name loses nothing, and numbers are whole."""
    lines = trimmed(_drawn([["x" * 50, "failed", "12 mJ"]], width=40)).splitlines()
    assert max(map(len, lines)) <= 40
    assert "".join(line[:23].strip() for line in lines[1:]) == "x" * 50
    assert lines[1].endswith("12 mJ")


def test_a_cell_of_two_lines_takes_two() -> None:
    """The cells beside it stay in their columns."""
    lines = trimmed(_drawn([["two\nlines", "-", "1 J"]])).splitlines()
    assert lines[1:] == ["two    -         1 J", "lines"]


def test_without_rows_there_are_heads() -> None:
    """Nothing is measured of what is not there."""
    assert trimmed(_drawn([])) == "case  word  J/token\n"
