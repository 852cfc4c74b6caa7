"""What samples say about a window, from series made by hand."""

from __future__ import annotations

import pytest

from pytest_lem.energy.gpu.guard import Seen
from pytest_lem.energy.gpu.processes import Tenant
from pytest_lem.energy.sampled import conditions_of, hottest_c, power_w, seen_of
from pytest_lem.energy.sampling.series import Look, Series
from pytest_lem.energy.sampling.track import Source, Track

AVERAGE = Source(name="NVML field 185", averaging_s=1.0)
RAPL = Source(name="RAPL", averaging_s=0.1)
BOARD = ("power_w", "sm_clock_mhz", "memory_clock_mhz", "temperature_c", "utilisation",
         "throttle_bits")  # fmt: skip
MACHINE = ("utilisation", "frequency_mhz", "temperature_c")
START_S, END_S = 10.0, 20.0


def board(*rows: tuple[float | None, ...], source: Source | None = AVERAGE) -> Track:
    """Return samples of a board: time, and then the columns in their order."""
    track = Track(BOARD, source)
    for time_s, *values in rows:
        track.add(time_s, values)
    return track


def series(looks: tuple[Look, ...] = (), **tracks: Track) -> Series:
    """Return a series of tracks, whose names have `_` for `-`."""
    made = {name.replace("_", "-"): track for name, track in tracks.items()}
    return Series(made, interval_s=0.1, looks=looks)


@pytest.fixture
def busy() -> Track:
    """Return a board with a sample before, three in and one after the window."""
    return board(
        (9.9, 999, 1, 1, 99, 1.0, 0x40),
        (10.0, 100, 1000, 2000, 40, 0.5, 0x0),
        (15.0, 600, 1900, 2600, 55, 1.0, 0x4),
        (20.0, 500, 1600, 2600, 50, None, 0x1),
        (20.1, 999, 1, 1, 99, 1.0, 0x80),
    )


class TestConditions:
    """Under which conditions a window was measured."""

    def test_those_of_a_board_are_of_the_window_alone(self, busy: Track) -> None:
        """Means, the peak, and the temperature at both ends, of the samples from end to end."""
        found = conditions_of(series(GPU_a=busy), ["GPU-a"], START_S, END_S)
        assert found.power == {"GPU-a": {"mean_w": 400, "peak_w": 600}}
        assert found.clocks == {"GPU-a": {"sm_mhz": 1500, "memory_mhz": 2400}}
        assert found.temperatures == {"GPU-a": {"start_c": 40, "end_c": 50, "max_c": 55}}
        assert found.utilisation == {"GPU-a": 0.75}
        assert found.throttling is None

    def test_memory_in_use_is_of_the_window(self) -> None:
        """The most and the mean; what was there before and after is left out."""
        track = Track(("memory_bytes",), None)
        for time_s, used in ((9.0, 99.0), (11.0, 30.0), (12.0, 40.0), (21.0, 99.0)):
            track.add(time_s, [used])
        found = conditions_of(series(GPU_a=track), ["GPU-a"], START_S, END_S)
        assert found.memory == {"GPU-a": 40.0}
        assert found.mean_memory == {"GPU-a": 35.0}

    def test_those_of_the_machine_have_its_own_names(self) -> None:
        """A package has a power, the machine a frequency; what neither has is not there."""
        machine, package = Track(MACHINE), Track(("power_w",), RAPL)
        for time_s in (10.0, 11.0):
            machine.add(time_s, [0.25, 2000 + 100 * time_s, 60])
            package.add(time_s, [10 * time_s])
        both = series(machine=machine, package_0=package)
        found = conditions_of(both, both.devices, START_S, END_S)
        assert found.power == {"package-0": {"mean_w": 105, "peak_w": 110}}
        assert found.clocks == {"machine": {"mhz": 3050}}
        assert found.temperatures == {"machine": {"start_c": 60, "end_c": 60, "max_c": 60}}
        assert found.utilisation == {"machine": 0.25}

    def test_a_device_out_of_the_question_is_left_out(self, busy: Track) -> None:
        """Other boards may be sampled at the same time."""
        both = series(GPU_a=busy, GPU_b=busy)
        found = conditions_of(both, iter(["GPU-b"]), START_S, END_S)
        facts = (found.power, found.clocks, found.temperatures, found.utilisation)
        assert [list(fact or ()) for fact in facts] == [["GPU-b"]] * 4

    @pytest.mark.parametrize("devices", [["GPU-a"], ["GPU-b"], []])
    def test_what_nobody_sampled_is_unknown(self, devices: list[str]) -> None:
        """Neither a board that refuses everything, nor one that is not there, has zeros."""
        silent = series(GPU_a=board((15.0, *[None] * 6)))
        found = conditions_of(silent, devices, START_S, END_S)
        facts = (found.power, found.clocks, found.temperatures, found.utilisation)
        assert facts == (None,) * 4

    def test_a_window_between_two_samples_is_unknown(self, busy: Track) -> None:
        """A short window has none, and its neighbours say nothing about it."""
        found = conditions_of(series(GPU_a=busy), ["GPU-a"], 11.0, 14.0)
        assert (found.power, found.temperatures, found.utilisation) == (None, None, None)

    def test_a_fact_that_one_board_hides_is_known_of_the_other(self, busy: Track) -> None:
        """The one without is left out of that fact alone."""
        shy = board((15.0, None, 1200, None, None, 0.0, None))
        found = conditions_of(series(GPU_a=busy, GPU_b=shy), ["GPU-a", "GPU-b"], START_S, END_S)
        assert list(found.power or ()) == list(found.temperatures or ()) == ["GPU-a"]
        assert (found.clocks or {})["GPU-b"] == {"sm_mhz": 1200}
        assert found.utilisation == {"GPU-a": 0.75, "GPU-b": 0.0}


