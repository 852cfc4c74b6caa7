"""Peak power and utilisation, from the samples of the devices at work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_lem.energy.conditions import Conditions
from pytest_lem.energy.reading import Domain
from pytest_lem.results.metrics import metrics_of

Make = Callable[..., Any]


def _sampled(found: Any, *conditions: Conditions) -> Any:
    rounds = zip(found.rounds, conditions, strict=True)
    found.rounds = [replace(r, conditions=seen) for r, seen in rounds]
    return found


def test_the_peak_is_the_largest_of_all_rounds(measured: Make) -> None:
    """Of several devices, the sum of their largest: packages and memory draw together."""
    found = _sampled(
        measured(),
        Conditions(power={"package-0": {"peak_w": 60.0}, "dram-0": {"peak_w": 9.0}}),
        Conditions(power={"package-0": {"peak_w": 50.0}, "dram-0": {"peak_w": None}}),
    )
    metric = metrics_of(found)["power_peak_w"]
    assert (metric.value, metric.domains) == (69.0, ["dram", "package"])
    assert metric.n == 1  # the memory was sampled in one round


def test_the_peak_is_sampled_power(measured: Make) -> None:
    """It is no counter's figure, although the joules beside it are."""
    seen = Conditions(power={"package-0": {"peak_w": 60.0}, "dram-0": {"peak_w": 9.0}})
    metrics = metrics_of(_sampled(measured(), seen, seen))
    assert metrics["power_peak_w"].tier == "power"
    assert metrics["power_mean_w"].tier == "counter"


@pytest.mark.parametrize(
    "power", [None, {"package-0": {"peak_w": 60.0}}, {"machine": {"peak_w": 60.0}}]
)
def test_a_device_without_samples_has_no_peak(measured: Make, power: Any) -> None:
    """The peak of a part of the devices is not that of the work."""
    found = _sampled(measured(), Conditions(power=power), Conditions(power=power))
    metric = metrics_of(found)["power_peak_w"]
    assert (metric.value, metric.reason) == (None, "no series of power was taken")


def test_utilisation_is_that_of_the_gpus_at_work(measured: Make, energy_of: Make) -> None:
    """Other boards, and the machine, are left out."""
    own = [energy_of(Domain.GPU, 5.0)]
    found = _sampled(
        measured(energies=(own, own), applied={"device_uuids": ["gpu-0"]}),
        Conditions(utilisation={"gpu-0": 0.9, "gpu-1": 0.1, "machine": 0.2}),
        Conditions(utilisation={"gpu-0": 0.7}),
    )
    metric = metrics_of(found)["gpu_utilisation"]
    assert metric.value == pytest.approx((2.0 * 0.9 + 1.0 * 0.7) / 3.0)
    assert (metric.n, metric.tier) == (2, None)


def test_utilisation_of_two_gpus_is_that_of_both(measured: Make, energy_of: Make) -> None:
    """A board that nobody looked at in a round is left out of it, and the round still counts."""
    own = [energy_of(Domain.GPU, 5.0), replace(energy_of(Domain.GPU, 5.0), device="gpu-1")]
    found = _sampled(
        measured(energies=(own, own), applied={"device_uuids": ["gpu-0", "gpu-1"]}),
        Conditions(utilisation={"gpu-0": 1.0, "gpu-1": 0.4}),
        Conditions(utilisation={"gpu-0": None, "gpu-1": 0.2}),
    )
    metric = metrics_of(found)["gpu_utilisation"]
    assert metric.value == pytest.approx((2 * 1.0 + 2 * 0.4 + 1 * 0.2) / 5)
    assert metric.n == 2


def test_a_gpu_without_samples_has_no_utilisation(measured: Make, energy_of: Make) -> None:
    """It is unknown, and not idle."""
    own = [energy_of(Domain.GPU, 5.0)]
    found = measured(energies=(own, own), applied={"device_uuids": ["gpu-0"]})
    metric = metrics_of(found)["gpu_utilisation"]
    assert (metric.value, metric.reason) == (None, "no series of utilisation was taken")


