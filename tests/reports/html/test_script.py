"""The charting library: found where it is installed, asked for in a sentence where it is not."""

import pytest

from pytest_lem.errors import LemError
from pytest_lem.reports.html import script
from pytest_lem.reports.html.script import charting_script


def test_the_script_of_the_library_cannot_end_its_element():
    """It is plotly.js, and has no text that a parser of HTML would stop at."""
    found = charting_script()
    assert "plotly.js v" in found[:500]
    assert "</script" not in found.lower()
    assert "<!--" not in found


def test_a_missing_library_is_asked_for_in_one_sentence(monkeypatch):
    """Who lacks the extra is told what to install."""
    monkeypatch.setattr(script, "find_spec", lambda _: None)
    with pytest.raises(
        LemError, match=r"plotly, which is not installed.*pip install 'pytest-lem\["
    ):
        charting_script()
