"""Ranges of numbers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lem.config.series import series


@pytest.mark.parametrize(
    ("parts", "values"),
    [
        ({"start": 1, "stop": 64, "factor": 2}, [1, 2, 4, 8, 16, 32, 64]),
        ({"start": 1, "stop": 50, "factor": 4}, [1, 4, 16]),
        ({"start": 64, "stop": 16, "factor": 0.5}, [64, 32, 16]),
        ({"start": 2, "stop": 8, "step": 3}, [2, 5, 8]),
        ({"start": 8, "stop": 1, "step": -3}, [8, 5, 2]),
        ({"start": 3, "stop": 3, "step": 1}, [3]),
        ({"start": 0.1, "stop": 0.3, "step": 0.1}, [0.1, 0.2, 0.3]),
        ({"start": 0, "stop": 1, "step": 0.5}, [0, 0.5, 1]),
        ({"start": 1.0, "stop": 1.21, "factor": 1.1}, [1.0, 1.1, 1.21]),
    ],
)
def test_a_range_has_both_ends(parts: dict[str, Any], values: list[float]) -> None:
    """It is computed in decimal, and whole numbers stay whole."""
    found = series(parts, 100)
    assert found == values
    assert [type(number) for number in found] == [type(number) for number in values]


@given(st.integers(-500, 500), st.integers(-500, 500), st.integers(1, 50))
def test_a_range_by_steps_is_that_of_python(start: int, stop: int, step: int) -> None:
    """Upwards and downwards, with the stop if it is hit."""
    sign = 1 if stop >= start else -1
    found = series({"start": start, "stop": stop, "step": sign * step}, 2000)
    assert found == list(range(start, stop + sign, sign * step))
