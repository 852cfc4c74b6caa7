"""How much of an output two sides have in common."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_lem.gate.agreement import agreement


@pytest.mark.parametrize(
    ("a", "b", "share"),
    [
        ([[1, 2, 3, 4]], [[1, 2, 3, 4]], 1.0),
        ([[1, 2, 3, 4]], [[1, 2, 9, 4]], 0.5),
        ([[1, 2, 3, 4]], [[9, 2, 3, 4]], 0.0),
        ([[1, 2, 3, 4]], [[1, 2, 3]], 0.75),
        ([[1, 2]], [[1, 2, 3, 4]], 1.0),
        ([[1, 2, 3, 4], [5, 6]], [[1, 2, 9, 4], [5, 6]], 0.75),
        ([[1, -1, 3, 4]], [[1, 2, 3, 4]], 1.0),
        ([[1, -1, 3, 4]], [[1, 2, 9, 4]], 0.5),
        ([[]], [[]], 0.0),
        (None, [[1]], None),
        ([[1]], None, None),
        ([], [], None),
        ([[1], [2]], [[1]], None),
    ],
)
def test_only_what_stands_before_the_first_difference_counts(a: Any, b: Any, share: Any) -> None:
    """After it everything may differ; an id that was not told is taken to agree."""
    assert agreement(a, b) == share
