"""Ids of tests without their cycle."""

from __future__ import annotations

import pytest

from pytest_lem.results.nodeid import without_cycle


@pytest.mark.parametrize(
    ("nodeid", "expected"),
    [
        ("t.py::t", "t.py::t"),
        ("t.py::t[8]", "t.py::t[8]"),
        ("t.py::t[cycle:1]", "t.py::t"),
        ("t.py::t[8-cycle:12]", "t.py::t[8]"),
        ("t.py::T::t[a-b-cycle:3]", "t.py::T::t[a-b]"),
        ("t[cycle:2]", "t"),
        ("t.py::t[cycle:1]#second", "t.py::t#second"),
        ("t.py::t[8-cycle:2]#second", "t.py::t[8]#second"),
        ("t.py::t[cycle:x]", "t.py::t[cycle:x]"),
        ("t.py::t[bicycle:1]", "t.py::t[bicycle:1]"),
        ("t.py::t[cycle:1-8]", "t.py::t[cycle:1-8]"),
        ("cycle:1/t.py::t", "cycle:1/t.py::t"),
    ],
)
def test_the_cycle_at_the_end_is_left_out(nodeid: str, expected: str) -> None:
    """All cycles of a test are the same case; other parameters stay as they are."""
    assert without_cycle(nodeid) == expected
    assert without_cycle(expected) == expected
