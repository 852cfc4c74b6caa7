"""What was sampled, over time."""

from math import nan

import pytest

from pytest_lem.energy.sampling.series import Series
from pytest_lem.energy.sampling.track import Track
from pytest_lem.reports.html.timeline import timeline
from pytest_lem.results.record import PhaseRecord, SeriesRecord

COLUMNS = ("power_w", "temperature_c", "throttle_bits")


@pytest.fixture
def series():
    """Return ten seconds of a board, from 8 s on, that was slowed down in the middle."""
    track = Track(COLUMNS)
    for i in range(100):
        bits = 0x4 | 0x1 if 40 <= i < 50 else 0x1
        track.add(8.0 + i / 10, [500.0 if i == 33 else 100.0, nan, bits])
    return Series({"GPU-123456789abc-rest": track}, interval_s=0.1)


@pytest.fixture
def record(call):
    """Return a case with a round from 10 to 12 s and a warm-up before."""
    record = call()
    record.phases.append(PhaseRecord(name="warm-up", t0=8.0, t1=9.5, energies=[]))
    record.phases.append(PhaseRecord(name="load", t0=1.0, t1=2.0, energies=[], is_shared=True))
    record.series = SeriesRecord(
        path="s.npz", interval_s=0.1, achieved_interval_s=0.1, samples=100, gaps=[[9.0, 9.5]]
    )
    return record


def test_peaks_stay_and_times_count_from_the_beginning(record, series):
    """Of a hundred samples twenty are drawn, the one that stands out among them."""
    chart = timeline(record, series, 10)
    power = chart.data[0]
    assert len(power["x"]) <= 22
    assert power["y"][power["x"].index(3.3)] == 500.0
    assert power["name"] == "GPU-12345678"


def test_only_what_was_sampled_has_a_panel(record, series):
    """A column without a value is left out, not drawn at nothing."""
    chart = timeline(record, series, 10)
    titles = [v["title"]["text"] for n, v in chart.layout.items() if n.startswith("yaxis")]
    assert titles == ["power, W", "slowed down"]


def test_slowdowns_are_drawn_by_their_cause(record, series):
    """A bar from when it began to when it was over; a board at rest is not slowed down."""
    chart = timeline(record, series, 100)
    bar = chart.data[-1]
    assert (bar["x"], bar["y"], bar["meta"]) == ([4.0, 5.0, None], [0, 0, None], "power_cap")
    shown = chart.layout[f"yaxis{bar['yaxis'][1:]}"]
    assert (shown["tickvals"], shown["ticktext"]) == ([0], ["power_cap"])


@pytest.mark.parametrize("boards", [2, 8])
def test_slowdowns_of_several_devices_have_a_lane_each(record, series, boards):
    """By one cause at one time, the bar of one would hide that of the other."""
    (track,) = series.tracks.values()
    series.tracks = {f"GPU-{number}": track for number in range(boards)}
    bars = timeline(record, series, 100).data[-boards:]
    lanes = [bar["y"][0] for bar in bars]
    assert lanes == sorted(set(lanes))
    assert -0.5 < lanes[0] == pytest.approx(-lanes[-1])
    lane_px = (lanes[1] - lanes[0]) * 130  # of a panel with one cause
    assert 3 < bars[0]["line"]["width"] < lane_px


def test_rounds_and_phases_are_drawn_in(record, series):
    """Phases that belong to the case before are not its own."""
    chart = timeline(record, series, 10)
    spans = [(s["x0"], s["x1"]) for s in chart.layout["shapes"]]
    assert spans == [(0.0, 1.5), (2.0, 4.0)]
    assert [a["text"] for a in chart.layout["annotations"]] == ["warm-up", "round 1"]


def test_a_stretch_too_short_for_its_name_has_none(record, series):
    """Names over each other could not be read; the table of phases has them all."""
    record.phases.append(PhaseRecord(name="blink", t0=9.6, t1=9.61, energies=[]))
    chart = timeline(record, series, 10)
    assert len(chart.layout["shapes"]) == 3
    assert [a["text"] for a in chart.layout["annotations"]] == ["warm-up", "round 1"]


