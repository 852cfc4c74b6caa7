"""What a series tells about a stretch of time."""

from __future__ import annotations

import pytest

from pytest_lem.energy.sampling.series import Look, Series
from pytest_lem.energy.sampling.track import Source, Track

SOURCE = Source(name="NVML field 185", averaging_s=1.0)


def make(*times_s: float, interval_s: float = 0.1) -> Series:
    """Return a series of a machine, and of a board whose power is ten times the time."""
    series = Series(
        {"machine": Track(("utilisation",)), "GPU-a": Track(("power_w",), SOURCE)},
        interval_s=interval_s,
        faults={"GPU-b": "no such board"},
    )
    for time_s in times_s:
        look = Look(time_s=time_s, device="GPU-a", kind="compute", pids=(7,))
        series.add([[time_s, None], [time_s, 10 * time_s]], [look])
    return series


def test_figures_of_a_stretch() -> None:
    """Mean, maximum, first and last are of the samples inside, in the unit of the column."""
    series = make(1, 2, 3, 4, 5)
    stretch = ("GPU-a", "power_w", 2, 4)
    assert series.mean(*stretch) == 30
    assert series.maximum(*stretch) == 40
    assert series.first(*stretch) == 20
    assert series.last(*stretch) == 40


@pytest.mark.parametrize(
    ("device", "name"),
    [("machine", "utilisation"), ("GPU-a", "temperature_c"), ("GPU-b", "power_w")],
    ids=["missing", "other-column", "other-device"],
)
def test_what_was_not_sampled_is_unknown(device: str, name: str) -> None:
    """Without a value there is no figure, and no error."""
    series = make(1, 2)
    assert series.column(device, name) == ([], [])
    figures = (series.mean, series.maximum, series.first, series.last)
    assert [figure(device, name) for figure in figures] == [None] * 4


def test_a_figure_outside_the_samples_is_unknown() -> None:
    """A window without samples has no mean."""
    assert make(1, 2).mean("GPU-a", "power_w", 3, 4) is None


def test_devices_and_the_sources_of_their_power() -> None:
    """A device without power, or one that is not there, has no source."""
    series = make()
    assert series.devices == ["machine", "GPU-a"]
    sources = [series.source(device) for device in ("machine", "GPU-a", "GPU-b")]
    assert sources == [None, SOURCE, None]


def test_the_achieved_interval_is_the_median() -> None:
    """One long pause does not hide that the rest came in time."""
    assert make(0, 0.1, 0.2, 0.3, 5).achieved_interval_s == pytest.approx(0.1)
    assert make(1).achieved_interval_s is None
    assert Series({}, interval_s=1).achieved_interval_s is None


def test_gaps_are_longer_than_two_and_a_half_intervals() -> None:
    """One sample that is missing is no gap, two are."""
    assert make(0, 1, 3, 6, 7, interval_s=1).gaps == [(3, 6)]


def test_what_a_stretch_is_not_covered_by_is_a_gap() -> None:
    """Samples that began late or ended early leave gaps at the ends."""
    series = make(0, 1, 2, 3, interval_s=1)
    assert series.gaps == []
    assert series.between(-4, 9).gaps == [(-4, 0), (3, 9)]
    assert series.between(5, 9).gaps == [(5, 9)]
    assert series.between(0.5, 3.5).gaps == []


def test_a_series_that_stopped_ends_in_a_gap() -> None:
    """Until when there should be samples is known, also where there are none at all."""
    series = make(0, 1, interval_s=1)
    series.until_s = 10
    assert series.gaps == [(1, 10)]
    assert series.between(0, 1).gaps == []


def test_a_part_is_a_series_of_its_own() -> None:
    """It has the samples and the processes of its stretch, and the facts of the whole."""
    series = make(1, 2, 3, 4)
    part = series.between(2, 3)
    assert part.times_s == [2, 3]
    assert [look.time_s for look in part.looks] == [2, 3]
    assert (part.interval_s, part.faults) == (series.interval_s, series.faults)
    assert part.source("GPU-a") == SOURCE
    part.add([[3.5, None], [3.5, 1]])
    assert series.times_s == [1, 2, 3, 4]


def test_a_sample_has_a_row_for_each_device() -> None:
    """A row too few would be another device's."""
    with pytest.raises(ValueError, match="zip"):
        make().add([[1.0, None]])
