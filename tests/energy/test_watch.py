"""Looking after what is measured, without samples; with them, see the runs from end to end."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_lem.energy.conditions import Reading
from pytest_lem.energy.meter import Scope
from pytest_lem.energy.reading import Domain, Energy, Tier
from pytest_lem.energy.watch import Watch
from pytest_lem.flags import Flag, Reason


@pytest.fixture
def reading() -> Reading:
    """Return a reading that has a doubt and a flag already."""
    energy = Energy(domain=Domain.GPU, device="GPU-a", tier=Tier.COUNTER, value_j=5.0)
    return Reading(
        energies=[energy], reasons=[Reason.MIG], flags=frozenset({Flag.POLLING_SENSITIVE})
    )


@pytest.fixture
def watch(driver: Any, counter: Any, clock: Any) -> Watch:
    """Return a watch without samples over one board."""
    made = Watch(sample_s=0, clock=clock, nvml=driver(GPU_a=counter()))
    made.open(Scope(pids=(1,), gpu_uuids=("GPU-a",)))
    return made


def test_without_samples_conditions_are_unknown(watch: Watch, reading: Reading) -> None:
    """What nobody sampled is None, and what was doubted before stays."""
    found = watch.look_back(watch.begin(), reading, 0.0, 20.0)
    conditions = found.conditions
    assert (conditions.power, conditions.clocks, conditions.temperatures) == (None, None, None)
    assert list(conditions.throttling) == ["GPU-a"]
    assert (found.reasons, found.flags) == ([Reason.MIG], {Flag.POLLING_SENSITIVE})
    assert found.energies == reading.energies


def test_without_samples_nothing_is_known_of_power_and_heat(watch: Watch) -> None:
    """Nor is there a series, nor a failure of one."""
    assert watch.power_w(0.0, 1.0) is None
    assert watch.temperature_c(0.0, 1.0) is None
    assert watch.hottest_now_c(["GPU-a"]) is None
    assert watch.series(0.0, 1.0) is None
    assert watch.failure is None
    watch.close()


def test_without_gpus_there_is_nothing_to_judge(clock: Any, reading: Reading, driver: Any) -> None:
    """Work on the CPU is not slowed down by a board."""
    watch = Watch(sample_s=0, clock=clock, nvml=driver())
    watch.open(Scope(pids=(1,)))
    found = watch.look_back(watch.begin(), reading, 0.0, 1.0)
    assert (found.conditions.throttling, found.reasons) == (None, [Reason.MIG])


def test_the_machine_is_sampled_where_there_is_no_gpu(clock: Any, reading: Reading) -> None:
    """A real process does it; its conditions are those of the window alone."""
    watch = Watch(sample_s=0.01, clock=clock)
    watch.open(Scope(pids=(1,)))
    series = None
    while series is None or len(series.times_s) < 5:
        series = watch.series(0.0, 1e12)
    found = watch.look_back(watch.begin(), reading, series.times_s[0], series.times_s[-1])
    assert found.conditions.power is None
    assert set(found.conditions.utilisation or {}) <= {"machine"}
    assert watch.series(series.times_s[0], series.times_s[1]).times_s == series.times_s[:2]
    watch.close()
