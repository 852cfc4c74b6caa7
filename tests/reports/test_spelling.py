"""Text for terminals that lack some of its signs."""

from __future__ import annotations

import pytest

from pytest_lem.reports.spelling import spelled

TABLE = "✗ a  ~1.00 µJ ±10 %  ██░░░  42 %  30 °C …\n"


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-8", "utf-16", None])
def test_a_terminal_with_all_signs_gets_them(encoding: str | None) -> None:
    """Nothing changes."""
    assert spelled(TABLE, encoding) == TABLE


@pytest.mark.parametrize("encoding", ["ascii", "US-ASCII", "no-such-encoding"])
def test_plain_ascii_gets_likenesses(encoding: str) -> None:
    """Those of a table are as wide as the signs, so that columns stay in their places."""
    text = spelled(TABLE, encoding)
    assert text == "x a  ~1.00 uJ+-10 %  ##...  42 %  30 C ...\n"
    assert len(text.partition("  30")[0]) == len(TABLE.partition("  30")[0])


def test_signs_that_are_there_stay() -> None:
    """Latin-1 has µ and ±, and no blocks."""
    assert spelled(TABLE, "latin-1") == "x a  ~1.00 µJ ±10 %  ##...  42 %  30 °C ...\n"


def test_names_are_shown_by_their_numbers() -> None:
    """So are characters that no encoding has; lines stay lines."""
    assert spelled("test_ü[日]\nb", "ascii") == "test_\\xfc[\\u65e5]\nb"
    assert spelled("name\udcff", "utf-8") == "name\\udcff"


@pytest.mark.parametrize("encoding", ["utf-8", None, "ascii"])
def test_marks_that_turn_the_text_are_named(encoding: str | None) -> None:
    """Else the figures behind a name could be read from the other side."""
    assert spelled("test[\u202e123\u202c] 1 J", encoding) == "test[[U+202E]123[U+202C]] 1 J"
