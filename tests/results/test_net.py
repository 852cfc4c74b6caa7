"""Power at rest, and net energy with all of its uncertainty."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from random import Random
from statistics import pstdev
from typing import Any

import pytest

from pytest_lem.energy.reading import Domain, Energy
from pytest_lem.measure.round import Measurement, Phase, Round, Work
from pytest_lem.results.metrics import metrics_of

Make = Callable[..., Any]


def _idle(energy: Make, *joules: float, u_j: float = 0.0, domains: Any = None) -> list[Phase]:
    """Return idle phases of ten seconds with these joules of each domain."""
    return [
        Phase(
            name="idle",
            start_s=0.0,
            end_s=10.0,
            energies=[
                energy(domain, value_j, u_random_j=u_j, u_systematic_j=0.0)
                for domain in domains or (Domain.PACKAGE, Domain.DRAM)
            ],
        )
        for value_j in joules
    ]


def test_net_energy_is_gross_without_the_power_at_rest(measured: Make, energy: Make) -> None:
    """12 J in 3 s, of which two devices take half a watt each at rest: 9 J for 9 tokens."""
    metrics = metrics_of(measured(phases=_idle(energy, 5.0, 5.0)))
    assert metrics["power_idle_w"].value == pytest.approx(1.0)
    assert metrics["energy_net_per_output_token_j"].value == pytest.approx((12 - 3) / 9)
    assert metrics["energy_per_output_token_j"].value == pytest.approx(12 / 9)


def test_net_energy_may_be_negative(measured: Make, energy: Make) -> None:
    """What was below rest is shown as it is, never as nothing."""
    metrics = metrics_of(measured(phases=_idle(energy, 50.0, 50.0)))
    assert metrics["energy_net_per_output_token_j"].value == pytest.approx((12 - 30) / 9)


@pytest.mark.parametrize("domains", [None, (Domain.PACKAGE,)])
def test_unknown_rest_leaves_no_net(measured: Make, energy: Make, domains: Any) -> None:
    """Without an idle phase, or without one of the devices in it, there is no net energy."""
    phases = _idle(energy, 5.0, domains=domains) if domains else []
    for name in ("power_idle_w", "energy_net_per_output_token_j"):
        metric = metrics_of(measured(phases=phases))[name]
        assert (metric.value, metric.reason) == (None, "idle power was not measured")


def test_calls_have_a_net_energy_of_their_own(called: Make, energy: Make) -> None:
    """Six calls share what is above rest."""
    metrics = metrics_of(called(phases=_idle(energy, 5.0, 5.0)))
    assert metrics["energy_net_per_call_j"].value == pytest.approx(9 / 6)
    assert metrics["energy_net_per_output_token_j"].value is None


def test_the_uncertainty_of_the_rest_is_common_to_all_windows() -> None:
    """A rest that is wrong is wrong in every round: repetition does not average it out."""
    rng = Random(3)

    def net(rest_w: float) -> Any:
        phase = Phase(name="idle", start_s=0.0, end_s=10.0, energies=[_gpu(10 * rest_w, 10 * 2.0)])
        rounds = [
            Round(seq=n, start_s=0.0, end_s=5.0, energies=[_gpu(2500.0, 0.0)], work=Work(calls=1))
            for n in range(10)
        ]
        found = Measurement(rounds=rounds, phases=[phase], applied={"device_uuids": ["GPU-a"]})
        return metrics_of(found)["energy_net_per_call_j"]

    values = [net(rng.gauss(70.0, 2.0)).value for _ in range(2000)]
    assert net(70.0).u == pytest.approx(2 * pstdev(values), rel=0.05)
    assert net(70.0).u == pytest.approx(2 * 2.0 * 5.0)


def test_a_drift_of_the_rest_is_in_the_uncertainty(measured: Make, energy: Make) -> None:
    """Before and after differ by 2 W: half of it either way, rectangular, of both devices."""
    metric = metrics_of(measured(phases=_idle(energy, 5.0, 25.0)))["power_idle_w"]
    assert metric.value == pytest.approx(3.0)
    assert metric.u == pytest.approx(2 * sqrt(2) * 1.0 / sqrt(3))


def _gpu(value_j: float, u_j: float) -> Energy:
    return Energy(
        domain=Domain.GPU,
        device="GPU-a",
        tier="counter",
        value_j=value_j,
        u_random_j=u_j,
        u_systematic_j=0.0,
    )
