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
    assert metrics_of(found)["power_peak_w"].value == 69.0


@pytest.mark.parametrize(
    "power", [None, {"package-0": {"peak_w": 60.0}}, {"machine": {"peak_w": 60.0}}]
)
def test_a_device_without_samples_has_no_peak(measured: Make, power: Any) -> None:
    """The peak of a part of the devices is not that of the work."""
    found = _sampled(measured(), Conditions(power=power), Conditions(power=power))
    metric = metrics_of(found)["power_peak_w"]
    assert (metric.value, metric.reason) == (None, "no series of power was taken")


def test_utilisation_is_that_of_the_gpus_at_work(measured: Make, energy: Make) -> None:
    """Other boards, and the machine, are left out."""
    own = [energy(Domain.GPU, 5.0)]
    found = _sampled(
        measured(energies=(own, own), applied={"device_uuids": ["gpu-0"]}),
        Conditions(utilisation={"gpu-0": 0.9, "gpu-1": 0.1, "machine": 0.2}),
        Conditions(utilisation={"gpu-0": 0.7}),
    )
    assert metrics_of(found)["gpu_utilisation"].value == pytest.approx(0.8)


def test_work_on_the_cpu_has_no_gpu_utilisation(measured: Make) -> None:
    """The machine's own load is no stand-in for it."""
    seen = Conditions(utilisation={"machine": 0.9})
    assert metrics_of(_sampled(measured(), seen, seen))["gpu_utilisation"].value is None


def test_the_total_is_over_measured_domains_alone(measured: Make, energy: Make) -> None:
    """GPU, package and memory add up; an estimate is never in the sum."""
    own = [
        energy(Domain.GPU, 5.0, u_random_j=0.0, u_systematic_j=0.1),
        energy(Domain.PACKAGE, 2.0, u_random_j=0.3, u_systematic_j=0.1),
        energy(Domain.ESTIMATE, 100.0),
    ]
    metric = metrics_of(measured(energies=(own, own)))["energy_total_j"]
    assert (metric.value, metric.tier) == (14.0, "counter")
    assert metric.domains == ["gpu", "package"]
    assert metric.u == pytest.approx(2 * (0.3**2 * 2 + 0.4**2) ** 0.5)


def test_a_total_with_an_unknown_part_is_unknown(measured: Make, energy: Make) -> None:
    """A sensor that slept makes no smaller sum."""
    own = [energy(Domain.GPU, 5.0), energy(Domain.PACKAGE, None, reason="it slept")]
    metric = metrics_of(measured(energies=(own, own)))["energy_total_j"]
    assert (metric.value, metric.reason) == (None, "package-0: it slept")


def test_an_estimate_alone_has_no_total(measured: Make, energy: Make) -> None:
    """Nothing was measured, so nothing is summed."""
    own = [energy(Domain.ESTIMATE, 5.0)]
    assert metrics_of(measured(energies=(own, own)))["energy_total_j"].value is None