def test_words_say_what_is_to_be_seen(record, series):
    """Ranges, causes, and gaps."""
    assert timeline(record, series, 10).words == (
        "GPU-12345678: power from 100 to 500 W; slowed down by power_cap; 1 round; 100 samples; "
        "1 gap between them."
    )


def test_nothing_is_said_of_slowdowns_that_nobody_looked_at(record):
    """A device that tells nothing was not found to be fine."""
    track = Track(("power_w",))
    track.add(10.0, [5.0])
    chart = timeline(record, Series({"package-0": track}, interval_s=0.1), 10)
    assert "no device told of slow-downs" in chart.words


def test_no_sample_is_no_chart(record):
    """A device of which nothing was read has no empty axes."""
    assert timeline(record, Series({"x": Track(COLUMNS)}, interval_s=0.1), 10) is None


def panels_of(chart):
    """Return the axis of each panel by its title."""
    axes = (v for name, v in chart.layout.items() if name.startswith("yaxis"))
    return {found["title"]["text"]: found for found in axes}


def steady(*columns, boards=1):
    """Return a minute of boards that change nothing."""
    tracks = {}
    for number in range(boards):
        tracks[f"GPU-{number}"] = track = Track(columns)
        for i in range(600):
            track.add(8.0 + i / 10, [1980.0] * len(columns))
    return Series(tracks, interval_s=0.1)


def test_a_clock_that_stays_is_in_the_middle_of_a_wide_range(record):
    """A hundred MHz, and 5 W or 5 °C, so that no mark needs a point."""
    chart = timeline(record, steady("sm_clock_mhz", "frequency_mhz", "power_w"), 10)
    ranges = {title: axis["range"] for title, axis in panels_of(chart).items()}
    assert ranges == {
        "power, W": [1977.5, 1982.5],
        "SM clock, MHz": [1930.0, 2030.0],
        "CPU clock, MHz": [1930.0, 2030.0],
    }


def test_what_varies_finds_its_own_range(record, series):
    """From 100 to 500 W."""
    assert "range" not in panels_of(timeline(record, series, 10))["power, W"]


def test_devices_that_differ_share_a_range(record):
    """It spans the values of all of them."""
    found = steady("sm_clock_mhz", boards=2)
    for i in range(600):
        found.tracks["GPU-1"].columns["sm_clock_mhz"][i] = 1960.0
    axis = panels_of(timeline(record, found, 10))["SM clock, MHz"]
    assert axis["range"] == [1920.0, 2020.0]


@pytest.mark.parametrize("boards", [1, 8])
@pytest.mark.parametrize("columns", [("power_w",), ("power_w", "temperature_c", "sm_clock_mhz")])
def test_each_device_and_each_panel_has_its_own_room(record, boards, columns):
    """The chart is as much higher as a line of the legend, and as a panel."""
    chart = timeline(record, steady(*columns, boards=boards), 10)
    margin = chart.layout["margin"]
    assert chart.height - margin["t"] - margin["b"] == 130 * len(columns) + 20 * boards + 10
    assert (chart.layout["legend"]["yref"], chart.layout["legend"]["y"]) == ("container", 0)


def test_the_legend_names_a_device_in_the_first_panel_that_has_it(record):
    """Once, also one whose power nobody knows."""
    found = steady("power_w", "utilisation")
    found.tracks["machine"] = steady("utilisation", "frequency_mhz").tracks["GPU-0"]
    chart = timeline(record, found, 10)
    shown = [(t["name"], t["yaxis"]) for t in chart.data if t["showlegend"]]
    assert shown == [("GPU-0", "y"), ("machine", "y2")]


def test_a_series_that_is_gone_costs_the_chart_alone(page, record, series):
    """The part of the case says why there is none; with it the chart stands there."""
    gone, there = page(record), page(record, series=series)
    assert "No chart over time: the series is gone" in gone.one("details", id="case-1").text
    titles = [f.one("figcaption").text for f in there.every("figure")]
    assert "Over time" in titles
