"""The Pareto front, by hand and by what it has to be."""

from hypothesis import given
from hypothesis import strategies as st

from pytest_lem.reports.html.pareto import front

POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=20)


def test_an_example_by_hand():
    """Cheap and slow, and dear and fast, are both on it; dearer and slower is not."""
    points = [(1.0, 10.0), (2.0, 30.0), (2.0, 20.0), (3.0, 30.0), (4.0, 40.0), (5.0, 5.0)]
    assert front(points) == [True, True, False, False, True, False]


def test_equal_points_are_on_it_together():
    """Two cases that came out the same are both as good."""
    assert front([(1.0, 1.0), (1.0, 1.0), (1.0, 0.5)]) == [True, True, False]


@given(POINTS)
def test_it_is_what_nothing_dominates(points):
    """A point is on it just when no other is as good in both and better in one."""
    expected = [
        not any(c <= cost and g >= gain and (c, g) != (cost, gain) for c, g in points)
        for cost, gain in points
    ]
    assert front(points) == expected
