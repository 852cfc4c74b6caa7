"""Power at rest, and net energy with all of its uncertainty."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from random import Random
from statistics import fmean, pstdev
from typing import Any

import pytest

from pytest_lem.energy.reading import Domain, Energy
from pytest_lem.measure.round import Phase, Round, Work
from pytest_lem.results.metrics import metrics_of
from pytest_lem.results.net import net_metrics
from pytest_lem.results.pool import Pool

Make = Callable[..., Any]


def _idle(energy_of: Make, *joules: float, u_j: float = 0.0, domains: Any = None) -> list[Phase]:
    """Return idle phases of ten seconds with these joules of each domain."""
    return [
        Phase(
            name="idle",
            start_s=0.0,
            end_s=10.0,
            energies=[
                energy_of(domain, value_j, u_random_j=u_j, u_systematic_j=0.0)
                for domain in domains or (Domain.PACKAGE, Domain.DRAM)
            ],
        )
        for value_j in joules
    ]


def test_net_energy_is_gross_without_the_power_at_rest(measured: Make, energy_of: Make) -> None:
    """12 J in 3 s, of which two devices take half a watt each at rest: 9 J for 9 tokens."""
    metrics = metrics_of(measured(phases=_idle(energy_of, 5.0, 5.0)))
    assert metrics["power_idle_w"].value == pytest.approx(1.0)
    assert metrics["energy_net_per_output_token_j"].value == pytest.approx((12 - 3) / 9)
    assert metrics["energy_per_output_token_j"].value == pytest.approx(12 / 9)


def test_net_energy_may_be_negative(measured: Make, energy_of: Make) -> None:
    """What was below rest is shown as it is, never as nothing."""
    metrics = metrics_of(measured(phases=_idle(energy_of, 50.0, 50.0)))
    assert metrics["energy_net_per_output_token_j"].value == pytest.approx((12 - 30) / 9)


@pytest.mark.parametrize("domains", [None, (Domain.PACKAGE,)])
def test_unknown_rest_leaves_no_net(measured: Make, energy_of: Make, domains: Any) -> None:
    """Without an idle phase, or without one of the devices in it, there is no net energy."""
    phases = _idle(energy_of, 5.0, domains=domains) if domains else []
    for name in ("power_idle_w", "energy_net_per_output_token_j"):
        metric = metrics_of(measured(phases=phases))[name]
        assert (metric.value, metric.reason) == (None, "idle power was not measured")


def test_calls_have_a_net_energy_of_their_own(called: Make, energy_of: Make) -> None:
    """Six calls share what is above rest."""
    metrics = metrics_of(called(phases=_idle(energy_of, 5.0, 5.0)))
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
        return _net(rounds, [phase])["energy_net_per_call_j"]

    values = [net(rng.gauss(70.0, 2.0)).value for _ in range(2000)]
    assert net(70.0).u == pytest.approx(2 * pstdev(values), rel=0.05)
    assert net(70.0).u == pytest.approx(2 * 2.0 * 5.0)


def test_a_drift_of_the_rest_is_in_the_uncertainty(measured: Make, energy_of: Make) -> None:
    """Before and after differ by 2 W: half of it either way, rectangular, of both devices."""
    metric = metrics_of(measured(phases=_idle(energy_of, 5.0, 25.0)))["power_idle_w"]
    assert metric.value == pytest.approx(3.0)
    gain_w = 3.0 * 1.2 / 12
    assert metric.u == pytest.approx(2 * sqrt(2 * (1.0 / sqrt(3)) ** 2 + gain_w**2))
    assert metric.n == 2


def test_power_at_rest_has_the_gain_of_its_source(window: Make, phase_of: Make) -> None:
    """70 W are as wrong by it as the joules of the rounds: 5 %, beside 1 W of the phase itself."""
    phase = phase_of("idle", window(10.0, 700.0, u_random_j=10.0))
    metric = _net([window(5.0, 2000.0, u_systematic_j=100.0)], [phase])["power_idle_w"]
    assert (metric.value, metric.n) == (70.0, 1)
    assert metric.u == pytest.approx(2 * sqrt(1.0**2 + 3.5**2))


@pytest.mark.parametrize("idle_u_w", [0.0, 4.0])
def test_the_stated_interval_holds_the_true_net_energy(
    window: Make, phase_of: Make, idle_u_w: float
) -> None:
    """Edges, gain and rest err as they claim in 600 sessions; 95 % of them state the truth."""
    rng = Random(7)
    hits, errors_j, stated_j = 0, [], []
    for _ in range(600):
        gain = 1 + rng.gauss(0, 0.03)
        phases = [
            phase_of("idle", window(10.0, gain * 10 * rng.gauss(70, idle_u_w), u_random_j=j))
            for j in [10 * idle_u_w]
        ]
        rounds = [
            window(5.0, j, u_random_j=6.0, u_systematic_j=0.03 * j)
            for j in (gain * rng.gauss(5 * 300.0, 6.0) for _ in range(8))
        ]
        metric = _net(rounds, phases)["energy_net_per_call_j"]
        errors_j.append(metric.value - 5 * (300.0 - 70.0))
        stated_j.append(metric.u)
        hits += abs(errors_j[-1]) <= metric.u
    assert hits / 600 >= 0.93
    assert 0.95 < fmean(stated_j) / (2 * pstdev(errors_j)) < 1.1


def test_net_energy_scatters_by_itself(window: Make, phase_of: Make) -> None:
    """The same joules in windows of any length are equal gross, and not net: 70 W of the seconds.

    The control is a work that takes the same above rest in windows of any length.
    """
    rng = Random(5)
    phase = phase_of("idle", window(10.0, 700.0))

    def session(work_j: float, rest_w: float) -> tuple[float, float]:
        windows_s = [rng.gauss(5.0, 0.5) for _ in range(30)]
        rounds = [window(s, work_j + rest_w * s) for s in windows_s]
        found = _net(rounds, [phase])["energy_net_per_call_j"]
        return found.value, found.u

    values_j, stated_j = zip(*(session(2000.0, 0.0) for _ in range(300)), strict=True)
    assert fmean(stated_j) == pytest.approx(2 * pstdev(values_j), rel=0.1)
    value_j, u_j = session(1650.0, 70.0)
    assert (value_j, u_j) == (pytest.approx(1650.0), pytest.approx(0.0, abs=1e-9))


@pytest.mark.parametrize("part", ["u_random_j", "u_systematic_j"])
def test_an_unknown_part_leaves_the_uncertainty_unknown(
    window: Make, phase_of: Make, part: str
) -> None:
    """The figure stands, and nobody claims to know how well."""
    phase = phase_of("idle", window(10.0, 700.0))
    metric = _net([window(5.0, 2000.0, **{part: None})], [phase])["energy_net_per_call_j"]
    assert (metric.value, metric.u) == (pytest.approx(1650.0), None)


def test_unknown_gross_energy_leaves_no_net(window: Make, phase_of: Make) -> None:
    """The reason is that of the gross figure, and the rest alone makes no figure."""
    phase = phase_of("idle", window(10.0, 700.0))
    metrics = _net([window(5.0, 9.0), window(5.0, None, reason="it slept")], [phase])
    for name in ("power_idle_w", "energy_net_per_call_j"):
        assert (metrics[name].value, metrics[name].reason) == (None, "it slept")


def _net(rounds: list[Round], phases: list[Phase]) -> Any:
    return net_metrics(Pool(rounds, on_gpu=True), phases)


def _gpu(value_j: float, u_j: float) -> Energy:
    return Energy(
        domain=Domain.GPU,
        device="GPU-a",
        tier="counter",
        value_j=value_j,
        u_random_j=u_j,
        u_systematic_j=0.0,
    )
