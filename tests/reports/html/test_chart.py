"""Axes of charts."""

import pytest

from pytest_lem.reports.html.chart import range_of


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([50.0], [45.0, 55.0]),
        ([50.0, 52.0], [46.0, 56.0]),
        ([3.0, 4.0], [0.0, 10.0]),
        ([0.0, 0.0], [0.0, 10.0]),
        ([-2.0, 1.0], [-5.5, 4.5]),
    ],
)
def test_values_close_to_each_other_are_in_the_middle(values, expected):
    """What is not negative has no axis below zero."""
    assert range_of(values, 10) == {"range": expected}


def test_values_far_enough_apart_span_their_own_range():
    """Nothing is said of it."""
    assert range_of([45.0, 55.0], 10) == {}
