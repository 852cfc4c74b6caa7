"""Sheets: columns over rows."""

from __future__ import annotations

import pytest

from pytest_lem.errors import LemError
from pytest_lem.reports.sheet import Column, Sheet

SHEET = Sheet(
    columns=[Column("width", int, lambda x: x), Column("height", float, lambda x: x / 2)],
    rows=[1, 2],
)


def test_columns_can_be_chosen_and_ordered():
    """Those that are named and no others; without a name all of them."""
    chosen = SHEET.only(["height", "width"], "--columns")
    assert [chosen.cells(row) for row in chosen.rows] == [[0.5, 1], [1.0, 2]]
    assert SHEET.only((), "--columns") == SHEET


def test_a_column_that_is_not_there_is_refused():
    """With a name that is near."""
    with pytest.raises(LemError) as caught:
        SHEET.only(["widht"], "--columns")
    assert str(caught.value) == "--columns: there is no column 'widht'; did you mean `width`?"