class TestPower:
    """The power of all devices at work."""

    def test_it_is_the_sum_of_their_means(self, busy: Track) -> None:
        """Two boards of 400 W draw 800."""
        both = series(GPU_a=busy, GPU_b=busy)
        assert power_w(both, ["GPU-a", "GPU-b"], START_S, END_S) == 800
        assert power_w(both, ["GPU-a"], START_S, END_S) == 400

    def test_the_machine_itself_has_none(self) -> None:
        """Its packages and its memory have; who has no meter for it is not waited for."""
        tracks = {"machine": Track(MACHINE), "package_0": Track(("power_w",), RAPL)}
        tracks["dram_0"] = Track(("power_w",), RAPL)
        for track, values in zip(tracks.values(), [[0.1, 2000, 50], [30], [5]], strict=True):
            track.add(15.0, values)
        found = series(**tracks)
        assert power_w(found, found.devices, START_S, END_S) == 35
        assert power_w(found, ["machine"], START_S, END_S) is None

    @pytest.mark.parametrize(
        "other",
        [
            board((15.0, *[None] * 6)),
            board((15.0, *[None] * 6), source=None),
            board((25.0, 100, 1, 1, 1, 1, 0)),
            None,
        ],
        ids=["refused", "no-source", "too-late", "not-there"],
    )
    def test_a_part_is_not_given_for_the_whole(self, busy: Track, other: Track | None) -> None:
        """Where one board's power is not known, that of all is not."""
        tracks = {"GPU_a": busy} | ({} if other is None else {"GPU_b": other})
        assert power_w(series(**tracks), ["GPU-a", "GPU-b"], START_S, END_S) is None

    def test_no_device_draws_an_unknown_power(self, busy: Track) -> None:
        """The sum of nothing is not 0 W."""
        assert power_w(series(GPU_a=busy), [], START_S, END_S) is None


class TestTemperature:
    """How hot it is in the end."""

    def test_it_is_the_last_of_the_hottest(self, busy: Track) -> None:
        """Not the peak, and not that of a device which has cooled down."""
        warm = board((12.0, None, None, None, 90, None, None), (19.0, *[None] * 3, 45, None, None))
        both = series(GPU_a=busy, GPU_b=warm)
        assert hottest_c(both, ["GPU-a", "GPU-b"], START_S, END_S) == 50
        assert hottest_c(both, ["GPU-b"], START_S, END_S) == 45
        assert hottest_c(both, ["GPU-a", "GPU-b"], START_S, 19.5) == 55

    def test_one_that_is_not_known_does_not_hide_the_others(self, busy: Track) -> None:
        """The packages have no sensor of their own, the machine has."""
        both = series(package_0=Track(("power_w",), RAPL), GPU_a=busy)
        assert hottest_c(both, both.devices, START_S, END_S) == 50
        assert hottest_c(both, ["package-0", "GPU-b"], START_S, END_S) is None
        assert hottest_c(both, both.devices, 30, 40) is None


class TestSeen:
    """What the guard is told about each board."""

    def test_bits_of_all_samples_of_the_time_are_joined(self, busy: Track) -> None:
        """A slow-down of a tenth of a second is among them, one before or after is not."""
        found = seen_of(series(GPU_a=busy), ["GPU-a"], START_S, END_S)
        assert found == {"GPU-a": Seen(bits=0x5, tenants=frozenset())}

    @pytest.mark.parametrize("bits", [0x0, 0x1, 0x7FF, 2**40])
    def test_bits_come_back_as_they_were(self, bits: int) -> None:
        """No bit at all is something that was seen."""
        one = series(GPU_a=board((15.0, 1, 1, 1, 1, 1, bits)))
        assert seen_of(one, ["GPU-a"], START_S, END_S)["GPU-a"].bits == bits

    def test_a_board_without_samples_has_shown_nothing(self, busy: Track) -> None:
        """Unknown, which is not the same as quiet."""
        found = seen_of(series(GPU_a=busy), ["GPU-a", "GPU-b"], 11.0, 14.0)
        assert found == {"GPU-a": Seen(), "GPU-b": Seen()}
        assert found["GPU-a"].bits is None

    def test_processes_of_every_look_in_the_time_are_seen(self) -> None:
        """Each with its kind and on its own board, also one that has left again."""
        looks = tuple(
            Look(time_s=time_s, device=device, kind=kind, pids=pids)
            for time_s, device, kind, pids in [
                (9.99, "GPU-a", "compute", (1,)),
                (10.0, "GPU-a", "compute", (2, 3)),
                (11.0, "GPU-a", "compute", ()),
                (11.0, "GPU-a", "graphics", (3,)),
                (12.0, "GPU-b", "mps", (4,)),
                (20.0, "GPU-a", "compute", (5,)),
                (20.01, "GPU-a", "compute", (6,)),
            ]
        )
        found = seen_of(series(looks), ["GPU-a", "GPU-b"], START_S, END_S)
        assert found["GPU-b"].tenants == {Tenant(4, "mps")}
        assert found["GPU-a"].tenants == {
            Tenant(2, "compute"),
            Tenant(3, "compute"),
            Tenant(3, "graphics"),
            Tenant(5, "compute"),
        }
