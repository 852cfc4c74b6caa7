"""Power at rest, its drift, and what is left of the energy without it."""

from __future__ import annotations

from math import sqrt

import pytest

from pytest_lem.energy.reading import Domain, Energy, Tier
from pytest_lem.flags import Flag
from pytest_lem.measure.idle import idle_by_device, idle_flags, net_j
from pytest_lem.measure.round import Phase, Round, Work

GPU = ("gpu", "GPU-a")


def _energy(value_j: float | None, u_j: float | None = 1.0, device: str = "GPU-a") -> Energy:
    return Energy(
        domain=Domain.GPU, device=device, tier=Tier.COUNTER, value_j=value_j, u_random_j=u_j
    )


def _idle(*values_j: float | None) -> list[Phase]:
    """Return idle phases of ten seconds with these energies, among phases of other names."""
    idle = [
        Phase(name="idle", start_s=0.0, end_s=10.0, energies=[_energy(value_j)])
        for value_j in values_j
    ]
    other = Phase(name="warmup", start_s=0.0, end_s=10.0, energies=[_energy(9999.0)])
    return [other, *idle[:1], other, *idle[1:]]


def _round(value_j: float | None) -> Round:
    return Round(seq=0, start_s=0.0, end_s=5.0, energies=[_energy(value_j)], work=Work())


def test_power_at_rest_is_the_mean_of_before_and_after() -> None:
    """Both count alike, and their difference is in the uncertainty."""
    found = idle_by_device(_idle(700.0, 720.0))[GPU]
    assert found.power_w == pytest.approx(71.0)
    assert (found.before_w, found.after_w) == (70.0, 72.0)
    assert found.u_w == pytest.approx(sqrt(2 * 0.1**2 / 4 + (1 / sqrt(3)) ** 2))


def test_one_side_is_enough() -> None:
    """A case that failed half-way has only the power before."""
    found = idle_by_device(_idle(700.0))[GPU]
    assert (found.power_w, found.before_w, found.after_w) == (70.0, 70.0, None)
    assert not found.has_drifted


def test_unknown_power_at_rest_is_none() -> None:
    """Without an idle phase, or without a value in it, nothing is known."""
    assert idle_by_device(_idle()) == {}
    assert idle_by_device(_idle(None)) == {}
    assert idle_by_device(_idle(None, 720.0))[GPU].power_w == 72.0
    assert net_j(_round(500.0), _energy(500.0), {}) is None
    assert net_j(_round(None), _energy(None), idle_by_device(_idle(700.0))) is None


@pytest.mark.parametrize(
    ("after_j", "has_drifted"), [(719.0, False), (722.0, True), (681.0, False), (678.0, True)]
)
def test_two_watts_or_three_per_cent_are_no_drift(after_j: float, has_drifted: bool) -> None:
    """At 70 W, more than 2.1 W is one, up or down."""
    flags = idle_flags([], _idle(700.0, after_j))
    assert (Flag.IDLE_DRIFT in flags) is has_drifted


def test_net_energy_is_what_is_above_rest() -> None:
    """Five seconds at 70 W are taken off."""
    assert net_j(_round(500.0), _energy(500.0), idle_by_device(_idle(700.0))) == 150.0


def test_net_energy_below_nothing_is_flagged_and_kept() -> None:
    """A rest that drew more than the work is said, never cut off at 0."""
    phases = _idle(700.0, 700.0)
    assert net_j(_round(300.0), _energy(300.0), idle_by_device(phases)) == -50.0
    assert idle_flags([_round(300.0)], phases) == {Flag.BASELINE_ABOVE_LOAD}
    assert idle_flags([_round(400.0)], phases) == set()


def test_an_unknown_uncertainty_of_the_rest_stays_unknown() -> None:
    """A sensor that states none is not taken to be exact."""
    phases = [
        Phase(name="idle", start_s=0.0, end_s=10.0, energies=[_energy(700.0, u_j)])
        for u_j in (1.0, None)
    ]
    found = idle_by_device(phases)[GPU]
    assert (found.power_w, found.u_w) == (70.0, None)