def test_work_on_the_cpu_has_no_gpu_utilisation(measured: Make) -> None:
    """The machine's own load is no stand-in for it."""
    seen = Conditions(utilisation={"machine": 0.9})
    assert metrics_of(_sampled(measured(), seen, seen))["gpu_utilisation"].value is None


def test_the_total_is_over_measured_domains_alone(measured: Make, energy_of: Make) -> None:
    """GPU, package and memory add up; an estimate is never in the sum."""
    own = [
        energy_of(Domain.GPU, 5.0, u_random_j=0.0, u_systematic_j=0.1),
        energy_of(Domain.PACKAGE, 2.0, u_random_j=0.3, u_systematic_j=0.1),
        energy_of(Domain.ESTIMATE, 100.0),
    ]
    metric = metrics_of(measured(energies=(own, own)))["energy_total_j"]
    assert (metric.value, metric.tier) == (14.0, "counter")
    assert metric.domains == ["gpu", "package"]
    assert metric.u == pytest.approx(2 * (0.3**2 * 2 + 0.4**2) ** 0.5)


def test_a_total_with_an_unknown_part_is_unknown(measured: Make, energy_of: Make) -> None:
    """A sensor that slept makes no smaller sum."""
    own = [energy_of(Domain.GPU, 5.0), energy_of(Domain.PACKAGE, None, reason="it slept")]
    metric = metrics_of(measured(energies=(own, own)))["energy_total_j"]
    assert (metric.value, metric.reason) == (None, "package-0: it slept")
    own[1] = energy_of(Domain.PACKAGE, None)
    metric = metrics_of(measured(energies=(own, own)))["energy_total_j"]
    assert metric.reason == "package-0: a meter gave no value"


def test_an_estimate_alone_has_no_total(measured: Make, energy_of: Make) -> None:
    """Nothing was measured, so nothing is summed."""
    own = [energy_of(Domain.ESTIMATE, 5.0)]
    assert metrics_of(measured(energies=(own, own)))["energy_total_j"].value is None


def test_the_memory_of_the_boards_is_the_largest_of_all_rounds(
    measured: Make, energy_of: Make
) -> None:
    """Of the boards at work alone; what one of them hides is not given for both."""
    own = [energy_of(Domain.GPU, 5.0)]
    found = _sampled(
        measured(energies=(own, own), applied={"device_uuids": ["gpu-0"]}),
        Conditions(memory={"gpu-0": 3e9, "gpu-1": 9e9, "machine": 9e9}),
        Conditions(memory={"gpu-0": 4e9}),
    )
    metric = metrics_of(found)["peak_board_memory_bytes"]
    assert (metric.value, metric.n) == (4e9, 2)
    found = _sampled(found, Conditions(), Conditions(memory={"gpu-1": 4e9}))
    metric = metrics_of(found)["peak_board_memory_bytes"]
    assert (metric.value, metric.reason) == (None, "no series of memory was taken")


def test_mean_memory_is_over_the_time_of_the_windows(measured: Make, energy_of: Make) -> None:
    """A long window weighs more, and boards add up; nothing stands for what was not sampled."""
    own = [energy_of(Domain.GPU, 5.0)]
    found = _sampled(
        measured(energies=(own, own), applied={"device_uuids": ["gpu-0"]}),
        Conditions(mean_memory={"gpu-0": 3e9, "gpu-1": 9e9}),
        Conditions(mean_memory={"gpu-0": 4e9}),
    )
    first, second = found.rounds
    found.rounds[1] = replace(second, end_s=second.start_s + 3 * first.window_s)
    metric = metrics_of(found)["mean_board_memory_bytes"]
    assert (metric.value, metric.n) == (pytest.approx((3e9 + 3 * 4e9) / 4), 2)
    metric = metrics_of(_sampled(found, Conditions(), Conditions(memory={"gpu-0": 1.0})))
    assert metric["mean_board_memory_bytes"].reason == "no series of memory was taken"
