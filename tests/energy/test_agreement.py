"""Counters against the power that was sampled meanwhile, over loads whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from pytest_lem.energy.agreement import SHORTEST_S, disagreeing, wait_s
from pytest_lem.energy.reading import Domain, Energy, Tier
from pytest_lem.energy.sampling.series import Series
from pytest_lem.energy.sampling.track import Source, Track

Make = Callable[..., Any]

INTERVAL_S = 0.1
AVERAGE = Source(name="NVML field 185", averaging_s=1.0)
START_S = 100.0

#: Seconds and watts of work, which is repeated until the window is over; rest draws 70 W.
SHAPES = {
    "constant": [(1.0, 500.0)],
    "weak": [(1.0, 90.0)],
    "staircase": [(2.5, 200.0), (2.5, 350.0), (2.5, 500.0), (2.5, 650.0)],
    "falling": [(4.0, 650.0), (4.0, 300.0), (4.0, 100.0)],
    "pulses": [(0.25, 600.0), (0.15, 120.0)],
    "in step with the samples": [(0.05, 600.0), (0.05, 120.0)],
    "late": [(9.0, 80.0), (3.5, 650.0)],
    "early": [(0.4, 690.0), (30.0, 150.0)],
}


def sampled(
    load: Any,
    *,
    from_s: float = START_S - 5,
    until_s: float = START_S + 60,
    phase_s: float = 0.03,
    refresh_s: float = 0.0,
    source: Source | None = AVERAGE,
) -> Series:
    """Return what a driver shows of a load: at each sample, the mean of the time before it.

    With `refresh_s` the driver makes a new mean so often only, and shows it until the next.
    """
    series = Series({"GPU-a": Track(("power_w",), source)}, interval_s=INTERVAL_S)
    averaging_s = (source and source.averaging_s) or INTERVAL_S
    for k in range(round((until_s - from_s) / INTERVAL_S)):
        time_s = from_s + phase_s + k * INTERVAL_S
        made_s = math.floor(time_s / refresh_s) * refresh_s if refresh_s else time_s
        mean_w = (load.energy_j(made_s) - load.energy_j(made_s - averaging_s)) / averaging_s
        series.add([[time_s, mean_w]])
    return series


def read(value_j: float | None, device: str = "GPU-a", domain: Domain = Domain.GPU) -> Energy:
    """Return what a counter shows."""
    return Energy(domain=domain, device=device, tier=Tier.COUNTER, value_j=value_j)


def suspected(series: Series, load: Any, end_s: float, *gains: float) -> list[bool]:
    """Tell for counters of these gains whether they differ from the samples of a window."""
    true_j = load.energy_j(end_s) - load.energy_j(START_S)
    found = [disagreeing([read(gain * true_j)], series, START_S, end_s) for gain in gains]
    return [devices == ["GPU-a"] for devices in found]


@pytest.mark.parametrize("phase_s", [0.0, 0.03, 0.07])
@pytest.mark.parametrize("shape", SHAPES)
def test_samples_of_work_between_rests_are_right_within_a_percent(
    loads: Make, shape: str, phase_s: float
) -> None:
    """Counters 4 % too high and too low are believed, which an error of 1.2 % would not let be."""
    end_s = START_S + 12.37
    load = loads(70.0, SHAPES[shape], start_s=START_S, end_s=end_s)
    series = sampled(load, phase_s=phase_s)
    assert suspected(series, load, end_s, 0.92, 0.96, 0.98, 1.02, 1.04, 1.08) == [
        True, False, False, False, False, True,
    ]  # fmt: skip


def test_random_work_is_judged_right(loads: Make) -> None:
    """Whatever its shape and fall, the phase of the samples, and the age of what they show."""
    for seed in range(100):
        rng = Random(seed)
        pieces = [(rng.uniform(0.02, 3), rng.uniform(80, 700)) for _ in range(rng.randint(1, 12))]
        end_s = START_S + rng.uniform(SHORTEST_S, 25)
        load = loads(
            rng.uniform(30, 120),
            pieces,
            start_s=START_S,
            end_s=end_s,
            left_w=rng.uniform(0, 80),
            decay_s=rng.uniform(0.01, 0.5),
        )
        series = sampled(
            load,
            until_s=end_s + 2,
            phase_s=rng.uniform(0, INTERVAL_S),
            refresh_s=rng.choice([0.0, INTERVAL_S]),
        )
        gains = (0.92, 0.96, 0.98, 1.02, 1.04, 1.08)
        found = suspected(series, load, end_s, *gains)
        assert found == [True, False, False, False, False, True], seed


def test_a_window_inside_a_load_is_judged_right(loads: Make) -> None:
    """A server works before and after it too, and what is taken off is its power then."""
    load = loads(70.0, [(0.7, 300.0), (0.2, 650.0)], start_s=START_S - 20)
    series = sampled(load)
    assert suspected(series, load, START_S + 15.21, 0.92, 0.96, 1.04, 1.08) == [
        True, False, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize(("from_s", "to_s"), [(-20, 12), (0, 40)], ids=["before", "after"])
def test_work_that_goes_on_at_one_side_is_judged_right(
    loads: Make, from_s: float, to_s: float
) -> None:
    """What is taken off at each side is the power at that side."""
    load = loads(70.0, [(1.0, 500.0)], start_s=START_S + from_s, end_s=START_S + to_s)
    series = sampled(load)
    assert suspected(series, load, START_S + 12, 0.92, 0.96, 1.04, 1.08) == [
        True, False, False, True,
    ]  # fmt: skip


def test_a_window_soon_after_other_work_is_judged_right(loads: Make) -> None:
    """What the first means still hold of the work before is not taken for this window's."""
    before = loads(70.0, [(1.0, 500.0)], start_s=START_S - 8, end_s=START_S - 0.4)
    load = loads(0.0, [(1.0, 430.0)], start_s=START_S, end_s=START_S + 10)
    both = _Sum([before, load])
    assert suspected(sampled(both), both, START_S + 10, 0.92, 0.97, 1.03, 1.08) == [
        True, False, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("shown_j", "is_suspected"),
    [(951, True), (953, False), (1000, False), (1052, False), (1054, True)],
)
def test_the_tolerance_is_a_share_of_what_the_counter_shows(
    loads: Make, shown_j: float, is_suspected: bool
) -> None:
    """1000 J were drawn; 5 % of 953 are 47.65, and 5 % of 1052 are 52.6."""
    series = sampled(loads(100.0, [(1.0, 100.0)]))
    found = disagreeing([read(shown_j)], series, START_S, START_S + 10)
    assert found == ["GPU-a"] * is_suspected


