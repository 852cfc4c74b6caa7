"""Fewer points, and every peak still there."""

from math import nan

from hypothesis import given
from hypothesis import strategies as st

from pytest_lem.reports.html.thinning import broken, steps, stretches, thin

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300)


def test_an_example_by_hand():
    """Of two stretches of five samples, the least and the largest stay, with both ends."""
    values = [5, 1, 9, 4, 4, 3, 3, 8, 2, 6]
    assert thin(range(10), values, 2) == (
        [0.0, 1.0, 2.0, 7.0, 8.0, 9.0],
        [5.0, 1.0, 9.0, 8.0, 2.0, 6.0],
    )


def test_a_short_series_stays_whole():
    """Where there is room for all samples, none is left out; unknown ones are."""
    assert thin([0, 1, 2, 3], [1, nan, 3, 4], 2) == ([0.0, 2.0, 3.0], [1.0, 3.0, 4.0])


def test_a_single_peak_survives_any_thinning():
    """One sample among ten thousand is what a reader looks for."""
    values = [100.0] * 10_000
    values[6_789] = 700.0
    x, y = thin(range(10_000), values, 50)
    assert y[x.index(6_789)] == 700.0
    assert len(x) <= 102


@given(VALUES, st.integers(1, 20))
def test_what_stays_was_there_and_holds_the_extremes(values, buckets):
    """Points are a part of the samples in order, with the first, the last, and both extremes."""
    x, y = thin(range(len(values)), values, buckets)
    assert x == sorted(set(x))
    assert all(values[int(time)] == value for time, value in zip(x, y, strict=True))
    assert (x[0], x[-1]) == (0, len(values) - 1)
    assert (min(y), max(y)) == (min(values), max(values))
    assert len(x) <= 2 * buckets + 2


@given(st.lists(st.floats(-10, 10), min_size=50, max_size=200))
def test_each_stretch_keeps_its_own_extremes(values):
    """Also a peak that is lower than another one elsewhere is not lost."""
    buckets, last = 5, len(values) - 1
    x, y = thin(range(len(values)), values, buckets)
    for bucket in range(buckets):
        mine = [i for i in range(len(values)) if min(int(i / last * buckets), 4) == bucket]
        kept = [value for time, value in zip(x, y, strict=True) if int(time) in mine]
        assert max(kept) == max(values[i] for i in mine)
        assert min(kept) == min(values[i] for i in mine)


def test_samples_of_one_moment_do_not_divide_by_nothing():
    """A clock that stood still leaves the extremes."""
    assert thin([1.0] * 5, [3, 1, 2, 9, 4], 1)[1] == [3.0, 1.0, 9.0, 4.0]


def test_no_line_is_drawn_over_a_gap():
    """In the middle of a stretch without samples is a point without a value."""
    x, y = broken(([0.0, 1.0, 5.0, 6.0], [1.0, 2.0, 3.0, 4.0]), [(1.0, 5.0)])
    assert x == [0.0, 1.0, 3.0, 5.0, 6.0]
    assert y == [1.0, 2.0, None, 3.0, 4.0]


def test_a_gap_before_the_first_sample_needs_no_point():
    """There is no line yet that could be drawn over it."""
    assert broken(([2.0, 3.0], [1.0, 2.0]), [(0.0, 2.0)]) == ([2.0, 3.0], [1.0, 2.0])


def test_stretches_last_until_the_next_sample():
    """Something that was on at two samples in a row is one stretch; a short pause is none."""
    times = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    is_on = [True, True, False, False, True, False]
    assert stretches(times, is_on, 0.5) == [(0.0, 2.0), (4.0, 5.0)]
    assert stretches(times, is_on, 2.0) == [(0.0, 5.0)]


def test_a_distribution_ends_at_one():
    """Each value stands with the share that is not above it; of many, the ends stay."""
    assert steps([3.0, 1.0, 2.0, 2.0], 10) == ([1.0, 2.0, 2.0, 3.0], [0.25, 0.5, 0.75, 1.0])
    x, y = steps([float(i) for i in range(1000)], 11)
    assert (x[0], x[-1], y[-1], len(x)) == (0.0, 999.0, 1.0, 11)
