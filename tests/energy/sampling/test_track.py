"""The samples of one device."""

from __future__ import annotations

import pytest

from pytest_lem.energy.sampling.track import Source, Track


@pytest.fixture
def track() -> Track:
    """Return three samples of two columns, the middle one of the first unknown."""
    made = Track(("power_w", "temperature_c"), Source(name="RAPL", averaging_s=0.1))
    for time_s, *values in [(1.0, 50, 20), (2.0, None, 21), (3.0, 70, 22)]:
        made.add(time_s, values)
    return made


def test_what_is_missing_is_left_out(track: Track) -> None:
    """A column gives its values with the times at which there was one."""
    assert track.known("power_w") == ([1.0, 3.0], [50.0, 70.0])
    assert track.known("temperature_c") == ([1.0, 2.0, 3.0], [20.0, 21.0, 22.0])


def test_a_column_that_was_not_sampled_is_empty(track: Track) -> None:
    """Nothing is known of it."""
    assert track.known("energy_j") == ([], [])


@pytest.mark.parametrize(
    ("start_s", "end_s", "times_s"),
    [(1.0, 3.0, [1, 2, 3]), (1.5, 2.5, [2]), (2.0, 2.0, [2]), (3.1, 9.0, []), (3.0, 1.0, [])],
)
def test_a_stretch_holds_both_of_its_ends(
    track: Track, start_s: float, end_s: float, times_s: list[float]
) -> None:
    """The same samples are found with and without cutting the stretch out."""
    part = track.between(start_s, end_s)
    assert list(part.times_s) == times_s
    assert part.known("temperature_c") == track.known("temperature_c", start_s, end_s)
    assert part.source == track.source


def test_a_sample_has_a_value_for_each_column(track: Track) -> None:
    """A sample of another length would shift all that follow."""
    with pytest.raises(ValueError, match="zip"):
        track.add(4.0, [1])