def test_each_board_is_judged_by_its_own_samples() -> None:
    """The one that differs is named; energy of other sources is not compared with boards."""
    source = {"GPU-a": 100.0, "GPU-b": 300.0, "package-0": 50.0}
    series = Series({d: Track(("power_w",), AVERAGE) for d in source}, interval_s=INTERVAL_S)
    for k in range(200):
        series.add([[START_S - 5 + k * INTERVAL_S, power_w] for power_w in source.values()])
    energies = [
        read(1000.0, "GPU-a"),
        read(2000.0, "GPU-b"),
        read(9000.0, "package-0", Domain.PACKAGE),
    ]
    assert disagreeing(energies, series, START_S, START_S + 10) == ["GPU-b"]


@pytest.mark.parametrize(
    ("changes", "value_j"),
    [
        ({"source": Source(name="nvmlDeviceGetPowerUsage", averaging_s=None)}, 1.0),
        ({"source": None}, 1.0),
        ({"from_s": START_S + 0.2}, 1.0),
        ({"until_s": START_S + 10.9}, 1.0),
        ({}, None),
    ],
    ids=["unknown-average", "no-power", "late-samples", "early-end", "no-counter"],
)
def test_what_cannot_be_compared_does_not_differ(
    loads: Make, changes: dict[str, Any], value_j: float | None
) -> None:
    """Samples without a known average, or that do not cover the window, prove nothing."""
    series = sampled(loads(100.0, [(1.0, 100.0)]), **changes)
    assert disagreeing([read(value_j)], series, START_S, START_S + 10) == []
    assert disagreeing([read(value_j, "GPU-b")], series, START_S, START_S + 10) == []


def test_a_window_with_a_gap_is_not_compared(loads: Make) -> None:
    """Nobody knows what was drawn in it."""
    whole = sampled(loads(100.0, [(1.0, 100.0)]))
    torn = Series({"GPU-a": Track(("power_w",), AVERAGE)}, interval_s=INTERVAL_S)
    for time_s, power_w in zip(*whole.column("GPU-a", "power_w"), strict=True):
        if not START_S + 4 < time_s < START_S + 5:
            torn.add([[time_s, power_w]])
    window = (START_S, START_S + 10)
    assert disagreeing([read(1.0)], whole, *window) == ["GPU-a"]
    assert disagreeing([read(1.0)], torn, *window) == []


def test_samples_of_the_end_come_in_after_the_longest_average() -> None:
    """Two more intervals let the sample come for sure; an unknown average needs no more."""
    sources = {
        "GPU-a": Source(name="one", averaging_s=0.025),
        "GPU-b": Source(name="two", averaging_s=1.0),
        "GPU-c": Source(name="three", averaging_s=None),
    }
    series = Series({d: Track(("power_w",), s) for d, s in sources.items()}, interval_s=0.1)
    assert wait_s(series, ["GPU-a", "GPU-b", "GPU-c"]) == pytest.approx(1.2)
    assert wait_s(series, ["GPU-a"]) == pytest.approx(0.225)
    assert wait_s(series, ["GPU-c", "GPU-d"]) == pytest.approx(0.2)


def test_after_the_wait_the_end_is_covered(loads: Make) -> None:
    """Whatever the phase, and the samples that come in no later than that are enough."""
    load = loads(100.0, [(1.0, 100.0)])
    for phase_s in (0.0, 0.03, 0.0999):
        whole = sampled(load, phase_s=phase_s)
        end_s = START_S + 10
        known = whole.between(0, end_s + wait_s(whole, ["GPU-a"]))
        assert suspected(known, load, end_s, 0.92) == [True]


class _Sum:
    """Loads that a board bears together."""

    def __init__(self, loads: list[Any]) -> None:
        self._loads = loads

    def energy_j(self, time_s: float) -> float:
        return math.fsum(load.energy_j(time_s) for load in self._loads)
